"""On MODIS leaf area and NOAA's CO2; skipped where they are absent."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from vegetation_cases import small_cube

from ai4land.grid import grid_of
from ai4land.samples.predictors import Given, annual_fields
from ai4land.samples.region_store import annual_co2
from ai4land.sources import InputFile, find_files, open_input
from ai4land.sources.co2 import open_co2_noaa_csv
from ai4land.sources.modis import open_modis_land_cover, shared_areas
from ai4land.sources.registry import dataset_row
from ai4land.windows import WHOLE

sys.path.append(str(ROOT / "benchmarks"))
import real_leaves

OCTOBER = 9


@pytest.fixture(scope="module")
def site(real):
    try:
        return find_files(real_leaves.DATASET, real)[0]
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def cells(site):
    return real_leaves.read(site)


@pytest.fixture(scope="module")
def october(cells):
    return real_leaves.predictions(*cells, OCTOBER)


def at(field, lat, lon):
    return field.sel(lat=lat, lon=lon, method="nearest").to_numpy()


def test_the_series_of_arcachon_is_the_year_2004_where_the_coast_is(site):
    lai, types = open_input([site]), open_modis_land_cover(site, dataset_row(site.dataset)["version"])
    assert lai.sizes["time"] == 46 and lai.attrs["definition"] == "true"
    assert {str(d)[:4] for d in lai["time"].to_numpy()} == {"2004"}
    west, south, east, north = grid_of(lai).bounds
    # The registry's 81 rows of 1/240 degree around 44.656 N, 1.175 W, the centre that the file's makers asked for.
    assert (south + north) / 2 == pytest.approx(44.656, abs=1 / 240)
    assert (west + east) / 2 == pytest.approx(-1.175, abs=0.01) and north - south == pytest.approx(81 / 240)
    field = lai["leaf_area_index"]
    # The Atlantic, the lake of Cazaux and the bay have no leaves; the pine forest of the Landes has some.
    for lat, lon in ((44.70, -1.35), (44.50, -1.17), (44.70, -1.14)):
        assert np.isnan(at(field, lat, lon)).all() and at(types.sel(igbp_type=17), lat, lon) == 1
    assert np.median(at(field, 44.55, -1.05)) > 1 and float(field.min()) >= 0 and float(field.max()) <= 7


def test_two_steps_to_the_cells_of_the_run_are_one_step_but_for_one_per_cent_of_the_spread(site, cells):
    lai, grid, use, _ = cells
    import xarray as xr

    with xr.open_dataset(site.path) as data:
        values, about = data["lai"].to_numpy()[::9], data.attrs
    edges = about["xllcorner"] + np.arange(82) * about["cellsize_m"]
    total, area = np.zeros((2, len(values), *grid.shape))
    bands = grid_of(lai).lat_edges
    for row in range(grid.rows):
        for source in range(81):
            north = min(grid.lat_edges[row], bands[source])
            south = max(grid.lat_edges[row + 1], bands[source + 1])
            if north - south > 1e-9:
                shared = shared_areas(south, north, edges, grid.lon_edges).T
                known = np.isfinite(values[:, source])
                total[:, row] += np.where(known, values[:, source], 0) @ shared
                area[:, row] += known @ shared
    one = total[:, use] / area[:, use]
    two = real_leaves.on_cells(lai["leaf_area_index"][::9], grid)[:, use]
    assert np.sqrt(((two - one) ** 2).mean()) < 0.01 * one.std()


def test_a_month_that_is_left_out_leaves_no_trace_in_what_is_predicted_of_it(cells, october):
    lai, grid, use, still = cells
    marked = lai.copy(deep=True)
    days = lai["time"].to_numpy().astype("datetime64[D]")
    touches = (days < np.datetime64("2004-11-01")) & (days + 7 >= np.datetime64("2004-10-01"))
    assert touches.sum() == 5  # from 29 September, which is also September's, to 31 October, which is also November's
    marked["leaf_area_index"][touches] = 9.9
    planted = real_leaves.predictions(marked, grid, use, still, OCTOBER)
    for name, field in october.items():
        assert field.tobytes() == planted[name].tobytes(), name


def test_the_committed_table_is_what_the_benchmark_makes(cells, october):
    committed = pd.read_csv(ROOT / "benchmarks" / "results" / "real-leaves.csv")
    lai, grid, use, _ = cells
    truth = real_leaves.on_cells(real_leaves.monthly(lai), grid)[:, use].astype(float)
    made = real_leaves.score_all(truth, {OCTOBER: october})
    label = str(OCTOBER + 1)
    ours, theirs = (t[t["month left out"].astype(str) == label].set_index("method") for t in (made, committed))
    assert list(ours.columns) == list(theirs.columns) and list(ours.index) == list(theirs.index)
    for name in ours.index:  # trees may differ a little between builds of XGBoost
        np.testing.assert_allclose(
            ours.loc[name].astype(float),
            theirs.loc[name].astype(float),
            rtol=0.02 if "xgboost" in name else 1e-3,
            atol=0.02,
        )
    whole = committed[committed["month left out"] == "all"].set_index("method")
    assert whole.loc["global_mean", "misfit reduction, global_mean"] == 0
    # As data/README.md says.
    trees, error = ["xgboost", "xgboost, cell mean"], whole["RMSE (m2 m-2)"]
    assert (
        error["months beside"] < error[trees].min() and error[trees].max() < error["persistence"] < error["cell_mean"]
    )
    assert error["xgboost, sine and cosine alone"] > error["persistence"]
    assert set(whole["cells x months"]) == {12 * int(use.sum())}


def noaa(real: Path, name: str) -> dict[int, float]:
    return annual_co2(open_co2_noaa_csv([InputFile("co2", real / "co2" / name, {})], "")["co2"])


def test_noaas_co2_gives_a_cube_its_value_of_every_year_since_1959(real):
    months, years = noaa(real, "co2-mm-mlo.csv"), noaa(real, "co2-annmean-mlo.csv")
    last = max(years)
    assert list(years) == list(range(1959, last + 1)) and last >= 2020
    assert set(years) <= set(months) and 1958 not in months  # which begins in March
    # NOAA rounds both to 0.01.
    np.testing.assert_allclose([months[y] for y in years], list(years.values()), atol=0.006)
    found = open_input(find_files("co2_noaa_mlo_monthly", real))["co2"]
    assert annual_co2(found) == months
    cube = small_cube().with_fields(co2=months)
    fields = annual_fields(cube, Given(), 2003, 2004, WHOLE)
    assert np.unique(fields["co2"]).tolist() == [np.float32(months[2004])]
    assert months[2004] == pytest.approx(377.7, abs=0.1)


def test_a_year_that_noaa_has_not_measured_is_refused_with_those_there_are(real):
    measured = noaa(real, "co2-annmean-gl.csv")
    cube = small_cube().with_fields(co2={y: v for y, v in measured.items() if y < 2004})
    with pytest.raises(ValueError, match="CO2 has no year 2004, there are 1979-2003; name co2"):
        annual_fields(cube, Given(), 2003, 2004, WHOLE)
