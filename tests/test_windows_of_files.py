"""Only the bytes of a window come over the network, and what comes is the publisher's file, cut."""

import numpy as np
import pytest
import rasterio
import xarray as xr
from conftest import write_geotiff

from ai4land.sources import remote, window_netcdf
from ai4land.sources.luh2 import STATES, open_luh2_states
from ai4land.sources.registry import InputFile
from ai4land.sources.remote import NoRangesError
from ai4land.sources.window_geotiff import fetch_geotiff_window
from ai4land.sources.window_netcdf import fetch_netcdf_window

BOUNDS = (10.0, 40.0, 15.0, 45.0)


@pytest.fixture(scope="module")
def luh2(tmp_path_factory):
    """A states file in LUH2's layout on 1 degree cells: 30 years, 1e20 at sea, the fill mis-cased."""
    path = tmp_path_factory.mktemp("luh2") / "states.nc"
    rng = np.random.default_rng(0)
    shape = (30, 180, 360)
    fields = {}
    for name in (*STATES, "secma", "secmb"):
        values = rng.random(shape, np.float32)
        values[:, :, :20] = 1e20
        fields[name] = (("time", "lat", "lon"), values, {"units": "1", "_Fillvalue": 1e20, "missing_value": 1e20})
    time = ("time", np.arange(1000.0, 1030), {"units": "years since 850-01-01 0:0:0", "calendar": "noleap"})
    data = xr.Dataset(fields, {"time": time, "lat": 89.5 - np.arange(180.0), "lon": -179.5 + np.arange(360.0)})
    data["lat_bounds"] = ("lat", "bounds"), np.stack([90 - np.arange(180.0), 89 - np.arange(180.0)], -1)
    packed = {n: {"chunksizes": (1, 180, 360), "zlib": True, "complevel": 1, "_FillValue": None} for n in fields}
    data.to_netcdf(path, encoding=packed, engine="h5netcdf")
    return path


def fetch_luh2(server, target, years=(1860, 1863), waits=(0, 0)):
    fetch_netcdf_window(server.url("/states.nc"), BOUNDS, target, years, progress=False, waits=waits)


def test_a_netcdf_window_is_the_publishers_file_cut_and_costs_a_part_of_its_bytes(server, luh2, tmp_path):
    server.add("/states.nc", luh2.read_bytes())
    fetch_luh2(server, tmp_path / "states.nc")
    whole, cut = (open_luh2_states([InputFile("luh2", p, {})], "2h") for p in (luh2, tmp_path / "states.nc"))
    assert cut["time"].to_numpy().tolist() == [1860, 1861, 1862, 1863]
    # 40 to 45 N and 10 to 15 E are five cells of one degree; four more on each side.
    assert (float(cut["lat"][0]), float(cut["lat"][-1]), float(cut["lon"][0])) == (48.5, 36.5, 6.5)
    xr.testing.assert_identical(cut.load(), whole.sel(time=cut["time"], lat=cut["lat"], lon=cut["lon"]).load())
    raw = xr.open_dataset(tmp_path / "states.nc", decode_cf=False)
    assert raw["primf"].attrs["_Fillvalue"] == 1e20 and "_FillValue" not in raw["primf"].attrs
    assert raw["lat_bounds"].shape == (13, 2)
    asked = [r.range.removeprefix("bytes=").split("-") for r in server.requests("/states.nc")]
    assert sum(int(b) - int(a) + 1 for a, b in asked) < 0.45 * luh2.stat().st_size  # 4 of 30 years, blocks of 1 MiB
    assert [p.name for p in tmp_path.iterdir()] == ["states.nc"]


def test_a_window_that_breaks_off_keeps_its_pieces_and_goes_on(server, luh2, tmp_path, monkeypatch):
    page = server.add("/states.nc", luh2.read_bytes())
    monkeypatch.setattr(window_netcdf, "_STEPS", 1)
    saved = np.save
    count = []

    def die(path, values):
        count.append(path)
        if len(count) == 12:
            page.statuses += [(503, {})] * 50
        saved(path, values)

    monkeypatch.setattr(np, "save", die)
    with pytest.raises(ConnectionError, match="503.*what has arrived is kept, run again") as failure:
        fetch_luh2(server, tmp_path / "states.nc", (1850, 1879))
    assert "\n" not in str(failure.value) and not (tmp_path / "states.nc").exists()
    kept = len(list((tmp_path / "states.nc.pieces").glob("*.npy")))
    assert kept >= 12
    page.statuses.clear()
    count.clear()
    monkeypatch.setattr(np, "save", lambda path, values: (count.append(path), saved(path, values)))
    fetch_luh2(server, tmp_path / "states.nc", (1850, 1879))
    # 14 states of 30 steps, and lat_bounds, time, lat, lon: those kept are not read again.
    assert len(count) == 14 * 30 + 4 - kept
    whole, cut = (open_luh2_states([InputFile("luh2", p, {})], "2h") for p in (luh2, tmp_path / "states.nc"))
    xr.testing.assert_identical(cut.load(), whole.sel(lat=cut["lat"], lon=cut["lon"]).load())


def test_passing_failures_and_short_answers_are_asked_again(server, luh2, tmp_path):
    page = server.add("/states.nc", luh2.read_bytes())
    page.statuses += [(503, {}), (429, {})]
    page.cuts += [1, 1000]  # the probe's byte, then an answer that ends early
    fetch_luh2(server, tmp_path / "states.nc")
    assert (tmp_path / "states.nc").exists()


def test_pieces_of_another_version_are_not_mixed_in(server, luh2, tmp_path):
    page = server.add("/states.nc", luh2.read_bytes())
    folder = tmp_path / "states.nc.pieces"
    folder.mkdir()
    np.save(folder / "primf-0.npy", np.zeros((4, 13, 13), np.float32))
    (folder / "source.json").write_text('{"ETag": "old"}')
    page.etag = '"2"'
    fetch_luh2(server, tmp_path / "states.nc")
    assert float(xr.open_dataset(tmp_path / "states.nc", decode_cf=False)["primf"].max()) > 0


@pytest.mark.parametrize("fetch", [fetch_netcdf_window, fetch_geotiff_window])
def test_a_refusal_is_one_line_and_a_server_without_ranges_is_told_apart(server, tmp_path, fetch):
    server.add("/whole", b"x" * 1000, ranges=False)
    with pytest.raises(NoRangesError, match="whole files only"):
        fetch(server.url("/whole"), BOUNDS, tmp_path / "a", progress=False, waits=(0,))
    with pytest.raises(ConnectionError, match="answered 404") as failure:
        fetch(server.url("/absent"), BOUNDS, tmp_path / "a", progress=False, waits=(0,))
    assert "\n" not in str(failure.value) and len(server.requests("/absent")) == 1
    server.add("/page", b"<html>" + b"x" * 1000)
    with pytest.raises((ValueError, ConnectionError), match="/page"):
        fetch(server.url("/page"), BOUNDS, tmp_path / "a", progress=False, waits=(0,))
    assert not (tmp_path / "a").exists()


def test_a_window_outside_the_file_is_said(server, luh2, tmp_path):
    server.add("/states.nc", luh2.read_bytes())
    with pytest.raises(ValueError, match="window 200.0 to 210.0 lies outside the file's lon"):
        fetch_netcdf_window(
            server.url("/states.nc"), (200.0, 0.0, 210.0, 5.0), tmp_path / "a.nc", progress=False, waits=(0,)
        )


def test_a_geotiff_window_keeps_values_cells_and_tags(server, tmp_path):
    values = np.random.default_rng(0).integers(0, 220, (1800, 3600)).astype(np.uint8)
    path = write_geotiff(tmp_path / "whole.tif", values, west=-180.0, north=90.0, cell=0.1)
    server.add("/map.tif", path.read_bytes())
    target = tmp_path / "cut.tif"
    fetch_geotiff_window(server.url("/map.tif"), BOUNDS, target, progress=False, waits=(0,))
    with rasterio.open(target) as cut:
        assert cut.dtypes == ("uint8",) and cut.nodata is None and cut.crs.to_epsg() == 4326
        assert cut.bounds == pytest.approx((9.6, 39.6, 15.4, 45.4))  # four cells more on each side
        row, col = round((90 - cut.bounds.top) * 10), round((cut.bounds.left + 180) * 10)
        np.testing.assert_array_equal(cut.read(1), values[row : row + cut.height, col : col + cut.width])
    came = sum(int(b) - int(a) + 1 for a, b in (r.range[6:].split("-") for r in server.requests("/map.tif") if r.range))
    assert came < 0.3 * path.stat().st_size


def test_a_geotiff_window_of_a_projection_holds_every_corner_and_side(server, tmp_path):
    igh = "+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs"
    values = np.arange(600 * 600, dtype=np.int16).reshape(600, 600)
    path = write_geotiff(tmp_path / "whole.tif", values, 0.0, 6_000_000.0, 5000.0, igh, -32768)
    server.add("/soil.tif", path.read_bytes())
    fetch_geotiff_window(server.url("/soil.tif"), BOUNDS, tmp_path / "cut.tif", progress=False, waits=(0,))
    from pyproj import Transformer

    to_map = Transformer.from_crs("EPSG:4326", igh, always_xy=True).transform
    lon, lat = np.meshgrid(np.linspace(10, 15, 50), np.linspace(40, 45, 50))
    x, y = to_map(lon, lat)
    with rasterio.open(tmp_path / "cut.tif") as cut:
        assert cut.nodata == -32768 and cut.width < 600
        left, bottom, right, top = cut.bounds
        assert left < x.min() and x.max() < right and bottom < y.min() and y.max() < top


def test_a_geotiff_that_breaks_off_leaves_no_file(server, tmp_path):
    values = np.random.default_rng(0).integers(0, 220, (1800, 3600)).astype(np.uint8)
    path = write_geotiff(tmp_path / "whole.tif", values, west=-180.0, north=90.0, cell=0.1)
    server.add("/map.tif", path.read_bytes()[:1_000_000])  # truncated at the publisher's
    with pytest.raises(ConnectionError, match="run again, or get the file by hand"):
        fetch_geotiff_window(server.url("/map.tif"), BOUNDS, tmp_path / "cut.tif", progress=False, waits=(0,))
    assert [p.name for p in tmp_path.iterdir()] == ["whole.tif"]


def test_a_probe_waits_between_tries_and_gives_up(server, monkeypatch):
    page = server.add("/f", b"x" * 10)
    waited = []
    monkeypatch.setattr(remote.time, "sleep", waited.append)
    page.statuses += [(503, {})] * 9
    with pytest.raises(ConnectionError, match="answered 503"):
        remote.probe(server.url("/f"), (1.0, 4.0))
    assert waited == [1.0, 4.0]
