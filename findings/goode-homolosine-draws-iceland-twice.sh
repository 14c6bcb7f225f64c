#!/usr/bin/env bash
# A global map warped to Goode's homolosine has Iceland and eastern Greenland on it twice.
#
# Expected: an equal-area projection shows every place once, so areas may be summed by counting cells.
# Happens:  PROJ's igh has the north between about 50 and 10 degrees west in both northern lobes, as Goode drew it. Going
#           from the map to the globe both copies are valid; going from the globe to the map gives one. A warp asks the
#           first way, so it fills both.
# Versions: rasterio 1.4.4 (GDAL 3.10.3, PROJ 9.7.1).
# Seen:     the warped globe covers 1.0085 of the Earth; a patch around Iceland appears 5,900 km apart with 1.95 times its
#           own area.
# Matters:  igh is the projection of SoilGrids, and is chosen because its cells have equal area. Class areas, carbon
#           stocks and means of the boreal zone count 4 million km2 twice. Mask cells that do not come back to themselves
#           after map -> globe -> map.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    rasterio==1.4.4 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import numpy as np
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject

CELL, ROWS, COLUMNS = 25000.0, 688, 1602  # metres, and cells that hold the whole map
MAP = {
    "dst_crs": "+proj=igh +datum=WGS84 +units=m",
    "dst_transform": from_origin(-COLUMNS / 2 * CELL, ROWS / 2 * CELL, CELL, CELL),
}
lat, lon = 90 - 0.05 - np.arange(1800) * 0.1, -180 + 0.05 + np.arange(3600) * 0.1


def warped(globe):
    """The globe's ones on the map, (ROWS, COLUMNS)."""
    found = np.zeros((ROWS, COLUMNS), "uint8")
    grid = {"src_crs": "EPSG:4326", "src_transform": from_origin(-180, 90, 0.1, 0.1)}
    reproject(globe, found, resampling=Resampling.nearest, **grid, **MAP)
    return found


whole = warped(np.ones((1800, 3600), "uint8")).sum() * CELL**2 / 510.07e12
patch = ((lat > 63) & (lat < 67))[:, None] & ((lon > -25) & (lon < -13))
seen = warped(patch.astype("uint8"))
own = 6371007.2**2 * np.deg2rad(12) * (np.sin(np.deg2rad(67)) - np.sin(np.deg2rad(63)))
columns = np.nonzero(seen.any(axis=0))[0]
gap = np.diff(columns).max() * CELL / 1000
times = seen.sum() * CELL**2 / own
print(f"the map covers {whole:.4f} of the Earth; the patch {times:.2f} times its area, {gap:.0f} km between its parts")
if whole < 1.005 or times < 1.8 or gap < 1000:
    raise SystemExit("CHANGED: each place is on the map once.")
print("as described")
EOF
