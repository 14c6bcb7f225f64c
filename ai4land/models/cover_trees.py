"""XGBoost of land cover, on cells with what lies around them."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import xgboost

from ai4land import __version__
from ai4land.experiments import Experiment
from ai4land.models.boosting import Table, boost, quantile_matrix
from ai4land.models.calibration import fit_temperature, temper
from ai4land.models.cover_start import (
    CODES,
    WATER,
    Shown,
    count_groups,
    draw_cells,
    show,
    start_shares,
    strips,
    variant,
)  # fmt: skip
from ai4land.models.green import Pair, pairs
from ai4land.models.start import LEAST
from ai4land.samples.patches import hide_patches
from ai4land.samples.predictors import Given, annual_fields
from ai4land.samples.region import Region
from ai4land.windows import WHOLE, Window

GIVEN = Given(prior_cover=True)


class CoverTrees:
    """Gradient-boosted trees of land cover, one set a class that is seen in training.

    Boosting starts from `start_shares` of the training cells: what a prior class became after so many years, beside a
    land use, as far as both are given. Cells that are water in the prior map, or in land use where no prior is seen,
    stay water; the trees decide the others. A temperature found on the validation years calibrates.

    Cells are drawn evenly over pairs of years. Half of a pair's are such as changed since a prior that is seen, or all
    of these where they are fewer: change is a few cells in a hundred. The logarithm of how much more rarely the others
    are drawn is added to the margin of the prior's class while the trees grow, and left out when they predict, so that
    the probabilities are those of all cells [1]_; a weight a cell would undo the draw too, with more noise. Cells of
    validation years are drawn evenly, with nothing hidden.

    Parameters
    ----------
    given : Given
    rounds : int
        Boosting rounds at most; validation years stop earlier.
    rows : int
        Cells to train on at most; a quarter as many stop the boosting.
    cases : int
        Pairs of prior year and year (years, where no prior is given) to draw from at most.
    depth : int
        Largest depth of a tree.
    learning_rate : float
    masked : float
        Share of the pairs whose prior is partly hidden in random patches, so that hidden priors are not new.
    seed, threads : int
    device : {'cpu', 'cuda'}
    checkpoints : pathlib.Path, optional
        Folder of the trees of unfinished boosting; what is finished there is not grown again.

    References
    ----------
    Chen and Guestrin (2016), doi:10.1145/2939672.2939785
    .. [1] King and Zeng (2001), prior correction, doi:10.1093/oxfordjournals.pan.a004868
    """

    name = "xgboost"
    targets: tuple[str, ...] = ("land_cover",)
    halved = True  # half of the training cells are such as changed

    def __init__(
        self, given: Given = GIVEN, rounds: int = 400, rows: int = 400_000, cases: int = 60, depth: int = 6,
        learning_rate: float = 0.1, masked: float = 0.5, seed: int = 0, threads: int = 2, device: str = "cpu",
        checkpoints: Path | None = None,
    ) -> None:  # fmt: skip
        self.settings: dict[str, Any] = {"rounds": rounds, "rows": rows, "cases": cases, "depth": depth,
                         "learning_rate": learning_rate, "masked": masked, "seed": seed, "threads": threads,
                         "device": device}  # fmt: skip
        self.given, self.checkpoints = given, checkpoints
        self.booster: xgboost.Booster | None = None
        self.features: list[str] = []
        self.classes: list[int] = []
        self.start: dict[int, np.ndarray] = {}
        self.temperature = 1.0

    def _cases(self, experiment: Experiment, part: Literal["train", "validation"]) -> list[Pair]:
        years = experiment.learned(part)
        every = list(pairs(experiment, part)) if self.given.prior_cover else [(y, y) for y in years]
        chosen = np.random.default_rng([self.settings["seed"], part == "train"]).permutation(len(every))
        return [every[i] for i in np.sort(chosen[: self.settings["cases"]])]

    def _learn_start(self, cube: Region, cases: list[Pair]) -> None:
        """Where boosting starts, by years between the maps, and the classes that there are."""
        count: dict[int, np.ndarray] = {}
        for prior_year, year in cases:
            found = count_groups(show(cube, self.given, prior_year, year, WHOLE), cube.field("land_cover", year))
            count[abs(year - prior_year)] = count.get(abs(year - prior_year), 0) + found
        seen = np.sum([found.sum((0, 1)) for found in count.values()], axis=0)
        self.classes = [int(c) for c in np.flatnonzero(seen)]
        self.start = {gap: start_shares(found, self.classes) for gap, found in sorted(count.items())}

    def _margin(self, shown: Shown, where: np.ndarray, years: int) -> np.ndarray:
        """Where boosting starts, log probabilities (cells, class)."""
        nearest = min(self.start, key=lambda gap: (abs(gap - abs(years)), gap))
        prior, use = (group[where] for group in shown.group)
        return np.log(np.maximum(self.start[nearest][prior, use], LEAST)).astype(np.float32)

    def _tables(self, cube: Region, cases: list[Pair], rows: int, training: bool) -> Iterator[Table]:
        """Predictors, labels and margins of the cells drawn from every pair of years."""
        for prior_year, year in cases:
            rng, hidden = np.random.default_rng([self.settings["seed"], training, prior_year, year]), None
            if training and self.given.prior_cover and rng.random() < self.settings["masked"]:
                hidden = hide_patches(cube.grid.shape, rng.random(), rng)
            cover, shown = cube.field("land_cover", year), show(cube, self.given, prior_year, year, WHOLE, hidden)
            halved = training and self.halved
            drawn, odds = draw_cells(shown, cover, self.classes, rows // len(cases), rng, halved)
            for strip in strips(*cover.shape):
                part, where = shown.cut(strip), drawn[strip]
                if not where.any():
                    continue
                margin = self._margin(part, where, year - prior_year)
                margin += np.float32(odds) * (part.prior[where][:, None] == np.array(self.classes))
                unseen = None if hidden is None else hidden[strip]
                matrix = self._matrix(cube, prior_year, year, Window(strip, slice(None)), where, unseen)
                yield matrix, np.searchsorted(self.classes, cover[strip][where]), margin

    def _matrix(
        self, cube: Region, prior_year: int, year: int, window: Window, where: np.ndarray,
        hidden: np.ndarray | None,
    ) -> np.ndarray:  # fmt: skip
        """Predictors of some cells of a window, (cells, predictor) float32."""
        fields = annual_fields(cube, self.given, prior_year, year, window, hidden)
        self.features = self.features or list(fields)
        if list(fields) != self.features:
            odd = sorted(set(fields) ^ set(self.features))
            raise ValueError(f"{self.name}: predictors differ from those trained on: {odd}; use the same inputs.")
        return np.stack([field[where] for field in fields.values()], axis=1)

    def _parameters(self) -> dict[str, Any]:
        return {
            "objective": "multi:softprob", "num_class": len(self.classes), "tree_method": "hist",
            "max_depth": self.settings["depth"], "eta": self.settings.get("learning_rate", 1.0), "subsample": 0.8,
            "colsample_bytree": 0.5, "seed": self.settings["seed"], "nthread": self.settings["threads"],
            "device": self.settings["device"],
        }  # fmt: skip

    def fit(self, cube: Region, experiment: Experiment) -> Self:
        """See `GreenModel`.

        Raises
        ------
        ValueError
            If there is nothing to learn from, or all of it has one class.
        """
        train, held = self._cases(experiment, "train"), self._cases(experiment, "validation")
        self.features, self.classes = [], []
        if train and held:
            self._learn_start(cube, train)
        if len(self.classes) < 2:
            raise ValueError(
                f"land cover, region {cube.name}: {len(train)} training and {len(held)} validation cases, classes "
                f"{self.classes}; two classes are needed: give more years in run.yml, or a region with land."
            )
        rows, threads = int(self.settings["rows"]), int(self.settings["threads"])
        learned, seen = quantile_matrix(self._tables(cube, train, rows, True), threads)
        stop, stopping = quantile_matrix(self._tables(cube, held, rows // 4, False), threads, learned)
        years = experiment.learned("train")
        file = f"{self.name}-{variant(self.given)}-{experiment.start}-{years[0]}-{years[-1]}.ubj"
        self.booster = boost(
            self._parameters(), learned, int(self.settings.get("rounds", 1)), f"{self._parameters()} {seen}{stopping}",
            stop, checkpoint=self.checkpoints / file if self.checkpoints else None,
        )  # fmt: skip
        self.temperature = fit_temperature(self.booster.predict(stop, output_margin=True), stop.get_label())
        return self

    def predict(
        self, cube: Region, prior_year: int, year: int, hidden: np.ndarray | None = None,
        window: Window = WHOLE,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """See `GreenModel`; predictors are in memory for 250,000 cells at a time."""
        cells = Window(*window).resolved(cube.grid.shape)
        out = np.zeros((CODES.size, *cells.shape), np.float32)
        for strip in strips(*cells.shape):
            part = Window(strip, slice(0, cells.shape[1])).placed_in(cells)
            self._fill(out[:, strip], cube, prior_year, year, part, None if hidden is None else hidden[strip])
        return {"land_cover": out}

    def _fill(
        self, out: np.ndarray, cube: Region, prior_year: int, year: int, window: Window,
        hidden: np.ndarray | None,
    ) -> None:  # fmt: skip
        """Class probabilities of a strip, into zeros."""
        assert self.booster is not None, "fit or load the trees first"
        shown = show(cube, self.given, prior_year, year, window, hidden)
        out[np.isin(CODES, WATER)] = shown.water
        where = shown.valid & ~shown.water
        if where.any():
            margin = self._margin(shown, where, year - prior_year)
            matrix = self._matrix(cube, prior_year, year, window, where, hidden)
            p = temper(self.booster.inplace_predict(matrix, base_margin=margin), self.temperature, 1)
            for column, code in enumerate(self.classes):
                out[np.searchsorted(CODES, code), where] = p[:, column]

    def save(self, folder: Path) -> None:
        """Write ``model.ubj``, ``start.npz`` and ``model.json`` (classes, predictors, settings)."""
        assert self.booster is not None, "nothing to save before fit"
        folder.mkdir(parents=True, exist_ok=True)
        self.booster.save_model(folder / "model.ubj")
        stored: dict[str, Any] = {str(gap): shares for gap, shares in self.start.items()}
        np.savez_compressed(folder / "start.npz", allow_pickle=False, **stored)
        about = {
            "model": self.name, "legend": "land_cover", "classes": self.classes, "features": self.features,
            "temperature": self.temperature, "given": asdict(self.given), "settings": self.settings,
            "software": f"ai4land {__version__}",
        }  # fmt: skip
        (folder / "model.json").write_text(json.dumps(about, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the folder holds another model, or one of another legend.
        """
        about = json.loads((folder / "model.json").read_text())
        if about["model"] != cls.name or about["legend"] != "land_cover":
            raise ValueError(f"{folder}: holds {about['model']} of legend {about['legend']}, expected {cls.name}.")
        model = cls(Given(**about["given"]), **about["settings"])
        model.classes, model.features = about["classes"], about["features"]
        model.temperature = about["temperature"]
        with np.load(folder / "start.npz", allow_pickle=False) as stored:
            model.start = {int(gap): stored[gap] for gap in stored.files}
        model.booster = xgboost.Booster(model_file=folder / "model.ubj")
        return model
