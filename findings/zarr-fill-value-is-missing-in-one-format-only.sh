#!/usr/bin/env bash
# The same array is a float map with holes when stored as Zarr 2, and a map of whole zeros when stored as Zarr 3.
#
# Expected: xarray reads equal arrays equally, whichever Zarr format holds them.
# Happens:  in format 2 the array's fill_value is taken for the CF missing value: the uint8 map becomes float32 and each
#           cell of that code, written or not, becomes NaN. In format 3 it is not: the map stays uint8 and cells that
#           nobody wrote read as class 0.
# Versions: xarray 2026.9.0, zarr 3.1.6.
# Seen:     format 2: float32, [1, 1, nan, nan, nan, nan]; format 3: uint8, [1, 1, 0, 0, 0, 0]. Cells 3 and 4 were
#           written as 0, cells 5 and 6 never.
# Matters:  0 is ocean in HILDA+ and most land-cover legends. After a move to format 3 a half-written map has ocean where
#           it has gaps; before it, real ocean is missing. Say use_zarr_fill_value_as_mask, or write a CF _FillValue
#           attribute that is no class.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    xarray==2026.9.0 zarr==3.1.6 numpy==2.4.6 pandas==3.1.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import numpy as np
import xarray as xr
import zarr

found = {}
for zarr_format in (2, 3):
    root = zarr.open_group(f"map{zarr_format}.zarr", mode="w", zarr_format=zarr_format)
    named = {"dimension_names": ["lat"]} if zarr_format == 3 else {"attributes": {"_ARRAY_DIMENSIONS": ["lat"]}}
    codes = root.create_array("cover", shape=(6,), chunks=(2,), dtype="uint8", fill_value=0, **named)
    codes[:4] = np.array([1, 1, 0, 0], "uint8")  # the last chunk is never written
    read = xr.open_zarr(f"map{zarr_format}.zarr", consolidated=False)["cover"]
    found[zarr_format] = (str(read.dtype), read.to_numpy().tolist())
    print(f"Zarr {zarr_format}: {found[zarr_format]}")
masked = found[2][0] == "float32" and np.isnan(found[2][1][2:]).all()
if not masked or found[3] != ("uint8", [1, 1, 0, 0, 0, 0]):
    raise SystemExit("CHANGED: the two formats are read alike.")
print("as described")
EOF
