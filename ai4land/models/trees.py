"""XGBoost on cells with neighbourhood features."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import xgboost

from ai4land import __version__
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.models.base import Whole, one_hot
from ai4land.models.boosting import Table, boost, quantile_matrix
from ai4land.models.calibration import fit_temperature, temper
from ai4land.models.start import LEAST, start_shares, transition_frequencies
from ai4land.samples import (
    Batch,
    Case,
    Region,
    Split,
    case_batch,
    feature_matrix,
    feature_table,
    hide_patches,
    learnable,
    transition_counts,
)  # fmt: skip
from ai4land.samples.splits import BUFFER

_CELLS_AT_ONCE = 500_000  # rows of the feature table in work at a time


class Trees(Whole):
    """Gradient-boosted trees, one set a class.

    Boosting starts from the transition matrices of the training cells: with no trees the model gives each
    cell the shares of the classes that its prior class became after so many years, so that rare classes
    are not unlearned first; a hidden cell starts from the class fractions of its coarse cell. Where the
    coarse input is perfect, these shares are scaled until they add up to it in every coarse cell.
    Ocean and water are taken over from the prior map; the trees decide the cells that are land or hidden.
    A temperature found on the validation cells calibrates the probabilities.

    Parameters
    ----------
    rounds : int
        Boosting rounds at most; the validation cases stop earlier.
    rows : int
        Cells to train on at most, drawn evenly over cases.
    cases : int
        Pairs of years to draw from at most.
    depth : int
        Largest depth of a tree.
    learning_rate : float
    seed : int
    threads : int
    masked : float
        Share of the cases whose prior is partly hidden in random patches, so that hidden priors are not new.
    device : {'cpu', 'cuda'}
        Where trees grow; 'cuda' needs the package xgboost, not xgboost-cpu.
    checkpoints : pathlib.Path, optional
        Folder of the trees of unfinished boosting.

    References
    ----------
    Chen and Guestrin (2016), doi:10.1145/2939672.2939785
    """

    name = "xgboost"
    reach = BUFFER

    def __init__(
        self, rounds: int = 600, rows: int = 200_000, cases: int = 60, depth: int = 6,
        learning_rate: float = 0.1, seed: int = 0, threads: int = 2, masked: float = 0.0, device: str = "cpu",
        checkpoints: Path | None = None,
    ) -> None:  # fmt: skip
        self.settings: dict[str, Any] = {"rounds": rounds, "rows": rows, "cases": cases, "depth": depth,
                         "learning_rate": learning_rate, "seed": seed, "threads": threads,
                         "masked": masked, "device": device}  # fmt: skip
        self.checkpoints = checkpoints
        self.booster: xgboost.Booster | None = None
        self.features: list[str] = []
        self.classes: list[int] = []
        self.transitions: dict[int, np.ndarray] = {}
        self.temperature = 1.0

    def _tables(self, cube: Region, split: Split, cases: list[Case], rows: int, stream: int) -> Iterator[Table]:
        """Features, labels and margins of cells drawn evenly from at most ``settings['cases']`` cases, case by case."""
        rng = np.random.default_rng([int(self.settings["seed"]), stream, split.fold or 0])
        chosen = [cases[i] for i in np.sort(rng.permutation(len(cases))[: int(self.settings["cases"])])]
        chosen = [self._masked(case, cube.grid.shape, rng) for case in chosen]
        keep = min(1.0, rows / max(sum(int(learnable(cube, case).sum()) for case in chosen), 1))
        for case in chosen:
            where = learnable(cube, case) & (rng.random(cube.grid.shape) < keep)
            where &= np.isin(cube.field("land_use", case.year), self.classes)
            batch = case_batch(cube, split, case)
            table = feature_table(batch, where)
            self.features = list(table)
            labels = np.searchsorted(self.classes, cube.field("land_use", case.year)[where])
            yield feature_matrix(table), labels, self._margin(batch, where)

    def _masked(self, case: Case, shape: tuple[int, int], rng: np.random.Generator) -> Case:
        """A case as it is, or with its prior hidden in random patches."""
        if not self.settings["masked"] or rng.random() >= self.settings["masked"]:
            return case
        hidden = hide_patches(shape, rng.random(), rng)
        return replace(case, hidden=hidden if case.hidden is None else hidden | case.hidden)

    def _learn_transitions(self, cube: Region, split: Split) -> None:
        """Where boosting starts, and the classes that there are."""
        count = transition_counts(cube, split.train)
        self.classes = [int(c) for c in np.flatnonzero(np.sum(list(count.values()), axis=(0, 1)))] if count else []
        if self.settings["masked"]:
            seen = [
                np.unique(cube.field("land_use", c.year)[slice(None) if c.where is None else c.where])
                for c in split.train
            ]
            self.classes = [int(c) for c in np.unique(np.concatenate(seen)) if c != NO_DATA]
        self.transitions = transition_frequencies(count, self.classes)

    def _margin(self, batch: Batch, where: np.ndarray) -> np.ndarray:
        """Where boosting starts, log probabilities (cells, class)."""
        chosen = np.searchsorted(class_codes(read_legend("land_use")), self.classes)
        shares = start_shares(batch, self.transitions, self.classes)[chosen][:, where]
        return np.log(np.maximum(shares, LEAST)).T.astype(np.float32)

    def _rounds(self) -> int:
        return int(self.settings["rounds"])

    def _parameters(self) -> dict[str, Any]:
        return {
            "objective": "multi:softprob", "num_class": len(self.classes), "tree_method": "hist",
            "max_depth": self.settings["depth"], "eta": self.settings.get("learning_rate", 1.0), "subsample": 0.8,
            "colsample_bytree": 0.5, "seed": self.settings["seed"], "nthread": self.settings["threads"],
            "device": self.settings["device"],
        }  # fmt: skip

    def fit(self, cube: Region, split: Split) -> Self:
        """Learn from the training cases; validation cases stop the boosting, and then, in a refit, join them.

        Raises
        ------
        ValueError
            If no cell can be learned from, or all have one class.
        """
        self._learn_transitions(cube, split)
        if len(self.classes) < 2:
            raise ValueError(
                f"{split.experiment}, region {cube.name}, fold {split.fold}: training cells hold classes "
                f"{self.classes}, two are needed; is the region all ocean? Use a larger region or fewer folds."
            )
        rows, threads, fold = int(self.settings["rows"]), int(self.settings["threads"]), split.fold
        train, seen = quantile_matrix(self._tables(cube, split, split.train, rows, 0), threads)
        held, stopping = quantile_matrix(self._tables(cube, split, split.validation, rows // 4, 1), threads, train)
        name, about = f"{split.experiment}-{fold}", f"{self._parameters()} {seen}"
        file = self.checkpoints / f"{name}.ubj" if self.checkpoints else None
        self.booster = boost(self._parameters(), train, self._rounds(), about + stopping, held, checkpoint=file)
        self.temperature = fit_temperature(self.booster.predict(held, output_margin=True), held.get_label())
        if split.refit:
            every, seen = quantile_matrix(self._tables(cube, split, split.train + split.validation, rows, 2), threads)
            file = self.checkpoints / f"{name}-refit.ubj" if self.checkpoints else None
            rounds, about = self.booster.num_boosted_rounds(), f"{self._parameters()} {seen}"
            self.booster = boost(self._parameters(), every, rounds, about, checkpoint=file)
        return self

    def predict_proba(self, batch: Batch) -> np.ndarray:
        """See `Model`.

        Raises
        ------
        ValueError
            If the batch has other features than the trees were trained on.
        """
        assert self.booster is not None, "fit or load the trees first"
        codes, prior = class_codes(read_legend("land_use")), batch.prior[0]
        fixed = np.isin(prior, np.setdiff1d(codes, class_codes(read_legend("land_use"), land_only=True)))
        out = one_hot(np.where(fixed, prior, NO_DATA)[None])
        free = batch.valid[0] & ~fixed
        wanted, margin = np.flatnonzero(free), self._margin(batch, free)
        for start in range(0, wanted.size, _CELLS_AT_ONCE):
            some = slice(start, start + _CELLS_AT_ONCE)
            where = np.zeros(prior.shape, bool)
            where.ravel()[wanted[some]] = True
            table = feature_table(batch, where)
            if list(table) != self.features:
                odd = sorted(set(table) ^ set(self.features))
                raise ValueError(f"{self.name}: features differ from those trained on: {odd}; use the same inputs.")
            p = self.booster.inplace_predict(feature_matrix(table), base_margin=margin[some])
            p = temper(p, self.temperature, 1)
            for column, code in enumerate(self.classes):
                out[0, np.searchsorted(codes, code)][where] = p[:, column]
        return out

    @property
    def parameters(self) -> int:
        """Number of nodes of all trees, read from the saved form: a table of the nodes takes ten times as long."""
        if self.booster is None:
            return 0
        saved = bytes(self.booster.save_raw("json"))
        nodes, deleted = (
            sum(map(int, re.findall(rb'"%s":"(\d+)"' % n, saved))) for n in (b"num_nodes", b"num_deleted")
        )
        return nodes - deleted

    def save(self, folder: Path) -> None:
        """Write ``model.ubj``, ``transitions.npz`` and ``model.json`` (classes, features, settings)."""
        assert self.booster is not None, "nothing to save before fit"
        folder.mkdir(parents=True, exist_ok=True)
        self.booster.save_model(folder / "model.ubj")
        about = {
            "model": self.name, "legend": "land_use", "classes": self.classes, "features": self.features,
            "temperature": self.temperature, "settings": self.settings, "software": f"ai4land {__version__}",
        }  # fmt: skip
        (folder / "model.json").write_text(json.dumps(about, indent=1) + "\n")
        stored = {str(gap): t for gap, t in self.transitions.items()}
        np.savez_compressed(folder / "transitions.npz", allow_pickle=False, **stored)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the folder holds another model, or one of another legend.
        """
        about = json.loads((folder / "model.json").read_text())
        if about["model"] != cls.name or about["legend"] != "land_use":
            raise ValueError(f"{folder}: holds {about['model']} of legend {about['legend']}, expected {cls.name}.")
        model = cls(**about["settings"])
        model.classes, model.features = about["classes"], about["features"]
        model.temperature = about["temperature"]
        with np.load(folder / "transitions.npz", allow_pickle=False) as stored:
            model.transitions = {int(gap): stored[gap] for gap in stored.files}
        model.booster = xgboost.Booster(model_file=folder / "model.ubj")
        return model
