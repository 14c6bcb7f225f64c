#!/usr/bin/env bash
# healpy's ud_grade averages the codes of an integer map and cuts the mean to an integer.
#
# Expected: an integer map is degraded by majority, refused, or gives fractions.
# Happens:  the codes of the four children are averaged and the mean is cast back to the map's integer type, so cells
#           get classes that none of their children has. No warning.
# Versions: healpy 1.20.1.
# Seen:     a map of the classes 1 and 4 becomes a map of 1, 2 and 3.
# Matters:  HEALPix is the grid of new climate-model output, and land-cover maps follow it there. Degrade one 0-or-1 map
#           a class, as floats, and take the largest fraction.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    healpy==1.20.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import healpy
import numpy as np

cover = np.full(healpy.nside2npix(4), 1, "int32")
cover[::2] = 4
coarse = healpy.ud_grade(cover, 2)
print(f"classes {np.unique(cover).tolist()} become {np.unique(coarse).tolist()}, {coarse.dtype}")
if coarse.dtype != np.int32 or not set(np.unique(coarse)) - {1, 4}:
    raise SystemExit("CHANGED: class codes are not averaged.")
print("as described")
EOF
