#!/usr/bin/env bash
# BitRound turns the NaN that NVIDIA GPUs make into -0.0, and large numbers into infinity.
#
# Expected: rounding the last bits of a field leaves missing values missing.
# Happens:  the rounding adds to the bits of the float as to an integer. NumPy's NaN (0x7fc00000) survives. A NaN whose
#           significand bits are all set (0x7fffffff, the canonical NaN of NVIDIA GPUs) overflows through exponent and
#           sign and becomes -0.0; numbers close to the largest float become infinity.
# Versions: numcodecs 0.16.6, numpy 2.4.6.
# Seen:     [0x7fc00000, 0x7fffffff] -> [nan, -0.0]; 3.4e38 -> inf.
# Matters:  bit rounding is the recommended lossy compression of climate fields in Zarr. Where a field comes from a
#           network on a GPU, its ocean turns into zeros, which are valid leaf areas, rainfalls and fractions. Set missing
#           cells to NumPy's NaN before encoding (x[np.isnan(x)] = np.nan is enough).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    numcodecs==0.16.6 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import numcodecs
import numpy as np

codec = numcodecs.BitRound(keepbits=3)
missing = np.array([0x7FC00000, 0x7FFFFFFF], "u4").view("f4")
assert np.isnan(missing).all()
decoded = codec.decode(codec.encode(missing.copy()))
large = codec.decode(codec.encode(np.array([3.4e38], "f4")))
repaired = missing.copy()
repaired[np.isnan(repaired)] = np.nan
repaired = codec.decode(codec.encode(repaired))
print(f"NaN of NumPy and of a GPU: {decoded.tolist()}, 3.4e38: {large.tolist()}, repaired: {repaired.tolist()}")
if not np.isnan(decoded[0]) or decoded[1] != 0 or not np.isinf(large[0]) or not np.isnan(repaired).all():
    raise SystemExit("CHANGED: every NaN is kept.")
print("as described")
EOF
