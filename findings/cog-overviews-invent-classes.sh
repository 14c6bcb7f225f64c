#!/usr/bin/env bash
# The overviews of a Cloud Optimized GeoTIFF made from a class map hold classes that the map does not have.
#
# Expected: overviews of a byte map are picked from its cells, as gdaladdo and the GeoTIFF driver do by default.
# Happens:  GDAL's COG driver makes overviews by cubic convolution unless the band has a colour table. Codes are
#           interpolated: between 1 and 7 there are 2, 3, 4, 5 and 6. Reading a smaller size takes them without a word.
# Versions: rasterio 1.4.4 (GDAL 3.10.3).
# Seen:     codes of the map {1, 7}; read at a quarter of the size {1, 2, 3, 4, 5, 6}.
# Matters:  viewers, tile servers and every reader that asks for a coarse view show forest and crop along each coast
#           between urban and water. The full map is right, so checks of it pass. Give overview_resampling="MODE" or
#           "NEAREST".
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    rasterio==1.4.4 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import numpy as np
import rasterio
import rasterio.shutil
from rasterio.transform import from_origin

random = np.random.default_rng(0)
cover = np.where(random.random((2048, 2048)) < 0.5, 1, 7).astype("uint8")
cover[:, :1000] = 1
shape = {"width": 2048, "height": 2048, "count": 1, "dtype": "uint8"}
with rasterio.open("map.tif", "w", crs="EPSG:4326", transform=from_origin(0, 20, 0.01, 0.01), **shape) as file:
    file.write(cover, 1)
found = {}
for name, options in {"default": {}, "mode": {"overview_resampling": "MODE"}}.items():
    rasterio.shutil.copy("map.tif", f"{name}.tif", driver="COG", **options)
    with rasterio.open(f"{name}.tif") as file:
        assert set(np.unique(file.read(1))) == {1, 7}
        found[name] = np.unique(file.read(1, out_shape=(512, 512))).tolist()
print(f"classes at a quarter of the size: {found}")
if not set(found["default"]) - {1, 7} or set(found["mode"]) - {1, 7}:
    raise SystemExit("CHANGED: overviews of a class map hold its own classes.")
print("as described")
EOF
