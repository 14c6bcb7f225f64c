#!/usr/bin/env bash
# xarray has two nearest neighbours, half a cell to either side.
#
# Expected: sel(method="nearest") and interp(method="nearest") take the same cell.
# Happens:  at a point midway between two cells sel takes the one with the larger coordinate and interp the one with
#           the smaller. When the grids' ratio is even, every point is midway, so the maps differ by a whole cell.
# Versions: xarray 2026.9.0, scipy 1.17.1, pandas 3.1.1.
# Seen:     codes [1 2 3 4] at 0, 1, 2, 3, read at 0.5, 1.5, 2.5: sel [2 3 4], interp [1 2 3]; the same with the
#           coordinate reversed.
# Matters:  class maps are moved between grids by nearest centre (interpolated codes mean nothing). Two steps of one
#           pipeline that use the two methods disagree by a cell in each direction, which counts as change along
#           every border. Decide ties by index arithmetic, not by either default.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    xarray==2026.9.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import numpy as np
import xarray as xr

cover = xr.DataArray(np.array([1, 2, 3, 4]), dims="lat", coords={"lat": [0.0, 1.0, 2.0, 3.0]})
midway = [0.5, 1.5, 2.5]
for name, field in (("ascending", cover), ("descending", cover[::-1])):
    selected = field.sel(lat=midway, method="nearest").to_numpy().astype(int).tolist()
    interpolated = field.interp(lat=midway, method="nearest").to_numpy().astype(int).tolist()
    print(f"{name}: sel {selected}, interp {interpolated}")
    if selected != [2, 3, 4] or interpolated != [1, 2, 3]:
        raise SystemExit("CHANGED: the two nearest neighbours break ties otherwise.")
print("as described")
EOF
