#!/usr/bin/env bash
# Cells of a NetCDF file that were never written are 9.97e36 in xarray, and missing in netCDF4.
#
# Expected: both readers hide them, since both read through the same C library, which prefills them with its default.
# Happens:  the default fill is used when a variable has no _FillValue attribute. netCDF4 masks it, xarray does not.
#           The other way round, a real -32767 of a 16-bit field is masked by netCDF4 and kept by xarray.
# Versions: xarray 2026.9.0, netCDF4 1.7.5.1.post1.
# Seen:     a float field of which one cell of four is written: xarray mean 7.48e36, netCDF4 mean 1.0; a 16-bit field
#           with a value of -32767: xarray [-32767, 1], netCDF4 [--, 1].
# Matters:  a model or a job killed half-way leaves such files. Whether a reader notices depends on the reader, and a
#           mean over the wrong one is a number without a warning. Give each variable its own _FillValue.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    xarray==2026.9.0 netCDF4==1.7.5.1.post1 numpy==2.4.6 pandas==3.1.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import netCDF4
import numpy as np
import xarray as xr

with netCDF4.Dataset("part.nc", "w") as file:
    file.createDimension("cell", 4)
    file.createVariable("field", "f4", ("cell",))[:1] = 1.0
    file.createDimension("pair", 2)
    short = file.createVariable("short", "i2", ("pair",))
    short.set_auto_maskandscale(False)
    short[:] = np.array([-32767, 1], "i2")
data = xr.open_dataset("part.nc")
with netCDF4.Dataset("part.nc") as file:
    means = float(data["field"].mean()), float(file["field"][:].mean())
    masked = np.ma.getmaskarray(file["short"][:]).tolist()
print(f"mean by xarray {means[0]:.3g}, by netCDF4 {means[1]:.3g}")
print(f"16-bit field: xarray {data['short'].to_numpy().tolist()}, masked by netCDF4 {masked}")
if not means[0] > 1e36 or means[1] != 1.0 or masked != [True, False] or data["short"].dtype != "int16":
    raise SystemExit("CHANGED: the two readers agree on cells that were never written.")
print("as described")
EOF
