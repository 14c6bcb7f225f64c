"""The twin Earth: a made-up planet in the publishers' formats, for runs without real data.

No reader knows of it, and ``ai4land`` never imports it: only the notebook that downloads, tests and benchmarks do.
Nothing in it is tuned to flatter a model; all that is made from it is synthetic.

Throughout, ``raw`` is the folder that files are written to (those that exist are kept), ``grid`` and ``fine`` are the
cells of 0.01 degree of a window whose edges lie on the 0.25 degree lattice of the globe, ``seed`` is that of the
planet, and ``scenario``, a key of ``SCENARIOS``, says what happens after 2015; up to then all agree.
"""

from twin_earth.files import write_planet_maps, write_twin
from twin_earth.icon_grid import write_icon_grid
from twin_earth.land_use import Land

__all__ = ["Land", "write_icon_grid", "write_planet_maps", "write_twin"]
