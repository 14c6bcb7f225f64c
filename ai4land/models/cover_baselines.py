"""What a model of land cover must beat: doing nothing, and rules that read land cover off land use."""

from pathlib import Path
from typing import Self

import numpy as np

from ai4land.experiments import Experiment
from ai4land.legend import class_codes, read_legend
from ai4land.models.cover_start import CODES, show
from ai4land.samples.predictors import Given
from ai4land.samples.region import Region
from ai4land.windows import WHOLE, Window

_USES = class_codes(read_legend("land_use"))
_GROUPS = "abcde"  # main climate groups of Koeppen and Geiger; behind them: none


def _as_shares(cover: np.ndarray) -> np.ndarray:
    """Classes (y, x) as probabilities (class, y, x) float32, zeros without data."""
    return (cover == CODES[:, None, None]).astype(np.float32)


class CoverPersistence:
    """The prior map again; nothing where it is hidden."""

    name, targets, given = "persistence", ("land_cover",), Given(land_use=False, prior_cover=True)

    def fit(self, cube: Region, experiment: Experiment) -> Self:
        """See `GreenModel`: nothing is learned."""
        return self

    def predict(
        self, cube: Region, prior_year: int, year: int, hidden: np.ndarray | None = None,
        window: Window = WHOLE,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """See `GreenModel`."""
        return {"land_cover": _as_shares(show(cube, self.given, prior_year, year, window, hidden).prior)}

    def save(self, folder: Path) -> None:
        """Nothing to save."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A new one."""
        return cls()


class LandUseMajority:
    """The most frequent land cover of each land use in each climate group, as a crosswalk read off the training years.

    Its probabilities are the shares of the classes there; a land use that a climate group did not have in training
    takes those of all groups.
    """

    name, targets, given = "land_use_majority", ("land_cover",), Given()

    def __init__(self) -> None:
        self.shares = np.zeros((_USES.size, len(_GROUPS) + 1, CODES.size), np.float32)

    def _climate(self, cube: Region, window: Window) -> np.ndarray:
        """Number of the main climate group, (y, x) int."""
        names = read_legend("koppen_geiger").set_index("code")["name"]
        number = np.full(256, len(_GROUPS))
        for code, name in names.items():
            number[code] = len(_GROUPS) if name == "no_data" else _GROUPS.find(name[0]) % (len(_GROUPS) + 1)
        shape = cube.grid.lat[window[0]].size, cube.grid.lon[window[1]].size
        zones = cube.field("koppen", window=window).astype(int) if "koppen" in cube else np.zeros(shape, int)
        return number[zones]

    def fit(self, cube: Region, experiment: Experiment) -> Self:
        """See `GreenModel`."""
        count, climate = np.zeros(self.shares.size), self._climate(cube, WHOLE)
        for year in experiment.learned("train"):
            use, cover = cube.field("land_use", year), cube.field("land_cover", year)
            where = np.isin(use, _USES) & (cover != 0)
            place = np.searchsorted(_USES, use[where]), climate[where], np.searchsorted(CODES, cover[where])
            count += np.bincount(np.ravel_multi_index(place, self.shares.shape), minlength=count.size)
        table = count.reshape(self.shares.shape)
        # So little of all climate groups that it only decides where there is nothing else.
        table = table + 1e-6 * table.sum(1, keepdims=True)
        self.shares = (table / np.maximum(table.sum(-1, keepdims=True), 1e-9)).astype(np.float32)
        return self

    def predict(
        self, cube: Region, prior_year: int, year: int, hidden: np.ndarray | None = None,
        window: Window = WHOLE,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """See `GreenModel`."""
        use = cube.field("land_use", year, window)
        valid = np.isin(use, _USES)
        shares = self.shares[np.where(valid, np.searchsorted(_USES, use), 0), self._climate(cube, window)]
        return {"land_cover": np.ascontiguousarray(np.where(valid, np.moveaxis(shares, -1, 0), np.float32(0)))}

    def save(self, folder: Path) -> None:
        """Write ``shares.npy``."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "shares.npy", self.shares, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        model = cls()
        model.shares = np.load(folder / "shares.npy", allow_pickle=False)
        return model


class LandUseRule(LandUseMajority):
    """The prior map where land use is the same in both years; `LandUseMajority` elsewhere, and where a prior is hidden.

    It stands where a classical allocator would: LUH2 has no land cover to allocate.
    """

    name, given = "land_use_rule", Given(prior_cover=True)

    def predict(
        self, cube: Region, prior_year: int, year: int, hidden: np.ndarray | None = None,
        window: Window = WHOLE,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """See `GreenModel`."""
        shown = show(cube, self.given, prior_year, year, window, hidden)
        made = super().predict(cube, prior_year, year, hidden, window)["land_cover"]
        same = (shown.prior != 0) & (cube.field("land_use", prior_year, window) == shown.land_use)
        return {"land_cover": np.where(same, _as_shares(shown.prior), made) * shown.valid}
