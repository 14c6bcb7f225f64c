"""States of LUH2, and of CTSM-FATES, with the areas of a map of land use."""

import numpy as np
import pytest
import xarray as xr

from ai4land.export.cells import octahedral, regular
from ai4land.export.luh import states_of, write_fates, write_luh2
from ai4land.grid import Grid, grid_of
from ai4land.sources.luh2 import STATES, state_class_fractions

GRID = Grid(45.0, 10.0, 0.25, 0.25, 8, 12)
YEARS = [1999, 2000, 2001]
CROPS = ["c3ann", "c4ann", "c3per", "c4per", "c3nfx"]
ABOUT = {"title": "Land-use states (synthetic)", "synthetic": 1}


def shares(rng: np.random.Generator, names: list, total: float | np.ndarray) -> np.ndarray:
    values = rng.random((len(YEARS), len(names), *GRID.shape))
    return values / values.sum(1, keepdims=True) * total


@pytest.fixture(scope="module")
def fields() -> tuple[xr.DataArray, xr.DataArray]:
    """Fractions of eight classes with a corner of sea, and LUH2 that lacks crops in some cells."""
    rng = np.random.default_rng(0)
    fraction, own = shares(rng, list(range(8)), 1.0), shares(rng, list(STATES), 0.9)
    fraction[:, :, 0, 0] = np.eye(8)[0]
    fraction[:, :, 0, 1] = np.nan
    own[:, :, 0, :2] = np.nan
    own[:, [STATES.index(c) for c in CROPS], 3, 3] = 0
    time = {"time": YEARS}
    return (
        xr.DataArray(
            fraction, {**time, **GRID.coords()}, ("time", "land_use_class", "lat", "lon"), "land_use_fraction"
        ),
        xr.DataArray(own, {**time, "state": list(STATES), **GRID.coords()}, ("time", "state", "lat", "lon")),
    )


def test_states_have_the_areas_of_the_map_and_the_proportions_of_luh2(fields):
    fraction, own = fields
    states = states_of(fraction, own)
    np.testing.assert_allclose(states["urban"], fraction[:, 1], atol=1e-12)
    crops = sum(states[c] for c in CROPS)
    np.testing.assert_allclose(crops, fraction[:, 2], atol=1e-12)
    np.testing.assert_allclose(states["pastr"] + states["range"], fraction[:, 3], atol=1e-12)
    natural = sum(states[s] for s in ("primf", "primn", "secdf", "secdn"))
    np.testing.assert_allclose(natural, fraction[:, 4:7].sum("land_use_class", skipna=False), atol=1e-12)
    told = (slice(None), slice(1, 3))
    for one, other in (("c3ann", "c4per"), ("pastr", "range"), ("primf", "secdn")):
        expected = own.sel(state=one)[told] / own.sel(state=other)[told]
        np.testing.assert_allclose(states[one][told] / states[other][told], expected, rtol=1e-9)


def test_a_pool_that_luh2_lacks_in_a_cell_is_shared_as_in_the_window(fields):
    fraction, own = fields
    states, cell = states_of(fraction, own), GRID.cell_area()[:, None]
    window = {c: float(np.nansum(own.sel(state=c)[0] * cell)) for c in CROPS}
    for crop in CROPS:
        expected = float(fraction[0, 2, 3, 3]) * window[crop] / sum(window.values())
        assert float(states[crop][0, 3, 3]) == pytest.approx(expected, rel=1e-9)


def test_cells_without_land_have_no_states_and_those_without_data_none_at_all(fields):
    states = states_of(*fields)
    assert sum(float(states[s][0, 0, 0]) for s in STATES) == 0
    assert all(np.isnan(states[s][0, 0, 1]) for s in STATES)


def test_the_file_has_the_layout_of_luh2_and_gives_the_classes_back(fields, tmp_path):
    fraction, own = fields
    path = write_luh2(tmp_path / "states.nc", states_of(fraction, own), ABOUT)
    with xr.open_dataset(path, decode_times=False) as data:
        assert set(STATES) <= set(data.data_vars) and not {"secma", "secmb"} & set(data.data_vars)
        assert data["time"].attrs["units"].startswith("years since 850-01-01")
        assert data["time"].to_numpy().tolist() == [y - 850.0 for y in YEARS]
        assert data["primf"].dims == ("time", "lat", "lon") and data["lat"][0] > data["lat"][-1]
        assert data["lat_bounds"].to_numpy()[0].tolist() == [45.0, 44.75]
        classes = state_class_fractions(data).to_numpy()
    with xr.open_dataset(path, decode_times=False, mask_and_scale=False) as data:
        assert float(data["primf"][0, 0, 1]) == np.float32(1e20) == data["primf"].attrs["missing_value"]
    land = fraction[:, 1:7].sum("land_use_class", skipna=False).to_numpy()
    for code in (1, 2, 3):
        expected = fraction[:, code].to_numpy() / np.where(land > 0, land, np.nan)
        np.testing.assert_allclose(classes[:, code], expected, atol=1e-6)


@pytest.mark.parametrize("target", [None, regular(1.0, (10.0, 43.0, 13.0, 45.0))])
def test_fates_gets_fractions_of_land_and_the_land_is_kept(fields, tmp_path, target):
    states = states_of(*fields)
    path = write_fates(tmp_path / "landuse.nc", states, ABOUT, target)
    before = float(sum((states[s].fillna(0) * GRID.cell_area()[:, None]).sum() for s in STATES))
    with xr.open_dataset(path, decode_times=False) as data:
        assert data["primf"].dims == ("time", "lsmlat", "lsmlon") and data["YEAR"].to_numpy().tolist() == YEARS
        assert (np.diff(data["LATIXY"][:, 0]) > 0).all() and (data["LONGXY"] >= 0).all()
        land = data["LANDFRAC"].to_numpy()
        total = sum(data[s] for s in STATES).to_numpy()
        np.testing.assert_allclose(total[land > 0], 1, rtol=1e-9)
        percent = (data["PCT_URBAN"] + data["PCT_CROP"] + data["PCT_NATVEG"]).to_numpy()
        np.testing.assert_allclose(percent[land > 0], 100, rtol=1e-9)
        step = float(data["LATIXY"][1, 0] - data["LATIXY"][0, 0])
        rows = Grid(45.0, 10.0, step, step, round(2 / step), round(3 / step)).cell_area()[::-1, None]
        assert float(np.nansum(land * rows)) == pytest.approx(before, rel=1e-6)


def test_longitudes_of_fates_run_from_greenwich(fields, tmp_path):
    west = Grid(45.0, -1.5, 0.25, 0.25, 8, 12)
    moved = [f.assign_coords(lon=west.lon) for f in fields]
    states = states_of(*moved)
    with xr.open_dataset(write_fates(tmp_path / "landuse.nc", states, ABOUT), decode_times=False) as data:
        assert data["LONGXY"][0].to_numpy().tolist() == [*west.lon[6:], *(west.lon[:6] + 360)]
        np.testing.assert_allclose(data["LANDFRAC"][0, -1, 0], sum(states[s][0, 0, 6] for s in STATES))


def test_bad_input_is_refused(fields, tmp_path):
    fraction, own = fields
    with pytest.raises(ValueError, match="grids differ"):
        states_of(fraction, own.assign_coords(lon=own["lon"] + 1))
    with pytest.raises(ValueError, match="land use is of 1999-2001, LUH2 of 1999-2000"):
        states_of(fraction, own[:2])
    with pytest.raises(ValueError, match=r"sums to 1.300 to 1.300, expected 1"):
        states_of(fraction * 1.3, own)
    with pytest.raises(ValueError, match="7 classes"):
        states_of(fraction[:, :7], own)
    with pytest.raises(ValueError, match="own grid is wanted"):
        write_fates(tmp_path / "landuse.nc", states_of(fraction, own), ABOUT, octahedral(8))
    assert grid_of(fraction).same_as(GRID)
