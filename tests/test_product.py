"""A product's stores: which years they hold, what they say of themselves, and how others open them."""

import errno
import json
import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rioxarray  # noqa: F401
import xarray as xr
import zarr

from ai4land.checks import check_room
from ai4land.cube import Layout
from ai4land.experiments import Experiment
from ai4land.grid import Grid
from ai4land.product import Years, open_product, product_stores
from ai4land.product.licence import citations
from ai4land.product.store import PACKED, product_template
from ai4land.runs import Run
from ai4land.store import create, finish, licence_of, partial_path
from ai4land.windows import Window

INPUTS = [
    {"role": "land_use", "dataset": "hilda_plus_v2", "file": "a.tif", "bytes": 1, "sha256": "0a",
     "licence": "CC-BY-4.0", "doi": "10.1594/PANGAEA.974335"},
    {"role": "luh2", "dataset": "luh2_v2h_states", "file": "b.nc", "bytes": 1, "sha256": "0b",
     "licence": "CC-BY-SA-4.0", "doi": "10.5194/gmd-13-5425-2020"},
]  # fmt: skip
STEP = {"trained_as": "forecast", "coarse": "luh2", "stepwise": True, "product": True}
BACK = {**STEP, "start": 1985, "test": (1850, 1984)}
SSP126 = {**STEP, "start": 2020, "test": (2021, 2100), "scenario": "ssp126"}


def make_run(**experiments) -> Run:
    """A run with maps of 1985-2020, a trained experiment, and others."""
    trained = {"start": 2000, "train": (1985, 1997), "validation": (1998, 2000), "test": (2001, 2015), "coarse": "luh2"}
    inputs = {"land_use": "hilda_plus_v2", "elevation": "gebco_2024", "koppen": "koppen_beck_2023",
              "luh2": "luh2_v2h_states",
              "scenarios": {s: f"luh2_v2f_{s}_states" for s in ("ssp126", "ssp370")}}  # fmt: skip
    return Run(
        name="here", title="Somewhere", source="HILDA+", regions=("tiny_west",), years=(1985, 2020), inputs=inputs,
        experiments={"forecast": trained, **experiments},
    )  # fmt: skip


def make_product(
    path: Path, run: Run, years: Years, cells: tuple[int, int] = (600, 550), fill: bool = True, inputs: list = INPUTS
) -> Path:
    """Whole store of one region: every class in a regular pattern, fractions that add up to one."""
    layout = Layout(Grid(46.0, 10.0, 0.01, 0.01, *cells), {"tiny_west": Window.whole(cells)})
    partial = create(path, product_template(path, run, layout, years, inputs))
    root = zarr.open_group(partial, mode="r+")
    if fill:
        rows, cols = np.indices(cells)
        for number in range(len(years.all)):
            maps = (rows // 40 + cols // 30 + number) % 8
            root["land_use"][number] = np.where(rows % 2 + cols % 2 == 0, 7, maps)  # one lake in every four cells
            root["confidence"][number] = 100 if years.all[number] in years.reference else 60
        for field in ("land_use_fraction", "gross_transition"):
            array = root[f"coarse/{field}"]
            array[:] = 1 / np.prod(array.shape[1:-2])
        for field in ("land_use_fraction_spread", "area_residual", "luh2_difference"):
            root[f"coarse/{field}"][:] = 0.25
    finish(path)
    return path


YEARS = Years([1985, 1986], {1984: "to_1850", 1987: "ahead"})


@pytest.fixture(scope="module")
def run():
    return make_run(to_1850=BACK, ahead={**STEP, "start": 1986, "test": (1987, 1987)})


@pytest.fixture(scope="module")
def store(run, tmp_path_factory):
    return make_product(tmp_path_factory.mktemp("product") / "land_use.zarr", run, YEARS)


# ---- years


def test_hindcast_maps_and_each_scenario_stand_one_after_the_other():
    ssp370 = {**SSP126, "scenario": "ssp370", "start": 2015, "test": (2016, 2030)}
    stores = product_stores(make_run(to_1850=BACK, low=SSP126, high=ssp370))
    assert list(stores) == ["land_use", "land_use-ssp126", "land_use-ssp370"]
    assert stores["land_use"].all == list(range(1850, 2021)) and stores["land_use"].reference == list(range(1985, 2021))
    assert stores["land_use"].emulated == dict.fromkeys(range(1850, 1985), "to_1850")
    assert stores["land_use-ssp126"] == Years([], dict.fromkeys(range(2021, 2101), "low"))
    assert stores["land_use-ssp370"].all == list(range(2016, 2031))  # maps to 2020 are in land_use


def test_a_forecast_without_a_scenario_stands_in_the_place_of_the_maps():
    stores = product_stores(make_run(ahead={**STEP, "start": 2000, "test": (2001, 2015)}, low=SSP126))
    years = stores["land_use"]
    assert years.reference == [*range(1985, 2001), *range(2016, 2021)] and sorted(years.emulated) == list(
        range(2001, 2016)
    )


def test_maps_fill_the_years_between_two_hindcasts():
    near, far = {**STEP, "start": 1990, "test": (1987, 1989)}, {**BACK, "start": 1986, "test": (1850, 1985)}
    years = product_stores(make_run(near=near, far=far))["land_use"]
    assert years.reference == [1986, *range(1990, 2021)] and years.all == list(range(1850, 2021))


def test_without_a_forecast_the_maps_end_with_the_run():
    assert product_stores(make_run(to_1850=BACK))["land_use"].all == list(range(1850, 2021))


@pytest.mark.parametrize(
    ("experiments", "words"),
    [
        ({}, "no experiment has product: true"),
        ({"to_1850": BACK, "again": {**BACK, "test": (1900, 1984)}}, "to_1850 and again both make 1900 of land_use"),
        ({"a": SSP126, "b": SSP126}, "a and b both make 2021 of land_use-ssp126"),
        ({"to_1850": {**BACK, "test": (1970, 1984)}, "earlier": {**BACK, "test": (1850, 1960), "start": 1985}},
         "both make 1970 of land_use"),  # a rollout steps through every year from its start
        ({"ahead": {**STEP, "start": 2015, "test": (2016, 2030)},
          "low": {**SSP126, "start": 2015, "test": (2016, 2020)}},
         "land_use-ssp126 has years 2016-2020, and land_use goes to 2030"),
        ({"low": {**SSP126, "start": 1990, "test": (1985, 1989)}}, "land_use-ssp126 has years 1985-1989"),
    ],
)  # fmt: skip
def test_years_that_make_no_product_are_refused_in_one_line(experiments, words):
    with pytest.raises(ValueError, match=words) as failure:
        product_stores(make_run(**experiments))
    assert str(failure.value).startswith("run here: ") and "\n" not in str(failure.value)


def test_a_map_that_lacks_between_the_reference_years_is_named():
    run = make_run(to_1850=BACK).model_copy(update={"years": (1985, 1987, 1990), "every_year": False})
    with pytest.raises(ValueError, match=r"land_use would lack 1986-1989 \(3 years\)"):
        product_stores(run)


def test_a_product_of_perfect_areas_on_other_cells_than_its_own_is_refused():
    perfect = {**BACK, "coarse": "perfect", "priors": 1}
    assert Experiment(**perfect, coarse_cells=(50, 25)).product
    with pytest.raises(ValueError, match=r"coarse_cells \(50, 100\) must begin at 25"):
        Experiment(**perfect, coarse_cells=(50, 100))


# ---- stores


def test_xarray_opens_it_with_its_defaults_and_without_a_warning(store):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maps, shares = xr.open_zarr(store), xr.open_zarr(store, group="coarse")
        assert all(xr.open_zarr(store, group=g, consolidated=True).attrs for g in (None, "coarse"))
    assert maps["land_use"].dims == ("time", "lat", "lon") and maps["land_use"].shape == (4, 600, 550)
    assert maps["time"].dt.year.to_numpy().tolist() == [1984, 1985, 1986, 1987]
    # A map stands for its whole year: from its own 1 January to the next one's.
    np.testing.assert_array_equal(maps["time_bnds"][:, 1][:-1], maps["time"][1:])
    np.testing.assert_array_equal(maps["time_bnds"][:, 0], maps["time"])
    assert maps["source"].to_numpy().tolist() == [1, 0, 0, 1] and maps["era"].to_numpy().tolist() == [1, 0, 0, 2]
    assert shares["land_use_fraction"].dims == ("time", "land_use_class", "lat", "lon")
    assert shares["gross_transition"].shape == (4, 8, 8, 24, 22)
    np.testing.assert_allclose(shares["lat"][:2], [45.875, 45.625])
    np.testing.assert_allclose(shares["lat_bnds"][0], [46.0, 45.75])


def test_others_know_where_on_earth_it_lies(store):
    for group, cell in ((None, 0.01), ("coarse", 0.25)):
        name = "land_use_fraction" if group else "land_use"
        field = xr.open_zarr(store, group=group, decode_coords="all")[name]
        assert (
            field.rio.crs.to_epsg() == 4326 and field.attrs.get("grid_mapping", field.encoding["grid_mapping"]) == "crs"
        )
        np.testing.assert_allclose(field.rio.transform()[:6], [cell, 0, 10, 0, -cell, 46], atol=1e-9)


def test_cells_that_nobody_wrote_are_no_data(run, tmp_path):
    path = make_product(tmp_path / "land_use.zarr", run, YEARS, (50, 50), fill=False)
    assert (open_product(path)["land_use"] == 255).all() and xr.open_zarr(path)["confidence"].isnull().all()
    assert xr.open_zarr(path, group="coarse")["land_use_fraction"].isnull().all()


def test_large_stores_are_written_in_shards_of_twenty_degrees(run, tmp_path):
    path = make_product(tmp_path / "land_use.zarr", run, YEARS, (2000, 4000), fill=False)
    fine, coarse = zarr.open_array(path / "land_use"), zarr.open_array(path / "coarse" / "gross_transition")
    assert fine.chunks == (1, 500, 500) and fine.shards == (1, 2000, 2000)
    assert coarse.chunks == (1, 8, 8, 20, 20) and coarse.shards == (1, 8, 8, 80, 80)


def test_fields_say_what_their_numbers_are(store):
    shares = xr.open_zarr(store, group="coarse")
    assert not any("standard_name" in shares[name].attrs for name in shares.data_vars if name not in ("crs",)
                   and not name.endswith("_bnds")), "area_fraction wants an area_type"  # fmt: skip
    assert "share of cells" in shares["area_residual"].attrs["long_name"]
    assert "potential forest" in shares["luh2_difference"].attrs["comment"]


def test_it_says_where_it_is_from_and_under_which_licence(store, run):
    about = xr.open_zarr(store).attrs
    assert about["Conventions"] == "CF-1.11" and about["license"] == "CC-BY-SA-4.0" and about["synthetic"] == 0
    assert json.loads(about["inputs"]) == INPUTS and Run(**json.loads(about["run_parameters"])) == run
    assert "10.1594/PANGAEA.974335" in about["references"] and about["experiments"] == "ahead to_1850"


def test_equal_content_has_equal_bytes(run, tmp_path):
    one, other = (make_product(tmp_path / n / "land_use.zarr", run, YEARS, (50, 50)) for n in ("one", "other"))
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files and files == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
    assert all((one / f).read_bytes() == (other / f).read_bytes() for f in files)


def test_a_store_of_a_newer_format_and_one_that_is_not_there_are_refused(run, tmp_path):
    path = make_product(tmp_path / "land_use.zarr", run, YEARS, (50, 50), fill=False)
    zarr.open_group(path, mode="a").update_attributes({"format_version": 99})
    with pytest.raises(ValueError, match="format_version 99, this software reads up to 1; update it"):
        open_product(path)
    with pytest.raises(FileNotFoundError, match="no product at .*run 07-stitch"):
        open_product(tmp_path / "land_use-ssp126.zarr")


def test_a_product_that_does_not_fit_the_disk_is_refused_before_it_is_begun(run, tmp_path, monkeypatch):
    layout = Layout(Grid(46.0, 10.0, 0.01, 0.01, 100, 50), {"a": Window.whole((50, 50))})
    # A cell has two bytes; a block of 25 x 25 has four fields of 8 classes and one of 8 x 8, of four bytes each.
    raw = 4 * 2500 * (2 + (4 * 8 + 64) * 4 / 625)
    path = tmp_path / "land_use.zarr"
    template = product_template(path, run, layout, YEARS, INPUTS)
    assert template.needed == int(PACKED * raw)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5))
    with pytest.raises(OSError, match=f"land_use.zarr: {int(PACKED * raw)} bytes are needed.* has 5 free") as failure:
        create(path, template)
    assert failure.value.errno == errno.ENOSPC and not partial_path(path).exists() and "\n" not in str(failure.value)
    check_room(tmp_path, 5, "what fits")


# ---- licence


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["none: synthetic"], "none: synthetic"),
        (["CC0-1.0", "public domain"], "CC0-1.0"),
        (["CC-BY-4.0", "public domain", "BSD-2-Clause"], "CC-BY-4.0"),
        (["CC-BY-4.0", "CC-BY-SA-4.0", "public domain"], "CC-BY-SA-4.0"),
        (["CC-BY-SA-4.0", "LicenseRef-Copernicus"], "CC-BY-SA-4.0 AND LicenseRef-Copernicus"),
        (["CC-BY-SA-4.0", "CC-BY-NC-SA-3.0 (non-commercial)"], "CC-BY-NC-SA-3.0 (non-commercial) AND CC-BY-SA-4.0"),
    ],
)
def test_the_licence_is_what_the_inputs_demand(licences, expected):
    assert licence_of([{"licence": name} for name in licences]) == expected


def test_every_data_set_is_cited_once():
    table = citations([*INPUTS, {**INPUTS[0], "file": "c.tif"}])
    assert table["dataset"].tolist() == ["hilda_plus_v2", "luh2_v2h_states"] and table["files"].tolist() == [2, 1]
    assert "Hurtt" in table["citation"][1]
