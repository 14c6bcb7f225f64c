"""What a run lacks is brought: its window where the server gives parts of files, else the whole file, and only once."""

import socket

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import write_geotiff
from tiny_run import tiny_land_use

from ai4land.sources import registry, supply
from ai4land.sources.download import ResumingDownloader
from ai4land.sources.inputs import missing_inputs, needs
from ai4land.sources.registry import find_files, series_of, window_folder
from ai4land.sources.report import data_report, summarise
from ai4land.sources.supply import fetch_missing

ROW = {"reader": "", "version": "1", "mirrors": "", "doi": "", "hash": "", "bytes": "", "licence": "CC-BY-4.0",
       "access": "open", "citation": "", "title": "A title", "series": "", "landing": "https://example.org/page",
       "gigabytes": ""}  # fmt: skip
COVER = r"ESACCI-LC-(?P<year>\d{4})\.tif"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(supply, "WAITS", (0.0,))


@pytest.fixture
def rows(monkeypatch):
    table = {}
    monkeypatch.setattr(registry, "read_registry", lambda: pd.DataFrame.from_dict(table, orient="index").fillna(""))
    return table


@pytest.fixture
def run():
    """A run of the years 1985 to 2004 in a window of 2 x 1 degrees, with three inputs."""
    inputs = {"elevation": "relief", "land_cover": "cover", "scenarios": {}}
    run = tiny_land_use()
    return run.model_copy(update={"synthetic": False, "inputs": run.inputs.model_construct(**inputs)})


@pytest.fixture
def world(server, rows, tmp_path):
    """A relief and two maps of land cover, whole planet, as their publishers have them."""
    (tmp_path / "server").mkdir()
    height = np.arange(180 * 360, dtype=np.int32).reshape(180, 360)
    relief = xr.Dataset(
        {"elevation": (("lat", "lon"), height)}, {"lat": np.arange(-89.5, 90), "lon": np.arange(-179.5, 180)}
    )
    relief.to_netcdf(tmp_path / "server" / "relief.nc", engine="h5netcdf")
    server.add("/relief.nc", (tmp_path / "server" / "relief.nc").read_bytes())
    for year in (2003, 2004):
        codes = np.full((180, 360), year - 2000, np.uint8)
        path = write_geotiff(tmp_path / "server" / f"{year}.tif", codes, west=-180.0, north=90.0, cell=1.0)
        server.add(f"/ESACCI-LC-{year}.tif", path.read_bytes())
    rows["relief"] = ROW | {"pattern": r"relief\.nc", "url": server.url("/relief.nc"), "method": "netcdf"}
    cover = {"pattern": COVER, "url": server.url("/ESACCI-LC-{year}.tif"), "series": "year=2003-2006", "method": "cog"}
    rows["cover"] = ROW | cover
    return rows


def fetch(run, tmp_path):
    getter = ResumingDownloader(False, (0, 0), timeout=5)
    return fetch_missing(run, tmp_path / "raw", tmp_path / "hashes.lock", False, getter)


def test_series_and_years_of_a_row_are_expanded_and_met_with_the_runs(world, run):
    assert [v["year"] for v in series_of(pd.Series(world["cover"]))] == ["2003", "2004", "2005", "2006"]
    pairs = series_of(pd.Series({"series": "layer=sand|clay;depth=0-5cm|5-15cm"}))
    assert pairs[1] == {"layer": "sand", "depth": "5-15cm"} and len(pairs) == 4
    assert series_of(pd.Series({"series": ""})) == [{}]
    assert {n.dataset: n.years for n in needs(run)} == {"relief": None, "cover": (2003, 2004)}


def test_a_window_is_fetched_once_and_a_second_run_touches_no_network(world, server, run, tmp_path, monkeypatch):
    new = fetch(run, tmp_path)
    folder = window_folder(run.window)
    assert folder == "window_29_35_31_36"
    assert [p.relative_to(tmp_path / "raw").as_posix() for p in new] == [
        f"relief/{folder}/relief.nc", f"cover/{folder}/ESACCI-LC-2003.tif", f"cover/{folder}/ESACCI-LC-2004.tif",
    ]  # fmt: skip
    # 35 to 36 N and 29 to 31 E, and four cells on each side: 9 x 10 values of the publisher's.
    with xr.open_dataset(new[0]) as cut:
        assert cut["elevation"].shape == (9, 10) and float(cut["lat"][0]) == 31.5
        assert int(cut["elevation"].sel(lat=35.5, lon=29.5)) == 125 * 360 + 209
    count = len(server.log)

    def forbidden(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "create_connection", forbidden)
    assert fetch(run, tmp_path) == [] and len(server.log) == count


def test_a_window_serves_every_run_inside_it_and_no_other(world, server, run, tmp_path):
    fetch(run, tmp_path)
    inside, beside = (
        run.model_copy(update={"window": w}) for w in ((29.5, 35.0, 30.0, 36.0), (30.0, 35.0, 32.0, 36.0))
    )
    assert missing_inputs(inside, tmp_path / "raw") == {}
    assert {n.dataset for n in missing_inputs(beside, tmp_path / "raw")} == {"relief", "cover"}
    whole = run.model_copy(update={"window": None})
    assert {n.dataset for n in missing_inputs(whole, tmp_path / "raw")} == {"relief", "cover"}
    count = len(server.log)
    assert fetch(inside, tmp_path) == [] and len(server.log) == count
    fetch(beside, tmp_path)
    assert len(find_files("relief", tmp_path / "raw", None, beside.window)) == 1


def test_a_whole_file_is_preferred_to_a_window_of_it(world, run, tmp_path):
    fetch(run, tmp_path)
    whole = tmp_path / "raw" / "relief.nc"
    whole.write_bytes((tmp_path / "server" / "relief.nc").read_bytes())
    assert [f.path for f in find_files("relief", tmp_path / "raw", None, run.window)] == [whole]


def test_a_server_without_ranges_gives_the_whole_file(world, server, run, tmp_path):
    server.pages["/relief.nc"].ranges = False
    new = fetch(run, tmp_path)
    assert new[0] == tmp_path / "raw" / "relief" / "relief.nc"
    assert new[0].read_bytes() == server.pages["/relief.nc"].body


def test_a_run_without_a_window_gets_whole_files_of_its_years(world, server, run, tmp_path):
    new = fetch(run.model_copy(update={"window": None}), tmp_path)
    assert [p.name for p in new] == ["relief.nc", "ESACCI-LC-2003.tif", "ESACCI-LC-2004.tif"]
    assert new[1].read_bytes() == server.pages["/ESACCI-LC-2003.tif"].body


def test_a_year_that_the_publisher_lost_is_one_line_and_the_others_stay(world, server, run, tmp_path):
    del server.pages["/ESACCI-LC-2004.tif"]
    with pytest.raises(ConnectionError, match="cover: not fetched.*ESACCI-LC-2004.*answered 404") as failure:
        fetch(run, tmp_path)
    assert "\n" not in str(failure.value)
    names = [p.name for p in (tmp_path / "raw").rglob("*") if p.is_file()]
    assert sorted(names) == ["ESACCI-LC-2003.tif", "relief.nc"]


def test_a_window_comes_from_the_mirror_where_the_source_refuses(world, server, run, tmp_path):
    world["relief"]["mirrors"] = world["relief"]["url"]
    world["relief"]["url"] = server.url("/gone/relief.nc")
    assert fetch(run, tmp_path)[0].name == "relief.nc"


def test_requests_to_the_cds_are_made_by_year_with_the_runs_window(world, run, tmp_path, monkeypatch):
    asked = []

    def answer(dataset, year, window, target, progress):
        asked.append((dataset, year, window))
        target.write_bytes(b"PK")

    monkeypatch.setattr(supply, "fetch_cds", answer)
    monkeypatch.setattr(supply, "check_credentials", lambda dataset: None)
    world["cover"] |= {"method": "cds", "access": "account", "pattern": r"cover_(?P<year>\d{4})\.nc"}
    new = fetch(run, tmp_path)
    assert asked == [("cover", 2003, run.window), ("cover", 2004, run.window)]
    assert [p.name for p in new] == ["relief.nc", "cover_2003.nc", "cover_2004.nc"]


def test_missing_credentials_are_said_before_anything_is_downloaded(world, server, run, tmp_path, monkeypatch):
    monkeypatch.delenv("CDSAPI_KEY", raising=False)
    monkeypatch.delenv("CDSAPI_URL", raising=False)
    monkeypatch.setenv("CDSAPI_RC", str(tmp_path / "none"))
    world["cover"] |= {"method": "cds", "access": "account"}
    with pytest.raises(PermissionError, match="cover.*cdsapirc"):
        fetch(run, tmp_path)
    assert server.log == []


def test_the_report_says_what_how_much_from_where_and_under_which_licence_before_anything_is_asked(
    world, server, run, tmp_path
):
    world["relief"] |= {"gigabytes": "7.5", "licence": "CC-BY-SA-4.0"}
    world["cover"] |= {"access": "account", "gigabytes": ""}
    report = data_report(run, tmp_path / "raw").set_index("dataset")
    # NetCDF comes by rows: 1 of 180 degrees of 7.5 GB
    assert report.loc["relief", "gigabytes"] == pytest.approx(7.5 / 180)
    assert report.loc["relief", ["state", "how", "host"]].tolist() == ["to fetch", "window", "127.0.0.1"]
    assert report.loc["cover", ["state", "files", "account"]].tolist() == [
        "to get by hand", 2, "https://example.org/page",
    ]  # fmt: skip
    text = summarise(report.reset_index())
    assert "To fetch: about 0.0 GB" in text and "Binds what is made of it: CC-BY-SA-4.0" in text
    assert "cover: https://example.org/page" in text and server.log == []


def test_the_report_counts_the_years_that_lack_an_archive_once_and_says_what_is_not_needed(
    world, server, run, tmp_path
):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "ESACCI-LC-2003.tif").write_bytes(b"map")
    world["relief"] |= {"method": "file", "gigabytes": "7.5", "url": server.url("/maps.zip")}
    world["zones"] = world["relief"] | {"pattern": r"zones\.nc"}
    world["later"] = world["cover"] | {"pattern": r"LATER-(?P<year>\d{4})\.tif", "series": "year=2016-2022"}
    world["later"]["url"] = server.url("/LATER-{year}.tif")
    named = {"elevation": "relief", "koppen": "zones", "land_cover": "cover", "land_cover_later": "later"}
    run = run.model_copy(update={"inputs": run.inputs.model_construct(**named, scenarios={})})
    report = data_report(run, tmp_path / "raw").set_index("dataset")
    assert report.loc["cover", ["state", "files"]].tolist() == ["to fetch", 1]
    assert report.loc["relief", "gigabytes"] == 7.5
    assert report.loc["zones", ["how", "gigabytes"]].tolist() == ["with relief", 0.0]
    assert report.loc["later", ["state", "files", "gigabytes"]].tolist() == ["not needed", 0, 0.0]
