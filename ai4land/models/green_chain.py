"""Separate models in a chain: each is given what those before it have made."""

from collections.abc import Sequence

import numpy as np

from ai4land.allocate import expected_map
from ai4land.models.green import GreenModel, Pair
from ai4land.models.green_inputs import COVER, LEAVES, USE
from ai4land.samples.region import Region
from ai4land.targets import read_target


def with_made(cube: Region, pair: Pair, made: dict[str, np.ndarray]) -> Region:
    """The region with predicted maps (of `ai4land.allocate.expected_map`) and season of a year.

    The prior year's stay, no others do.

    Parameters
    ----------
    cube : Region
    pair : tuple of int
        Prior year and year.
    made : dict of str to numpy.ndarray
        Of `GreenModel.predict`, of the whole region.
    """
    changed = {}
    for name in (USE, COVER, LEAVES):
        if name in made:
            prior, now, one = cube.field(name, pair[0]), made[name], read_target(name)
            now = expected_map(one, now, prior, cube.corner) if one.kind == "classes" else now
            changed[name] = {pair[0]: prior, pair[1]: now}
    return cube.with_fields(**changed)


def predict_chain(
    models: Sequence[GreenModel], cube: Region, prior_year: int, year: int
) -> dict[str, np.ndarray]:  # fmt: skip
    """What models make of a year one after the other, by target; each sees the maps that those before it made of it.

    Parameters
    ----------
    models : sequence of GreenModel
        Of land use, land cover and leaf area, say; a target that none before has made is taken as the cube has it.
    cube : Region
    prior_year, year : int

    Returns
    -------
    dict of str to numpy.ndarray
        As `GreenModel.predict`, of the whole region.
    """
    out: dict[str, np.ndarray] = {}
    for number, model in enumerate(models):
        made = model.predict(cube, prior_year, year)
        cube = with_made(cube, (prior_year, year), made) if number + 1 < len(models) else cube
        out |= made
    return out
