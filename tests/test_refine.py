import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ai4land.refine import refine
from ai4land.samples import refine_step


def at(row, col):
    return torch.tensor([[row, col]])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 30), st.integers(0, 40), st.integers(1, 25), st.integers(1, 25))
def test_a_window_anywhere_equals_the_same_cut_of_the_whole(top, left, rows, cols):
    coarse = torch.as_tensor(np.random.default_rng(0).random((1, 2, 3, 4)), dtype=torch.float32)
    for method in ("step", "bilinear"):
        whole = refine(coarse, at(0, 0), (75, 100), 25, method)[..., top : top + rows, left : left + cols]
        alone = refine(coarse, at(top, left), (rows, cols), 25, method)[..., : whole.shape[2], : whole.shape[3]]
        assert torch.equal(alone, whole), "a cell gets the same bits in whatever window it lies"


def test_the_step_is_area_true_and_the_same_as_repeating_cells():
    coarse = np.random.default_rng(1).random((1, 3, 2, 3)).astype(np.float32)
    fine = refine(torch.as_tensor(coarse), at(0, 0), (40, 60), 20)
    np.testing.assert_allclose(fine.numpy(), refine_step(coarse, 20, (40, 60)), atol=1e-6)


def test_bilinear_is_what_torch_interpolates():
    coarse = torch.as_tensor(np.random.default_rng(2).random((2, 1, 4, 5)), dtype=torch.float32)
    expected = torch.nn.functional.interpolate(coarse, scale_factor=10, mode="bilinear", align_corners=False)
    torch.testing.assert_close(
        refine(coarse, at(0, 0).repeat(2, 1), (40, 50), 10, "bilinear"), expected, atol=1e-5, rtol=0
    )


def test_a_coarse_cell_without_data_takes_no_part():
    coarse = torch.tensor([[[[1.0, float("nan"), 3.0]]]])
    fine = refine(coarse, at(0, 0), (4, 12), 4, "bilinear")[0, 0, 0]
    assert torch.isfinite(fine).all() and fine[:4].tolist() == [1] * 4 and fine[-4:].tolist() == [3] * 4
    assert refine(coarse, at(0, 0), (4, 12), 4)[0, 0, 0, 4:8].tolist() == [0] * 4


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="choose one of"):
        refine(torch.zeros(1, 1, 2, 2), at(0, 0), (4, 4), 2, "cubic")
