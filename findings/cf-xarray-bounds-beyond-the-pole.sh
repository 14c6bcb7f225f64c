#!/usr/bin/env bash
# cf_xarray's add_bounds puts the edges of polar cells beyond the poles, and their area is then zero.
#
# Expected: bounds of latitudes end at 90 degrees.
# Happens:  a half step is added to the last point on either side. On a grid with points at the poles the outer cells
#           reach from 89.5 to 90.5 degrees. Since sin(90.5) = sin(89.5), the area of a polar row is exactly nothing.
# Versions: cf-xarray 0.11.3, xarray 2026.9.0.
# Seen:     outermost bounds 90.5 and -90.5; area weight of the polar rows 0, of the right cells 3.8e-5.
# Matters:  ERA5 and many CMIP grids have points at the poles. Conservative weights built from these bounds leave a
#           hole there, or divide by zero. Clip the bounds to -90 and 90.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    cf-xarray==0.11.3 xarray==2026.9.0 numpy==2.4.6 pandas==3.1.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import cf_xarray  # noqa: F401
import numpy as np
import xarray as xr

attributes = {"standard_name": "latitude", "units": "degrees_north"}
grid = xr.Dataset(coords={"lat": ("lat", np.linspace(90, -90, 181), attributes)})
bounds = grid.cf.add_bounds("lat")["lat_bounds"].transpose("lat", "bounds").to_numpy()
area = abs(np.diff(np.sin(np.deg2rad(bounds)), axis=1)).ravel()[[0, -1]]
right = 1 - np.sin(np.deg2rad(89.5))
print(f"outermost bounds {bounds.max()} and {bounds.min()}, weights {area.tolist()}, right {right:.1e}")
if bounds.max() != 90.5 or bounds.min() != -90.5 or area.max() > 1e-12:
    raise SystemExit("CHANGED: bounds of latitude end at the poles.")
print("as described")
EOF
