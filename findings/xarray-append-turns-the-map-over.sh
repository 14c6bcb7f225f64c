#!/usr/bin/env bash
# Appending a year with to_zarr(append_dim="time") replaces the store's latitudes, without a word.
#
# Expected: a year whose latitudes differ from those in the store is refused, or laid out as the store is.
# Happens:  the fields are appended by position and the latitudes of the new year overwrite those of all years. One
#           year written from south to north turns every earlier year upside down. No error and no warning.
# Versions: xarray 2026.9.0, zarr 3.1.6.
# Seen:     the cell at 1 degree north was 1.0 in the first year; after the append it reads 3.0, its mirror's value.
# Matters:  HILDA+, LUH2 and GeoTIFF go from north to south, much of CMIP from south to north; a store that grows by a
#           year at a time is spoilt by the first file of the other kind, and looks plausible. Compare the coordinates
#           before the append, or allocate all years at creation and write into regions (region="auto" does refuse).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    xarray==2026.9.0 zarr==3.1.6 numpy==2.4.6 pandas==3.1.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import warnings

import numpy as np
import xarray as xr

warnings.simplefilter("error")


def year(time, latitudes):
    """A field whose value at each cell is the cell's own latitude."""
    values = np.array([latitudes], "f4")
    return xr.Dataset({"field": (("time", "lat"), values)}, coords={"time": [time], "lat": np.array(latitudes)})


year(2000, [1.0, 2.0, 3.0]).to_zarr("store.zarr", consolidated=False)
before = xr.open_zarr("store.zarr", consolidated=False)["field"].sel(time=2000, lat=1.0).item()
try:
    year(2001, [3.0, 2.0, 1.0]).to_zarr("store.zarr", append_dim="time", consolidated=False)
except Exception as error:
    raise SystemExit(f"CHANGED: the append is refused or warned of: {error}")
after = xr.open_zarr("store.zarr", consolidated=False)["field"].sel(time=2000, lat=1.0).item()
print(f"at 1 degree north in 2000: {before} before the append, {after} after it")
if (before, after) != (1.0, 3.0):
    raise SystemExit("CHANGED: the year in the store keeps its latitudes.")
print("as described")
EOF
