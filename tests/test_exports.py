"""Files made from a product, read by the tools that its users have."""

import json
import os
import shutil
import socket
from types import SimpleNamespace

import netCDF4
import numpy as np
import pandas as pd
import pystac.validation
import pytest
import rasterio
import xarray as xr
import zarr
from compliance_checker.runner import CheckSuite
from test_product import BACK, INPUTS, SSP126, STEP, YEARS, make_product, make_run

from ai4land.grid import Grid
from ai4land.legend import read_legend
from ai4land.product import Years, open_product, report, write_cog, write_netcdf, write_readme, write_stac

RUN = make_run(to_1850=BACK, ahead={**STEP, "start": 1986, "test": (1987, 1987)})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_product(tmp_path_factory.mktemp("product") / "land_use.zarr", RUN, YEARS)


@pytest.fixture(scope="module")
def files(store):
    folder = store.parent / "exports"
    maps, shares = write_netcdf(store, 1985, folder), write_netcdf(store, 1985, folder, "coarse")
    return {"maps": maps, "shares": shares, "cog": write_cog(store, 1985, folder)}


def complaints(path):
    """What the CF checker finds, by the section of the conventions; errors in its own code count too."""
    suite = CheckSuite()
    suite.load_all_available_checkers()
    results, errors = suite.run_all(suite.load_dataset(str(path)), ["cf:1.11"], skip_checks=[])["cf:1.11"]
    assert not errors and len(results) > 20
    return {r.name: r.msgs for r in results if r.value[0] < r.value[1]}  # points got, points to get


def test_netcdf_passes_the_cf_checker_without_a_word(files):
    assert complaints(files["maps"]) == {}


def test_of_coarse_netcdf_the_cf_checker_says_that_classes_stand_between_time_and_place(files):
    """A recommendation; LUMIP's files have the same order."""
    found = complaints(files["shares"])
    assert set(found) == {"§2.4 Dimensions"} and all(
        "recommended order T, Z, Y, X" in m for m in found["§2.4 Dimensions"]
    )


def test_the_cf_checker_can_fail(files, tmp_path):
    bad = tmp_path / "bad.nc"
    shutil.copy(files["maps"], bad)
    with netCDF4.Dataset(bad, "a") as data:
        data["lat"].units = "apples"
        data["land_use"].flag_values = np.arange(7, dtype=np.uint8)
    assert complaints(bad)


def test_netcdf_holds_the_year_as_it_is_in_the_store(store, files):
    with netCDF4.Dataset(files["maps"]) as data:
        kept = open_product(store).sel(time=1985)
        np.testing.assert_array_equal(data["land_use"][0], kept["land_use"])
        assert data["land_use"].dtype == data["land_use"].flag_values.dtype == np.uint8
        assert netCDF4.num2date(data["time"][0], data["time"].units).year == 1985 and data["source"][0] == 0
        assert data.license == "CC-BY-SA-4.0" and data["land_use"].filters()["zlib"]
    with xr.open_dataset(files["shares"]) as shares:
        np.testing.assert_allclose(shares["land_use_fraction"].sum("land_use_class"), 1)
    with rasterio.open(f"NETCDF:{files['maps']}:land_use") as raster:
        assert raster.crs.to_epsg() == 4326 and np.allclose(raster.bounds, (10, 40, 15.5, 46))


def test_geotiff_is_cloud_optimized_and_holds_the_map_with_its_colours(store, files):
    with rasterio.open(files["cog"]) as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG" and raster.nodata == 255
        np.testing.assert_array_equal(raster.read(1), open_product(store)["land_use"].sel(time=1985))
        assert raster.crs.to_epsg() == 4326 and np.allclose(raster.transform[:6], (0.01, 0, 10, 0, -0.01, 46))
        assert raster.descriptions == ("land use 1985",)
        color = read_legend("land_use").set_index("code")["color"][4]
        assert raster.colormap(1)[4][:3] == tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))
        assert raster.tags()["license"] == "CC-BY-SA-4.0" and raster.tags()["synthetic"] == "0"


def test_overviews_show_the_commonest_class(store, files):
    cells = open_product(store)["land_use"].sel(time=1985).to_numpy()
    with rasterio.open(files["cog"], overview_level=0) as half:
        assert half.shape == (300, 275)
        made = half.read(1)
    quads = cells.reshape(300, 2, 275, 2).transpose(0, 2, 1, 3).reshape(300, 275, 4)
    # The pattern's edges lie on even cells: three cells of each four have one class, the first is a lake.
    assert (quads[..., 1:] == quads[..., 1:2]).all() and (quads[..., 0] == 7).all()
    np.testing.assert_array_equal(made, quads[..., 1])


def test_a_year_that_is_not_there_is_refused(store, tmp_path):
    for write in (write_netcdf, write_cog):
        with pytest.raises(ValueError, match="no year 2000, the product has 1984-1987"):
            write(store, 2000, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_made_once_and_again_when_the_product_is_newer(store, files):
    for write, name in ((write_netcdf, "maps"), (write_cog, "cog")):
        before, stamp = files[name].read_bytes(), files[name].stat().st_mtime_ns
        assert write(store, 1985, files[name].parent) == files[name] and files[name].stat().st_mtime_ns == stamp
        os.utime(files[name], (1, 1))
        write(store, 1985, files[name].parent)
        assert files[name].stat().st_mtime_ns > stamp and files[name].read_bytes() == before


def test_a_disk_without_room_and_a_writer_that_fails_leave_nothing(store, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("broken")

    monkeypatch.setattr(rasterio.shutil, "copy", fail)
    monkeypatch.setattr(netCDF4.Dataset, "createVariable", fail)
    for write in (write_netcdf, write_cog):
        with pytest.raises(RuntimeError, match="broken"):
            write(store, 1985, tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5))
    for write in (write_netcdf, write_cog):
        with pytest.raises(OSError, match="bytes are needed, and the disk of .* has 5 free"):
            write(store, 1985, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_stac_item_is_valid_and_its_files_are_there(store, files, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network in tests")

    path = write_stac(store, list(files.values()))
    item = json.loads(path.read_text())
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert pystac.validation.validate_dict(item, extensions=[])  # schemas of STAC 1.1 come with pystac
    assert item["bbox"] == [10, 40, 15.5, 46] and item["properties"]["proj:code"] == "EPSG:4326"
    assert (
        item["properties"]["start_datetime"][:4] == "1984" and item["properties"]["end_datetime"][:10] == "1987-12-31"
    )
    assert item["properties"]["license"] == "CC-BY-SA-4.0" and len(item["properties"]["sci:publications"]) == 2
    assert len(item["assets"]) == 4 and all((store.parent / a["href"]).exists() for a in item["assets"].values())
    classes = item["assets"]["tif-land_use-1985"]["bands"][0]["classification:classes"]
    assert [c["value"] for c in classes] == [0, 1, 2, 3, 4, 5, 6, 7, 255] and classes[-1]["nodata"]


def test_made_up_inputs_are_not_cited_and_give_no_licence(tmp_path):
    inputs = [{**row, "licence": "none: synthetic", "doi": ""} for row in INPUTS]
    run = RUN.model_copy(update={"synthetic": True})
    path = write_stac(make_product(tmp_path / "land_use.zarr", run, YEARS, (50, 50), inputs=inputs))
    item = json.loads(path.read_text())
    about = item["properties"]
    assert about["license"] == "other" and about["sci:publications"] == [] and about["ai4land:synthetic"] is True
    assert pystac.validation.validate_dict(item, extensions=[]) and "scientific" not in str(item["stac_extensions"])


# ---- the page


def scores_of(run):
    """Scores of the judged rollout: persistence, the allocator and the network at every lead."""
    values = {("persistence", "all"): 0.0, ("kernel_density", "deterministic"): 0.125,
              ("unet+allocation", "all"): 0.25, ("unet+allocation", "draw_1"): 0.75}  # fmt: skip
    keys = {
        "experiment": "judged",
        "target": "land_use",
        "region": "all",
        "fold": "all",
        "weight": "cells",
        "class": "all",
    }
    return pd.DataFrame([
        {**keys, "model": m, "member": k, "lead": lead, "metric": metric, "value": v + int(lead) / 100, "cells": 9}
        for (m, k), v in values.items() for lead in run.lead_groups("judged")
        for metric in ("overall_accuracy", "mean_iou_land", "figure_of_merit")
    ])  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run, and the folder of its whole product."""
    folder = tmp_path_factory.mktemp("results")
    judged = {**STEP, "product": False, "start": 2000, "test": (2001, 2015), "leads": (1, 15)}
    free = {**judged, "allocation": False}  # scored, but not made as the product is
    run = make_run(judged=judged, free=free, to_1850={**BACK, "test": (1984, 1984), "members": 2}, low=SSP126)
    past = Years(list(range(1985, 2021)), {1984: "to_1850"})
    make_product(folder / "land_use.zarr", run, past, (50, 50))
    make_product(folder / "land_use-ssp126.zarr", run, Years([], dict.fromkeys(range(2021, 2101), "low")), (50, 50))
    scores_of(run).to_csv(folder / "scores.csv", index=False)
    return run, folder


@pytest.fixture
def page(whole):
    run, folder = whole
    return write_readme(folder, run, [write_cog(folder / "land_use.zarr", 1984, folder / "exports")]).read_text()


def test_the_page_gives_years_scores_files_and_citations(page):
    assert "# Annual land use 1984-2100: Somewhere" in page and "SYNTHETIC" not in page and "$" not in page
    assert "| `land_use.zarr` | 1985-2020 | 1984 | - | 37 |" in page
    assert "| `land_use-ssp126.zarr` | - | - | 2021-2100 | 80 |" in page
    assert "| judged | 15 | persistence | all | 0.1500 | 0.1500 | 0.1500 |" in page
    assert "| judged | 1 | unet+allocation | all | 0.2600 | 0.2600 | 0.2600 |" in page and "| free |" not in page
    assert "Of 2 cases (experiment and lead) of the U-Net (`unet+allocation`): in overall accuracy it is ahead" in page
    assert "ahead of persistence in 2, in mIoU (6 land) it is ahead of persistence in 2, in figure" in page
    assert "| low | 2020 to 2100 | ssp126 | 1 |" in page
    assert "The product goes 80 years from the map that it starts from. Maps to judge it by go 15 years" in page
    assert "A U-Net (one for each of `trained as` and region) steps from them" in page
    assert "differ in where change falls: it holds neither" in page and "date line" not in page
    assert "| `land_use.zarr` | 1984 | 60.0 | 0.25000 | 0.25000 | 0.25000 |" in page  # as `make_product` fills it
    assert "`exports/land_use-1984.tif` | Cloud Optimized GeoTIFF" in page and "**CC-BY-SA-4.0**" in page
    assert "Hurtt et al. (2020)" in page and "https://doi.org/10.1594/PANGAEA.974335" in page


def test_a_network_that_is_behind_is_said_to_be(whole, monkeypatch):
    run, folder = whole
    scores = scores_of(run)
    control = (scores["model"] == "unet+allocation") & (scores["member"] == "all")  # the draws stay ahead: no matter
    scores.loc[control & (scores["lead"] == "15"), "value"] = 0.2  # persistence has 0.15 here,
    scores.loc[control & (scores["lead"] == "1"), "value"] = 0.005  # and 0.01 here
    monkeypatch.setattr(pd, "read_csv", keep_tables(scores))
    words = "in overall accuracy it is ahead of persistence in 1, in mIoU (6 land) it is ahead of persistence in 1, in"
    assert f"{words} figure of merit it is ahead of kernel density in 0." in write_readme(folder, run).read_text()


def keep_tables(scores):
    """A reader of tables that gives these scores for ``scores.csv``."""
    read = pd.read_csv
    return lambda path, **more: scores if str(path).endswith("scores.csv") else read(path, **more)


def test_every_variable_of_the_stores_is_on_the_page(whole, page):
    for group, named in (("", ("land_use", "confidence", "source", "era")), ("coarse", None)):
        for name in named or xr.open_zarr(whole[1] / "land_use.zarr", group=group).data_vars:
            if name != "crs" and not name.endswith("_bnds"):
                assert f"| `{'coarse/' if group else ''}{name}` |" in page


def test_the_page_of_a_made_up_run_says_so_first(whole):
    run, folder = whole
    text = write_readme(folder, run.model_copy(update={"synthetic": True})).read_text()
    assert text.index("**SYNTHETIC DATA.**") < text.index("## How it was made")


def test_the_page_says_which_networks_there_are_and_what_the_spread_holds(whole):
    run, folder = whole
    shared = write_readme(folder, run.model_copy(update={"weights": "shared"})).read_text()
    assert "A U-Net (one for each of `trained as`, shared by all regions) steps" in shared
    folds = run.experiments["forecast"].model_copy(update={"folds": 3})
    folded = run.model_copy(update={"experiments": {**run.experiments, "forecast": folds}})
    text = write_readme(folder, folded).read_text()
    assert "(one for each of `trained as` and fold and region)" in text
    assert "in `to_1850` take turns with the networks of the folds: it does not hold" in text  # low has one member


def test_means_are_of_coarse_cells_with_land_weighted_by_their_area(whole, tmp_path):
    run, _ = whole
    made = write_page_of(run, tmp_path, (75, 25))
    root = zarr.open_group(made / "land_use.zarr" / "coarse", mode="r+")
    number = YEARS_OF_PAGE.all.index(1984)
    root["land_use_fraction"][number, :, 2] = np.eye(8)[0][:, None]  # the southern coarse cell is ocean,
    root["luh2_difference"][number, :, 2] = 0.9  # and has no say
    root["luh2_difference"][number, :, 0] = -0.5  # the middle one keeps 0.25
    north, south = (np.diff(np.sin(np.radians(edges)))[0] for edges in ((45.75, 46.0), (45.5, 45.75)))
    mean = (0.5 * north + 0.25 * south) / (north + south)
    assert f"| {mean:.5f} |" in write_readme(made, run).read_text() and f"{mean:.5f}" != "0.37500"


YEARS_OF_PAGE = Years(list(range(1985, 2021)), {1984: "to_1850"})


def write_page_of(run, folder, cells):
    """Folder of a run's product of some cells, with its scores and its page."""
    make_product(folder / "land_use.zarr", run, YEARS_OF_PAGE, cells, fill=cells[0] < 1000)
    late = Years([], dict.fromkeys(range(2021, 2101), "low"))
    make_product(folder / "land_use-ssp126.zarr", run, late, (25, 25), fill=False)
    scores_of(run).to_csv(folder / "scores.csv", index=False)
    write_readme(folder, run)
    return folder


def example_of(text):
    return text.split("```python\n")[1].split("```")[0]


def test_the_reader_s_example_runs_and_thins_large_maps(whole, page, tmp_path, monkeypatch):
    monkeypatch.chdir(whole[1])
    shown = []
    monkeypatch.setattr(xr.DataArray, "plot", property(lambda field: lambda: shown.append(field)))
    exec(example_of(page), {})
    text = (write_page_of(whole[0], tmp_path, (2000, 2025)) / "README.md").read_text()
    monkeypatch.chdir(tmp_path)
    exec(example_of(text), {})
    assert [field.shape for field in shown] == [(1, 50, 50), (1, 100, 102)]
    assert all(int(field["time"].dt.year[0]) == 2020 for field in shown)


def test_only_a_product_that_goes_round_the_earth_has_a_limit_at_the_date_line(whole):
    for west, cols, words in ((-180.0, 36000, True), (-180.0, 500, False), (179.0, 100, False)):
        said = report._limits(whole[0], Grid(10.0, west, 0.01, 0.01, 100, cols))["date_line"]
        assert ("across the date line" in said) == words


def test_files_that_a_killed_call_left_behind_are_not_listed(whole):
    run, folder = whole
    left = [folder / "exports" / f"land_use-1984.{end}" for end in ("partial.tif", "partial.blocks.tif", "partial.nc")]
    (folder / "exports").mkdir(exist_ok=True)
    for path in left:
        path.write_bytes(b"half")
    try:
        assert ".partial" not in write_readme(folder, run, left).read_text()
    finally:
        for path in left:
            path.unlink()


def test_without_scores_or_a_store_there_is_no_page(whole, tmp_path):
    run, folder = whole
    with pytest.raises(FileNotFoundError, match="no product at .*run 07-stitch"):
        write_readme(tmp_path, run)
    for name in ("land_use.zarr", "land_use-ssp126.zarr"):
        (tmp_path / name).symlink_to(folder / name)
    with pytest.raises(FileNotFoundError, match="no scores at .*run 05-evaluate"):
        write_readme(tmp_path, run)
    assert not (tmp_path / "README.md").exists()
