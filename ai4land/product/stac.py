"""A catalogue entry of one store: SpatioTemporal Asset Catalog (STAC) 1.1, one item, plain JSON."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zarr

from ai4land.grid import Grid, grid_of
from ai4land.legend import NO_DATA, read_legend
from ai4land.product.exports import cell_transform
from ai4land.product.licence import citations
from ai4land.product.store import open_product
from ai4land.store import MADE_UP_LICENCE

_SCHEMAS = "https://stac-extensions.github.io/{}/schema.json"
_EXTENSIONS, _CITED = ("projection/v2.0.0", "classification/v2.0.0", "raster/v2.0.0"), ("scientific/v1.0.0",)
_MEDIA = {
    ".zarr": "application/vnd.zarr; version=3",
    ".nc": "application/netcdf",
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
}
_SURE = {"name": "confidence", "data_type": "uint8", "nodata": NO_DATA, "unit": "%"}
_LEAF: dict[str, Any] = {"data_type": "int16", "unit": "m2 m-2"}
_BANDS: dict[str, list[dict[str, Any]]] = {  # variables on the fine cells, by kind of store
    "land_use": [{"name": "land_use", "data_type": "uint8", "nodata": NO_DATA}, _SURE],
    "land_cover": [{"name": "land_cover", "data_type": "uint8", "nodata": 0}, _SURE],
    "leaf_area_index": [{"name": name, **_LEAF} for name in ("leaf_area_index", "leaf_area_index_standard_error")],
}


def write_stac(product: Path, exports: Sequence[Path] = ()) -> Path:
    """Describe one store and its exports in ``<store>.stac.json`` beside it.

    Parameters
    ----------
    product : pathlib.Path
        A whole store.
    exports : sequence of pathlib.Path
        Files of `write_netcdf` and `write_cog`; their addresses are relative to the item.

    Returns
    -------
    pathlib.Path

    References
    ----------
    https://github.com/radiantearth/stac-spec, version 1.1.0
    """
    data = open_product(product)
    west, south, east, north = (round(float(edge), 10) for edge in grid_of(data).bounds)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    properties = _properties(data.attrs, [int(y) for y in data["time"]], grid_of(data))
    cited = _CITED if properties["sci:publications"] else ()
    item = {
        "type": "Feature", "stac_version": "1.1.0",
        "stac_extensions": [_SCHEMAS.format(e) for e in (*_EXTENSIONS, *cited)],
        "id": f"{data.attrs['run']}-{product.stem}", "bbox": [west, south, east, north],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": properties, "links": [],
        "assets": {_key(file): _asset(file, product) for file in [product, *exports]},
    }  # fmt: skip
    target = product.with_suffix(".stac.json")
    target.write_text(json.dumps(item, indent=1) + "\n")
    return target


def _properties(about: dict[str, Any], years: list[int], grid: Grid) -> dict[str, Any]:
    inputs = citations(json.loads(about["inputs"]))
    real = inputs[inputs["licence"] != MADE_UP_LICENCE].drop_duplicates(["doi", "citation"])
    known = re.fullmatch(r"[\w\-.+]+", about["license"])
    return {
        "title": about["title"], "description": f"{about['title']}. Source: {about['source']}",
        "datetime": None, "start_datetime": f"{years[0]:04d}-01-01T00:00:00Z",
        "end_datetime": f"{years[-1]:04d}-12-31T23:59:59Z", "license": about["license"] if known else "other",
        "providers": [{"name": about["institution"], "roles": ["producer", "processor"]}],
        "proj:code": "EPSG:4326", "proj:shape": list(grid.shape), "proj:transform": list(cell_transform(grid)),
        "sci:publications": [
            {"citation": row.citation} | ({"doi": row.doi} if row.doi else {}) for row in real.itertuples()
        ],
        "ai4land:software": about["software"], "ai4land:synthetic": bool(about["synthetic"]),
        "ai4land:scenario": about["scenario"],
    }  # fmt: skip


def _key(file: Path) -> str:
    return "zarr" if file.suffix == ".zarr" else f"{file.suffix[1:]}-{file.stem}"


def _asset(file: Path, product: Path) -> dict[str, Any]:
    asset: dict[str, Any] = {
        "href": "./" + Path(os.path.relpath(file, product.parent)).as_posix(), "type": _MEDIA[file.suffix],
        "title": file.name, "roles": ["data"],
    }  # fmt: skip
    if file.stem.startswith(f"{product.stem}-coarse"):
        return asset
    kind = product.stem.partition("-")[0]
    bands = _BANDS[kind][: 1 if file.suffix == ".tif" else None]
    if kind == "leaf_area_index":
        stored = zarr.open_group(product, mode="r")[kind].attrs
        return asset | {
            "bands": [b | {"nodata": stored["_FillValue"], "raster:scale": stored["scale_factor"]} for b in bands]
        }
    missing = bands[0]["nodata"]
    classes = [
        {"value": int(row.code), "name": row.meaning, "title": row.label, "color_hint": row.color[1:].upper()}
        | ({"nodata": True} if row.code == missing else {})
        for row in read_legend(kind).rename(columns={"name": "meaning"}).itertuples()
    ]
    return asset | {"bands": [bands[0] | {"classification:classes": classes}, *bands[1:]]}
