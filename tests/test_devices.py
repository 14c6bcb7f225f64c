"""Which arithmetic a network learns in."""

import pytest
import torch

from ai4land.devices import arithmetic, autocast, choose_device


@pytest.fixture(autouse=True)
def fresh():
    """The answer is kept for a process; these tests change the device under it."""
    arithmetic.cache_clear()
    yield
    arithmetic.cache_clear()


@pytest.mark.parametrize(("bf16", "amx", "expected"), [(0, 0, "fp32"), (1, 0, "bf16"), (0, 1, "bf16")])
def test_auto_takes_bfloat16_only_where_the_processor_has_it(monkeypatch, bf16, amx, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bool(bf16))
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: bool(amx))
    assert arithmetic() == arithmetic("auto") == expected
    with autocast(choose_device(), "auto"):
        assert torch.is_autocast_enabled("cpu") == (expected == "bf16")


@pytest.mark.parametrize("has", [True, False])
def test_auto_takes_bfloat16_on_cuda_only_where_it_is_not_emulated(monkeypatch, has):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or has)
    assert arithmetic() == ("bf16" if has else "fp32")


def test_what_is_asked_for_is_taken_and_another_name_is_refused():
    assert [arithmetic(name) for name in ("bf16", "fp32")] == ["bf16", "fp32"]
    with pytest.raises(ValueError, match="precision 'half': it is one of auto, bf16, fp32"):
        arithmetic("half")
