#!/usr/bin/env bash
# Flags outside valid_range are missing for some readers of a NetCDF file and leaf area for others.
#
# Expected: the readers of a CF file agree on which cells are valid.
# Happens:  netCDF4 and GDAL hide what lies outside valid_range; xarray ignores the attribute and unpacks the flags as
#           values. Of a list of missing values netCDF4 and xarray hide all, GDAL only the first. (Of the command-line
#           tools CDO 2.1.1 hides what is outside valid_range, NCO 5.1.4 does not.)
# Versions: xarray 2026.9.0, netCDF4 1.7.5.1.post1, rasterio 1.4.4 (GDAL 3.10.3).
# Seen:     packed numbers 10, 100, 250, 254 with valid_range 0 to 100, fill 255 and steps of 0.1: xarray [1, 10, 25, 25.4],
#           netCDF4 [1, 10, --, --], GDAL [1, 10, --, --]; with missing_value 250, 254 and no valid_range:
#           xarray and netCDF4 hide two cells, GDAL one.
# Matters:  MODIS and Copernicus put water, snow and cloud flags above the range of leaf area. Read with xarray, a lake
#           has a leaf area index of 25, and its average with the land around looks like a dense forest. Apply valid_range by
#           hand, on the packed numbers.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    xarray==2026.9.0 netCDF4==1.7.5.1.post1 rasterio==1.4.4 numpy==2.4.6 pandas==3.1.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import warnings

import netCDF4
import numpy as np
import rasterio
import xarray as xr

warnings.simplefilter("ignore")
packed = np.array([[10, 100, 250, 254]] * 2, "u1")
with netCDF4.Dataset("leaves.nc", "w") as file:
    for name, units, values in (("lat", "degrees_north", [1.0, 0.0]), ("lon", "degrees_east", [0.0, 1.0, 2.0, 3.0])):
        file.createDimension(name, len(values))
        axis = file.createVariable(name, "f8", (name,))
        axis.units = units
        axis[:] = values
    for name, attribute, value in (("ranged", "valid_range", [0, 100]), ("listed", "missing_value", [250, 254])):
        field = file.createVariable(name, "u1", ("lat", "lon"), fill_value=255 if name == "ranged" else None)
        field.set_auto_maskandscale(False)
        field.setncattr(attribute, np.array(value, "u1"))
        field.scale_factor = 0.1
        field[:] = packed
wanted = {"ranged": {"xarray": 0, "netCDF4": 2, "GDAL": 2}, "listed": {"xarray": 2, "netCDF4": 2, "GDAL": 1}}
for name, expected in wanted.items():
    hidden = {"xarray": int(np.isnan(xr.open_dataset("leaves.nc")[name].to_numpy()[0]).sum())}
    with netCDF4.Dataset("leaves.nc") as file:
        hidden["netCDF4"] = int(np.ma.getmaskarray(file[name][0]).sum())
    with rasterio.open(f"netcdf:leaves.nc:{name}") as source:
        hidden["GDAL"] = int(np.ma.getmaskarray(source.read(1, masked=True))[0].sum())
    print(f"{name}: hidden cells of four: {hidden}")
    if hidden != expected:
        raise SystemExit(f"CHANGED: {name} is read otherwise, it was {expected}.")
print(f"xarray reads the flags as {xr.open_dataset('leaves.nc')['ranged'].to_numpy()[0].round(1).tolist()}")
print("as described")
EOF
