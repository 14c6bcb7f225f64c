#!/usr/bin/env bash
# GDAL's mode picks the class of most touched cells, not the class of most area.
#
# Expected: warping a 300 m class map to 0.01 degree by mode gives each coarse cell the class that covers most of it.
# Happens:  where the ratio of the grids is no integer (here 18 to 5), a source cell that a target cell touches by a
#           fraction of its area counts as much as a whole one. Average does weight by area.
# Versions: rasterio 1.4.4 (GDAL 3.10.3).
# Seen:     of a fine random map of 8 classes 70.5 % of the coarse cells with a clear majority of area get it.
# Matters:  ESA CCI land cover on a grid of 0.01 degree is this very case: 3.6 cells to one. The map looks right, and
#           the finer the texture, the more cells are not. Compute class fractions by area and take the largest.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    rasterio==1.4.4 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject


def overlaps(fine, coarse):
    """Length of each fine cell inside each coarse cell of the same line, (coarse, fine)."""
    low = np.maximum(np.arange(coarse)[:, None] / coarse, np.arange(fine) / fine)
    high = np.minimum((np.arange(coarse)[:, None] + 1) / coarse, (np.arange(fine) + 1) / fine)
    return np.clip(high - low, 0, None)


cover = np.random.default_rng(0).integers(1, 9, (180, 180)).astype("uint8")
mode = np.zeros((50, 50), "uint8")
grids = {"src_transform": from_origin(0, 50, 5 / 18, 5 / 18), "dst_transform": from_origin(0, 50, 1, 1)}
crs = {"src_crs": "EPSG:3857", "dst_crs": "EPSG:3857"}
reproject(cover, mode, resampling=Resampling.mode, **grids, **crs)
weights = overlaps(180, 50)
area = np.stack([weights @ (cover == code) @ weights.T for code in range(1, 9)])
second, first = np.sort(area, axis=0)[-2:]
clear = first - second > 1e-9
right = float((mode == area.argmax(0) + 1)[clear].mean())
print(f"cells that get the class of most area: {right:.1%}")
if right > 0.95:
    raise SystemExit("CHANGED: mode weights by area.")
print("as described")
EOF
