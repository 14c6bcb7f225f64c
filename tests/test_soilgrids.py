"""Every trap of SoilGrids, on tiny files in its layout and projection; pyproj is the independent judge."""

import numpy as np
import pytest
import xarray as xr
from conftest import write_geotiff
from pyproj import Transformer
from rasterio.crs import CRS

from ai4land.grid import Grid
from ai4land.sources import find_files, open_input
from ai4land.sources.rasters import warp_to_grid
from ai4land.sources.soilgrids import LAYERS, warp_soil

IGH = "+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs"
TO_MAP = Transformer.from_crs("EPSG:4326", IGH, always_xy=True)
FROM_MAP = Transformer.from_crs(IGH, "EPSG:4326", always_xy=True)
NO_DATA = -32768


def write_soil(
    folder, fields, depth="0-5cm", suffix="_1000", west=0.0, north=5e6, cell=1000.0, crs=IGH, nodata=NO_DATA
):
    for layer, values in fields.items():
        path = folder / f"{layer}_{depth}_mean{suffix}.tif"
        write_geotiff(path, np.asarray(values, np.int16), west, north, cell, crs=crs, nodata=nodata)


def texture(sand, silt, clay):
    return dict(zip(LAYERS, (sand, silt, clay), strict=True))


def open_soil(folder):
    return open_input(find_files("soilgrids", folder))


def test_units_are_a_fraction_and_no_data_is_missing(tmp_path):
    write_soil(tmp_path, texture([[400, NO_DATA], [0, 900]], [[350, NO_DATA], [500, 60]], [[250, NO_DATA], [500, 40]]))
    soil = open_soil(tmp_path)
    assert soil["sand_fraction"].dims == ("y", "x") and soil["sand_fraction"].attrs["units"] == "1"
    assert all(field.dtype == np.float32 and field.chunks is not None for field in soil.data_vars.values())
    # 400 g of sand in 1 kg is 40 per cent; no sand at all is a value.
    np.testing.assert_allclose(soil["sand_fraction"], [[0.4, np.nan], [0, 0.9]])
    np.testing.assert_allclose(sum(soil.data_vars.values()), [[1, np.nan], [1, 1]], rtol=1e-6)


@pytest.mark.parametrize("nodata", [None, NO_DATA, 0])
@pytest.mark.parametrize("empty", [0, NO_DATA])
def test_no_data_without_its_tag_is_missing(tmp_path, nodata, empty):
    write_soil(tmp_path, texture(*([[empty, v], [v, v]] for v in (600, 300, 100))), nodata=nodata)
    for name, value in (("sand", 0.6), ("silt", 0.3), ("clay", 0.1)):
        np.testing.assert_allclose(open_soil(tmp_path)[f"{name}_fraction"], [[np.nan, value], [value, value]])


def test_depths_weigh_by_their_thickness(tmp_path):
    for depth, sand in (("0-5cm", 200), ("5-15cm", 500), ("15-30cm", 800), ("100-200cm", 100)):
        write_soil(tmp_path, texture(*(np.full((2, 2), v) for v in (sand, 900 - sand, 100))), depth)
    soil = open_soil(tmp_path)
    # (200 x 5 + 500 x 10 + 800 x 15 + 100 x 100) / 130 = 28000 / 130 g kg-1.
    np.testing.assert_allclose(soil["sand_fraction"], 28 / 130, rtol=1e-6)
    np.testing.assert_allclose(soil["clay_fraction"], 0.1, rtol=1e-6)
    assert soil.attrs["depths"] == "0-5cm 5-15cm 15-30cm 100-200cm"


def test_a_missing_layer_or_depth_is_refused(tmp_path):
    fields = texture(*(np.full((2, 2), v) for v in (500, 300, 200)))
    write_soil(tmp_path, {n: fields[n] for n in ("sand", "clay")})
    with pytest.raises(ValueError, match=r"'silt': \[\].*give sand, silt and clay for the same depths"):
        open_soil(tmp_path)
    write_soil(tmp_path, fields)
    write_soil(tmp_path, {"sand": fields["sand"]}, "5-15cm")
    with pytest.raises(ValueError, match="same depths"):
        open_soil(tmp_path)


def test_layers_of_another_extent_are_never_stacked(tmp_path):
    fields = texture(*(np.full((2, 2), v) for v in (500, 300, 200)))
    write_soil(tmp_path, fields)
    write_soil(tmp_path, {"clay": fields["clay"]}, west=750.0)
    with pytest.raises(ValueError, match="cells are .*take all layers from one release"):
        open_soil(tmp_path)


def test_two_resolutions_of_one_layer_are_refused(tmp_path):
    write_soil(tmp_path, texture(*(np.full((2, 2), v) for v in (500, 300, 200))))
    write_soil(tmp_path, {"sand": np.full((2, 2), 500)}, suffix="_5000", cell=5000.0)
    with pytest.raises(ValueError, match="several files for the same content"):
        open_soil(tmp_path)


def test_a_file_without_a_coordinate_system_is_refused(tmp_path):
    write_soil(tmp_path, texture(*(np.full((2, 2), v) for v in (500, 300, 200))), crs=None)
    with pytest.raises(ValueError, match="no coordinate system"):
        open_soil(tmp_path)


def lobes(bounds, cell, values, margin=2e5):
    """A field on the projection around ``bounds``: ``values(lon, lat)`` inside the lobes, NaN in the gaps between."""
    lon, lat = np.meshgrid(np.linspace(bounds[0], bounds[2], 201), np.linspace(bounds[1], bounds[3], 50))
    x, y = TO_MAP.transform(lon, lat)
    west, north = (x.min() - margin) // cell * cell, (y.max() + margin) // cell * cell
    xs = np.arange(west, x.max() + margin, cell) + cell / 2
    ys = np.arange(north, y.min() - margin, -cell) - cell / 2
    lon, lat = FROM_MAP.transform(*np.meshgrid(xs, ys), errcheck=False)
    back = np.stack(TO_MAP.transform(lon, lat)) - np.stack(np.meshgrid(xs, ys))
    inside = np.isfinite(lon) & (np.abs(back) < 1).all(0)
    field = np.where(inside, values(lon, lat), np.nan).astype(np.float32)
    fields = xr.Dataset({"v": (("y", "x"), field, {"units": "1"})}, {"y": ys, "x": xs})
    return fields.assign_attrs(crs=CRS.from_string(IGH).to_wkt()), (west, north)


# The lobes part at 40 W in the north, and at 100 W, 20 W and 80 E in the south.
PLACES = {
    "greenland_40w": (-42, 62, -38, 66), "pacific_100w": (-102, -32, -98, -28), "namibia_20w": (-22, -32, -18, -28),
    "indian_ocean_80e": (78, -50, 82, -46), "catalonia": (0, 40.5, 4, 44.5), "equator": (20, -2, 24, 2),
    "chukotka": (176, 65, 180, 69),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("quantity", ["lon", "lat"])
def test_means_agree_with_the_position_also_at_an_interruption(place, quantity):
    # The mean of longitude (latitude) over a cell is its centre, up to half a source cell of 2 km. GDAL's
    # own averaging is wrong by 0.1 to 0.2 degrees of longitude in the cells next to 40 W.
    bounds = PLACES[place]
    field, _ = lobes(bounds, 2000.0, lambda lon, lat: lon if quantity == "lon" else lat)
    grid = Grid(bounds[3], bounds[0], 0.25, 0.25, 16, 16)
    warped = warp_to_grid(field, grid)["v"]
    expected = grid.lon[None, :] + 0 * grid.lat[:, None] if quantity == "lon" else grid.lat[:, None] + 0 * grid.lon
    assert warped.dims == ("lat", "lon") and warped.dtype == np.float32 and warped.attrs == {"units": "1"}
    half = 1000 / 111195 / (np.cos(np.radians(grid.lat))[:, None] if quantity == "lon" else 1)
    assert bool((abs(warped - expected) < half).all())


@pytest.mark.parametrize("place", ["greenland_40w", "catalonia"])
def test_cells_of_about_the_same_size_take_the_value_at_their_centre(place):
    bounds = PLACES[place]
    field, (west, north) = lobes(bounds, 5000.0, lambda lon, lat: np.zeros_like(lon))
    field["v"][:] = np.random.default_rng(0).random(field["v"].shape)
    grid = Grid(bounds[3], bounds[0], 0.05, 0.05, 80, 80)
    x, y = TO_MAP.transform(*np.meshgrid(grid.lon, grid.lat))
    rows, cols = np.floor((north - y) / 5000).astype(int), np.floor((x - west) / 5000).astype(int)
    np.testing.assert_array_equal(warp_to_grid(field, grid)["v"], field["v"].to_numpy()[rows, cols])


def test_the_mean_is_over_the_part_with_data():
    field, _ = lobes((0, 40.5, 4, 44.5), 2000.0, lambda lon, lat: np.where(lon < 2.0625, 0.5, np.nan))
    warped = warp_to_grid(field, Grid(43, 1.0, 0.25, 0.25, 4, 8))["v"].to_numpy()
    # The coast at 2.0625 E runs through the fifth cell from 1 E; what lies east of it has no data.
    np.testing.assert_allclose(warped[:, :5], 0.5)
    assert np.isnan(warped[:, 5:]).all()


def test_blocks_leave_no_seam(monkeypatch):
    field, _ = lobes(PLACES["greenland_40w"], 5000.0, lambda lon, lat: lat)
    grid = Grid(66, -42, 0.25, 0.25, 13, 16)
    whole = warp_to_grid(field, grid)["v"].to_numpy()
    monkeypatch.setattr("ai4land.sources.rasters._BLOCK", 5 * 6)
    np.testing.assert_array_equal(warp_to_grid(field.chunk(x=100, y=100), grid)["v"], whole)


@pytest.mark.parametrize("crs", [IGH, "ESRI:54052"])
def test_files_in_either_name_of_the_projection_land_on_the_map(tmp_path, crs):
    bounds = (2, 41, 3, 42)
    field, (west, north) = lobes(bounds, 1000.0, lambda lon, lat: np.round(lat * 10))
    sand = field["v"].fillna(NO_DATA).to_numpy()
    write_soil(tmp_path, texture(sand, np.where(sand > 0, 300, sand), np.where(sand > 0, 200, sand)),
               west=west, north=north, crs=crs)  # fmt: skip
    soil = warp_soil(open_soil(tmp_path), Grid(42, 2, 0.01, 0.01, 100, 100))
    # Sand is 10 g kg-1 a degree of latitude, rounded: 420 at 42 N; one cell of 1 km is 0.009 degrees.
    np.testing.assert_allclose(soil["sand_fraction"][:, 50], soil["lat"] / 100, atol=0.0007)
    np.testing.assert_allclose(soil["clay_fraction"], 0.2, rtol=1e-6)
    assert soil.attrs["depths"] == "0-5cm"


def test_a_grid_outside_the_data_is_refused():
    field, _ = lobes(PLACES["catalonia"], 5000.0, lambda lon, lat: lat)
    with pytest.raises(ValueError, match=r"the grid \(100.0, 9.0, 101.0, 10.0\).*outside the data"):
        warp_to_grid(field, Grid(10, 100, 0.25, 0.25, 4, 4))


def test_parts_of_a_grid_outside_the_data_are_missing():
    field, _ = lobes(PLACES["catalonia"], 5000.0, lambda lon, lat: lat, margin=0)
    warped = warp_to_grid(field, Grid(44, 3, 0.25, 0.25, 4, 40))["v"].to_numpy()
    assert np.isfinite(warped[:, 0]).all() and np.isnan(warped[:, -1]).all()
