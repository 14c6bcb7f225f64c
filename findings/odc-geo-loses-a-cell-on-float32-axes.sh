#!/usr/bin/env bash
# odc-geo takes the cell size from the first two coordinates, so float32 axes shift the far edge by more than a cell.
#
# Expected: the geobox of a regular grid spans its coordinates, to the precision of the coordinates.
# Happens:  the step is the difference of the first two coordinates, multiplied by the number of cells. In float32 the
#           difference of two longitudes near 180 is known to 3 digits only, so the geobox ends beside the grid. It is
#           returned without a warning.
# Versions: odc-geo 0.5.3, xarray 2026.9.0.
# Seen:     0.01 degree, 160 to 180 east (2000 cells): the geobox ends at 179.9890, 1.1 cells short. For 175 to 180 east
#           0.27 cells short; with the same longitudes in float64 exact.
# Matters:  HILDA+ v2 and many 1 km products store their axes as float32. Tiles reprojected by odc.reproject shift
#           within themselves, and neighbours do not meet. Recompute the axes in float64 from the cell numbers.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    odc-geo==0.5.3 xarray==2026.9.0 numpy==2.4.6 pandas==3.1.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import numpy as np
import odc.geo.xr
import xarray as xr

ends = {}
for kind in ("float32", "float64"):
    lon = (-180 + 0.005 + np.arange(34000, 36000) * 0.01).astype(kind)
    lat = (60 - 0.005 - np.arange(500) * 0.01).astype(kind)
    codes = np.zeros((500, 2000), "uint8")
    cover = xr.DataArray(codes, dims=("latitude", "longitude"), coords={"latitude": lat, "longitude": lon})
    ends[kind] = float(odc.geo.xr.assign_crs(cover, "EPSG:4326").odc.geobox.boundingbox.right)
    print(f"{kind}: last centre {lon[-1]:.5f}, geobox ends at {ends[kind]:.5f}, {(ends[kind] - 180) / 0.01:+.2f} cells")
if abs((ends["float32"] - 180) / 0.01) < 1 or abs(ends["float64"] - 180) > 1e-6:
    raise SystemExit("CHANGED: the geobox of float32 axes spans the grid.")
print("as described")
EOF
