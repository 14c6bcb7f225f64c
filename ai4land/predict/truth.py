"""Maps that only a made-up planet has: of years before the first map and after the last."""

from ai4land.samples import Region
from ai4land.twin.land_use import Land


def with_own_past(cube: Region, years: list[int], seed: int, scenario: str | None) -> Region:
    """The cube of a made-up region with the planet's own maps of further years; nothing learns from them.

    Parameters
    ----------
    cube : Region
        Of a run on the twin Earth; its edges lie on the 0.25 degree lattice.
    years : list of int
        Before the cube's own, or after them.
    seed : int
        That made the planet.
    scenario : str, optional
        What happens after 2015.

    Returns
    -------
    Region
        For judging only: coarse fractions of the further years are not there.
    """
    land = Land(cube.grid, seed, scenario or "")
    return cube.with_years(land_use={year: land.land_use(year) for year in years})
