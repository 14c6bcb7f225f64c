"""A bundle with a graph of a few operations in the names and shapes of the real ones, and a made-up world for it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import xarray as xr

from ai4land.grid import GLOBAL, Grid

STATES = [
    "primf", "primn", "secdf", "secdn", "pastr", "range", "urban", "c3ann", "c4ann", "c3per", "c4per", "c3nfx",
    "secma", "secmb",
]  # fmt: skip
REACH = 7  # cells: a box of 5 x 5 on pairs of cells, of which one may lie beyond; and none for coarse fields, by steps
_SHAPES = {
    "prior": ("uint8", [1, "y", "x"]), "earlier": ("uint8", [1, 1, "y", "x"]), "valid": ("bool", [1, "y", "x"]),
    "states_before": ("float32", [1, 14, "Y", "X"]), "states": ("float32", [1, 14, "Y", "X"]),
    "static": ("float32", [1, 1, "y", "x"]), "koppen": ("uint8", [1, "y", "x"]), "start": ("int64", [1, 2]),
    "years": ("float32", [1]), "wanted": ("float32", [1, 4, "Y", "X"]),
}  # fmt: skip
# Every input but the wanted areas has a say: what the two maps hold around, relief, climate zone, LUH2's urban land.
_GRAPH = """
<ir_version: 8, opset_import: ["" : 18]>
small (uint8[1,y,x] prior, uint8[1,1,y,x] earlier, bool[1,y,x] valid, float[1,14,Y,X] states_before,
       float[1,14,Y,X] states, float[1,1,y,x] static, uint8[1,y,x] koppen, int64[1,2] start, float[1] years,
       float[1,4,Y,X] wanted) => (float[1,8,y,x] probability)
<int32[1,8,1,1] codes = {0, 1, 2, 3, 4, 5, 6, 7}, int64[1] one = {1}, int64 first = {0}, int64 unit = {1},
 int64[1] side = {25}, int64[1] urban = {6}, int64[1] at_row = {0}, int64[1] at_col = {1}, int64 rows_at = {1},
 int64 cols_at = {2}, float[4] twice = {1, 1, 2, 2}, float three = {3}, float nothing = {0},
 float[8,3,1,1] weights = {0, 0, 0, -0.001, 0.1, 5, 0.002, -0.2, -5, 0.001, 0.1, 0, -0.002, 0.2, 0, 0.003, -0.1, 0,
 -0.001, 0, 0, 0, 0, 0}>
{
  prior4 = Unsqueeze(prior, one)
  prior_code = Cast<to: int = 6>(prior4)
  earlier_code = Cast<to: int = 6>(earlier)
  seen = Equal(prior_code, codes)
  seen_before = Equal(earlier_code, codes)
  own = Cast<to: int = 1>(seen)
  own_before = Cast<to: int = 1>(seen_before)
  both = Add(own, own_before)
  pairs = AveragePool<kernel_shape: ints = [2, 2], strides: ints = [2, 2]>(both)
  box = AveragePool<kernel_shape: ints = [5, 5], pads: ints = [2, 2, 2, 2], count_include_pad: int = 1>(pairs)
  around = Resize<mode: string = "nearest", nearest_mode: string = "floor",
                  coordinate_transformation_mode: string = "asymmetric">(box, , twice)
  size = Shape(prior)
  height = Gather(size, rows_at)
  width = Gather(size, cols_at)
  row_steps = Range(first, height, unit)
  col_steps = Range(first, width, unit)
  row_start = Gather<axis: int = 1>(start, at_row)
  col_start = Gather<axis: int = 1>(start, at_col)
  row_first = Squeeze(row_start)
  col_first = Squeeze(col_start)
  row_place = Add(row_steps, row_first)
  col_place = Add(col_steps, col_first)
  row_block = Div(row_place, side)
  col_block = Div(col_place, side)
  change = Sub(states, states_before)
  forced = Add(states, change)
  towns = Gather<axis: int = 1>(forced, urban)
  town_rows = Gather<axis: int = 2>(towns, row_block)
  towns_here = Gather<axis: int = 3>(town_rows, col_block)
  zone4 = Unsqueeze(koppen, one)
  zone = Cast<to: int = 1>(zone4)
  fields = Concat<axis: int = 1>(static, zone, towns_here)
  absent = IsNaN(fields)
  filled = Where(absent, nothing, fields)
  pull = Conv(filled, weights)
  stay = Mul(own, three)
  logits = Sum(pull, stay, around)
  shares = Softmax<axis: int = 1>(logits)
  valid4 = Unsqueeze(valid, one)
  data = Cast<to: int = 1>(valid4)
  probability = Mul(shares, data)
}
"""


def seal(folder: Path) -> Path:
    """Write the checksums of a bundle."""
    files = sorted(p for p in folder.iterdir() if p.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in files]
    (folder / "SHA256SUMS").write_text("".join(lines))
    return folder


def small_bundle(folder: Path, **more) -> Path:
    """A bundle that goes both ways."""
    folder.mkdir()
    onnx.save(onnx.parser.parse_model(_GRAPH), folder / "land_use-both.onnx")
    inputs = [{"name": name, "dtype": dtype, "shape": shape} for name, (dtype, shape) in _SHAPES.items()]
    named = {"states_before": STATES, "states": STATES, "static": ["elevation"]}
    graph = {
        "file": "land_use-both.onnx", "target": "land_use", "direction": "both", "multiple": 2, "reach": REACH,
        "inputs": [{**one, **({"names": named[one["name"]]} if one["name"] in named else {})} for one in inputs],
        "outputs": [{"name": "probability", "dtype": "float32", "shape": [1, 8, "y", "x"]}], "priors": 2,
        "coarse_cells": 25, "coarse": "luh2",
    }  # fmt: skip
    about = {
        "format_version": 1, "title": "made up", "synthetic": True, "grid": "global", "cell_degrees": 0.01,
        "graphs": {"land_use-both": graph}, **more,
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(about))
    return seal(folder)


def world(top=3, left=7, rows=88, cols=113) -> tuple[xr.DataArray, xr.Dataset, xr.Dataset]:
    """Two maps, newest first, statics and the whole LUH2 around, 2000-2004, of a window somewhere in its LUH2 cells."""
    rng = np.random.default_rng(5)
    coarse = Grid(46.0, 10.0, 0.25, 0.25, 8, 9)
    fine = GLOBAL.cut(slice(4400, 4400 + 200), slice(19000, 19000 + 225))
    smooth = rng.random((40, 45)).repeat(5, 0).repeat(5, 1)
    cover = np.array([2, 4, 4, 5, 3, 4, 1, 7], np.uint8)[(smooth * 8).astype(int)]
    cover[:60, :40], cover[100:104, 100:104] = 0, 255
    before = np.where((rng.random(cover.shape) < 0.02) & np.isin(cover, range(1, 7)), 4, cover).astype(np.uint8)
    cut = {"lat": slice(top, top + rows), "lon": slice(left, left + cols)}
    maps = xr.DataArray(np.stack([cover, before]), {"time": [2000, 1999], **fine.coords()}, ("time", "lat", "lon"))
    relief, zone = (rng.random(cover.shape) * 900).astype(np.float32), rng.integers(1, 30, cover.shape).astype(np.uint8)
    static = xr.Dataset({"elevation": (("lat", "lon"), relief), "koppen": (("lat", "lon"), zone)}, fine.coords())
    shares = rng.dirichlet(np.ones(12), coarse.shape)  # (Y, X, state)
    drift = rng.dirichlet(np.ones(12), coarse.shape)
    years = np.arange(2000, 2005)
    mixed = 0.9 * (shares + (years - 2000)[:, None, None, None] / 10 * (drift - shares))
    fields = {name: (("time", "lat", "lon"), mixed[..., k].astype(np.float32)) for k, name in enumerate(STATES[:12])}
    fields |= {name: (("time", "lat", "lon"), rng.random((5, *coarse.shape)).astype(np.float32) * 9)
               for name in STATES[12:]}  # fmt: skip
    forcing = xr.Dataset(fields, {"time": years, **coarse.coords()})
    forcing = forcing.where((forcing["lat"] < 45.7) | (forcing["lon"] > 10.3))
    return maps.isel(cut), static.isel(cut), forcing
