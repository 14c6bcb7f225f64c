"""A field of 1 degree on HEALPix cells, and its integral before and after: ``python -m sphere_overlap.example``."""

import numpy as np

from sphere_overlap import RegularGrid, healpix, overlap_weights

source = RegularGrid.from_edges(np.linspace(90, -90, 181), np.linspace(-180, 180, 361))
target = healpix(16, "nested", radius=6371.0)  # areas in km2
weights = overlap_weights(source, target)
print(f"{weights.row.size} overlaps of {weights.shape[0]} target cells with {weights.shape[1]} source cells")

lat, lon = np.radians(np.linspace(89.5, -89.5, 180))[:, None], np.radians(np.linspace(-179.5, 179.5, 360))
field = 280 + 20 * np.cos(lat) + 3 * np.sin(2 * lon)
mean, share = weights.mean(field)
print(f"global mean before: {np.average(field.mean(1), weights=source.cell_area()):.9f}")
print(f"global mean after:  {np.average(mean, weights=weights.target_area):.9f}")
