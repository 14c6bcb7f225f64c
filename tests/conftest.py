"""Tiny data in the publishers' layouts, with their codes, dtypes, coordinate systems and fill values."""

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pipeline import ROOT as ROOT
from pipeline import clone, finish, make
from publisher import Publisher
from rasterio.transform import from_origin

from ai4land.grid import Grid
from ai4land.regrid import class_fractions
from ai4land.samples import Region


@pytest.fixture(scope="session")
def real() -> Path:
    """Folder of real maps: the environment variable RAW."""
    folder = Path(os.environ.get("RAW") or "absent")
    if not (folder / "hilda_plus_v1f").is_dir():
        pytest.skip("no real maps: set RAW to a folder that has them (data/README.md says which)")
    return folder


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Path:
    """Folder in which make ran all of `tiny`, once for the tests of the group "pipeline"."""
    folder = clone(tmp_path_factory.mktemp("whole"))
    finish(make(folder, "all", "RUN=tiny"))
    return folder


@pytest.fixture
def direct(monkeypatch):
    """No proxy before local servers, and the certificates that requests trusts by itself."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(direct):
    """A local server that stands for the publishers'."""
    with Publisher() as publisher:
        yield publisher


def write_geotiff(path: Path, values: np.ndarray, west=10.0, north=46.0, cell=0.01, crs="EPSG:4326", nodata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff", "dtype": values.dtype.name, "count": 1, "height": values.shape[0], "width": values.shape[1],
        "crs": crs, "transform": from_origin(west, north, cell, cell), "nodata": nodata,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(values, 1)
    return path


def make_cube(maps: dict[int, np.ndarray], region: str = "here") -> Region:
    """Region cube from land-use maps by year; coarse fractions aggregated from them, one static layer."""
    import xarray as xr

    years = sorted(maps)
    shape = maps[years[0]].shape
    grid = Grid(46.0, 10.0, 0.01, 0.01, *shape)
    parts = [
        class_fractions(xr.DataArray(maps[y], grid.coords(), ("lat", "lon")), grid.blocks(25), np.arange(8))
        for y in years
    ]
    elevation = np.linspace(0, 1000, shape[0] * shape[1], dtype=np.float32).reshape(shape)
    fraction, area = (dict(zip(years, (p[n].to_numpy() for p in parts), strict=True)) for n in ("fraction", "area"))
    return Region(region, grid).with_fields(
        land_use=maps, land_use_fraction=fraction, data_area=area, elevation=elevation
    )


def changing_maps() -> dict[int, np.ndarray]:
    """Maps of 100 x 100 cells over 30 years: forest gives way to cropland from the west, with an ocean strip."""
    rng = np.random.default_rng(0)
    texture = rng.random((100, 100)) * 20
    front = np.arange(100)[None, :] + texture
    maps = {}
    for year in range(1980, 2010):
        cover = np.where(front < (year - 1975) * 2.5, 2, 4).astype(np.uint8)
        cover[40:44, 40:44] = 1
        cover[:5] = 0
        maps[year] = cover
    return maps


@pytest.fixture(scope="session")
def changing_cube() -> Region:
    """Cube of `changing_maps`."""
    return make_cube(changing_maps())
