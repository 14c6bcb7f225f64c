#!/usr/bin/env bash
# A kerchunk reference over packed files unpacks all of them with the packing of the first.
#
# Expected: files whose scale_factor and add_offset differ are refused when they are combined.
# Happens:  MultiZarrToZarr keeps the attributes of the first file and joins the packed numbers of all. Every later
#           file is decoded with the wrong scale and offset. No error and no warning of it.
# Versions: kerchunk 0.2.10, xarray 2026.9.0, zarr 3.1.6.
# Seen:     two files of 273.15 K and 283.15 K: open_mfdataset gives [273.15, 283.15], the reference [273.15, 265.75].
# Matters:  ERA5 as 16-bit NetCDF has a scale and an offset of its own in every file, so a reference over a series of
#           downloads is wrong by tens of kelvins in a way that looks like weather. Compare the packing of all files
#           first, or combine decoded data.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    kerchunk==0.2.10 xarray==2026.9.0 zarr==3.1.6 netCDF4==1.7.5.1.post1 h5py==3.16.0 \
    fsspec==2026.9.0 numpy==2.4.6 pandas==3.1.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import logging

import kerchunk.combine
import kerchunk.hdf
import numpy as np
import xarray as xr

logging.disable(logging.CRITICAL)
names = []
for year, (kelvin, scale, offset) in enumerate([(273.15, 0.01, 250.0), (283.15, 0.002, 280.0)]):
    time = ("time", [float(year)], {"units": "days since 2000-01-01"})
    field = xr.Dataset({"t2m": (("time", "cell"), np.full((1, 3), kelvin))}, coords={"time": time})
    packing = {"dtype": "int16", "scale_factor": scale, "add_offset": offset, "_FillValue": -32767}
    names.append(f"year{year}.nc")
    field.to_netcdf(names[-1], encoding={"t2m": packing}, engine="netcdf4")
right = [xr.open_dataset(name)["t2m"].to_numpy().ravel()[0] for name in names]
try:
    parts = [kerchunk.hdf.SingleHdf5ToZarr(name).translate() for name in names]
    joined = kerchunk.combine.MultiZarrToZarr(parts, concat_dims=["time"]).translate()
except Exception as error:
    raise SystemExit(f"CHANGED: files of different packing are refused: {error}")
options = {"storage_options": {"fo": joined}, "consolidated": False}
found = xr.open_dataset("reference://", engine="zarr", backend_kwargs=options)["t2m"].to_numpy()[:, 0]
print(f"file by file {np.round(right, 2).tolist()}, by reference {np.round(found, 2).tolist()}")
if not np.allclose(found, [273.15, 265.75]):
    raise SystemExit("CHANGED: each file is unpacked with its own packing.")
print("as described")
EOF
