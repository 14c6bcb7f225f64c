"""Conservative weights from regular latitude-longitude grids to any cells on the sphere, by exact areas."""

from sphere_overlap.cells import Cells, healpix, latlon_cells
from sphere_overlap.edges import ring_areas
from sphere_overlap.grid import RegularGrid
from sphere_overlap.weights import Weights, overlap_weights

__all__ = ["Cells", "RegularGrid", "Weights", "healpix", "latlon_cells", "overlap_weights", "ring_areas"]
