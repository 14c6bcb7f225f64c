#!/usr/bin/env bash
# A forecast step of one month in GRIB is thirty days when it is read with ecCodes and cfgrib.
#
# Expected: a field for one month after 1 January is valid on 1 February, or a step in months is refused.
# Happens:  unit 3 of the step (month) is turned into 720 hours. The valid times drift against the calendar and
#           February has none. No warning.
# Versions: cfgrib 0.9.15.1, ecCodes 2.50.0.
# Seen:     steps of 1, 2 and 3 months from 2001-01-01 are valid on 2001-01-31, 2001-03-02 and 2001-04-01.
# Matters:  monthly means and seasonal forecasts (snow, soil water, leaf area) are coded in months. Grouped by month the
#           first lead falls into January and the second into March. Compute the valid time from the base month and
#           the step in months.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    cfgrib==0.9.15.1 eccodes==2.50.0 xarray==2026.9.0 numpy==2.4.6 pandas==3.1.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import eccodes
import numpy as np
import xarray as xr

with open("months.grib", "wb") as file:
    for months in (1, 2, 3):
        message = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
        keys = {"shortName": "2t", "dataDate": 20010101, "dataTime": 0}
        for key, value in (keys | {"indicatorOfUnitOfTimeRange": 3, "forecastTime": months}).items():
            eccodes.codes_set(message, key, value)
        cells = eccodes.codes_get_size(message, "values")
        eccodes.codes_set_values(message, np.full(cells, float(months)))
        eccodes.codes_write(message, file)
        eccodes.codes_release(message)
data = xr.open_dataset("months.grib", engine="cfgrib", backend_kwargs={"indexpath": ""})
found = np.datetime_as_string(data["valid_time"].to_numpy(), unit="D").tolist()
print(f"valid times of steps of 1, 2 and 3 months: {found}")
if found != ["2001-01-31", "2001-03-02", "2001-04-01"]:
    raise SystemExit("CHANGED: steps in months follow the calendar.")
print("as described")
EOF
