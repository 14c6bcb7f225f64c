"""Separate models in a chain: each is given what those before it have made."""

from collections.abc import Sequence

import numpy as np

from ai4land.allocate.change import expected_change
from ai4land.legend import NO_DATA
from ai4land.models.green import GreenModel, Pair
from ai4land.models.green_inputs import COVER, COVERS, LEAVES, USE, USES, WATER, WATERS, places
from ai4land.samples.region import Region


def most_likely(target: str, shares: np.ndarray) -> np.ndarray:
    """Most probable class of land use or land cover, the lowest code on a tie.

    Parameters
    ----------
    target : {'land_use', 'land_cover'}
    shares : numpy.ndarray, shape (class, y, x), float32
        Probabilities.

    Returns
    -------
    numpy.ndarray, shape (y, x), uint8
        255 (land use) or 0 (land cover) where all shares are 0.
    """
    codes, missing = (USES, NO_DATA) if target == USE else (COVERS, 0)
    return np.where(shares.any(0), codes[shares.argmax(0)], missing).astype(np.uint8)


def as_expected(target: str, shares: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Map with as much change from a prior map as the probabilities expect; see `expected_change`.

    Where change is rare, no cell's most probable class is another one, and the most probable map is the prior.

    Parameters
    ----------
    target : {'land_use', 'land_cover'}
    shares : numpy.ndarray, shape (class, y, x), float32
    prior : numpy.ndarray, shape (y, x), uint8
        Water stays.

    Returns
    -------
    numpy.ndarray, shape (y, x), uint8
        Most probable class where the prior has none.
    """
    codes, waters = (USES, WATERS) if target == USE else (COVERS, [WATER])
    likely = most_likely(target, shares)
    free = np.isin(prior, np.setdiff1d(codes, waters)) & np.isin(likely, codes)
    changed = expected_change(shares, places(prior, codes).astype(np.uint8), free)
    return np.where(free, codes[np.minimum(changed, codes.size - 1)], likely).astype(np.uint8)


def with_made(cube: Region, pair: Pair, made: dict[str, np.ndarray]) -> Region:
    """The region with predicted maps (see `as_expected`) and season of a year; the prior year's stay, no others do.

    Parameters
    ----------
    cube : Region
    pair : tuple of int
        Prior year and year.
    made : dict of str to numpy.ndarray
        Of `GreenModel.predict`, of the whole region.
    """
    changed = {}
    for target in (USE, COVER, LEAVES):
        if target in made:
            prior, now = cube.field(target, pair[0]), made[target]
            now = now if target == LEAVES else as_expected(target, now, prior)
            changed[target] = {pair[0]: prior, pair[1]: now}
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
