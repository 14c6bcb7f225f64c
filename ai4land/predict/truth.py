"""Maps that only a made-up planet has: of years before the first map and after the last."""

from dataclasses import replace

import numpy as np

from ai4land.samples import RegionCube
from ai4land.twin.land_use import Land


def with_own_past(cube: RegionCube, years: list[int], seed: int, scenario: str | None) -> RegionCube:
    """The cube of a made-up region with the planet's own maps of further years; nothing learns from them.

    Parameters
    ----------
    cube : RegionCube
        Of a run on the twin Earth; its edges lie on the 0.25 degree lattice.
    years : list of int
        Before the cube's own, or after them.
    seed : int
        That made the planet.
    scenario : str, optional
        What happens after 2015.

    Returns
    -------
    RegionCube
        For judging only: coarse fractions of the further years are not there.
    """
    land = Land(cube.grid, seed, scenario or "")
    maps = np.stack([land.land_use(year) for year in years])
    return replace(cube, years=[*cube.years, *years], land_use=np.concatenate([cube.land_use, maps]))
