#!/usr/bin/env bash
# Packing a value beyond the range of the packed integers gives another value in the middle of the range.
#
# Expected: an error, a warning, the largest value or a missing value.
# Happens:  the packed number wraps around, in NetCDF and in Zarr, without a warning: with uint8 steps of 0.1, a leaf
#           area index of 30 is stored as 4.4 and one of 25.6 as 0. The value whose packed number is the fill value
#           (25.5) comes back missing.
# Versions: xarray 2026.9.0, netCDF4 1.7.5.1.post1, zarr 3.1.6, numpy 2.4.6.
# Seen:     [7.0, 25.4, 25.5, 25.6, 30.0] comes back as [7.0, 25.4, nan, 0.0, 4.4] from both.
# Matters:  packed bytes are how leaf area index, cover fractions and soil are distributed. A unit slip or one outlier
#           becomes a value that no range check finds later. Check the range before packing, not after reading.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    xarray==2026.9.0 zarr==3.1.6 netCDF4==1.7.5.1.post1 numpy==2.4.6 pandas==3.1.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import warnings

import numpy as np
import xarray as xr

warnings.simplefilter("error")
warnings.filterwarnings("ignore", message=".*Consolidated metadata.*")
values = [7.0, 25.4, 25.5, 25.6, 30.0]
field = xr.Dataset({"leaf_area_index": ("cell", np.array(values))})
packing = {"leaf_area_index": {"dtype": "uint8", "scale_factor": 0.1, "_FillValue": 255}}
try:
    field.to_netcdf("packed.nc", encoding=packing)
    field.to_zarr("packed.zarr", encoding=packing, consolidated=False)
except Exception as error:
    raise SystemExit(f"CHANGED: values beyond the range are refused or warned of: {error}")
stored = {"NetCDF": xr.open_dataset("packed.nc"), "Zarr": xr.open_zarr("packed.zarr", consolidated=False)}
for name, data in stored.items():
    found = data["leaf_area_index"].to_numpy().round(3)
    print(f"{name}: {values} comes back as {found.tolist()}")
    if not np.allclose(found, [7.0, 25.4, np.nan, 0.0, 4.4], equal_nan=True):
        raise SystemExit(f"CHANGED: {name} no longer wraps values beyond the packed range.")
print("as described")
EOF
