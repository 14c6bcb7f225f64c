"""Leaf area by boosted trees: a row is a month of a cell."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import xgboost

from ai4land import __version__
from ai4land.experiments import Experiment
from ai4land.models.boosting import Table, boost, quantile_matrix
from ai4land.models.green import Pair, pairs
from ai4land.models.leaf_rows import (
    Draw,
    blocks_of,
    changed_cells,
    cover_kind,
    draw_blocks,
    draw_rows,
    land_and_water,
    leaf_rows,
)
from ai4land.samples.patches import hide_patches
from ai4land.samples.predictors import Given, level_1
from ai4land.samples.region import Region
from ai4land.targets import read_target
from ai4land.vegetation import MONTHS
from ai4land.windows import WHOLE, Window

GIVEN = Given(land_use=True, land_cover=True, prior_leaves=True)
_CODES = 256


class LeafTrees:
    """Gradient-boosted trees of monthly leaf area index.

    Boosting starts from the mean season of each class of land cover (level 1) among the training cells, and the prior
    season is seen as what it has more than the mean season of the class that it had. So leaf area follows land cover
    before any tree grows, and the trees learn what place and weather make of it.

    Rows are drawn in blocks of 50 x 50 cells: the pairs of years come in turn, and so do the blocks that hold land,
    each in a random order; a block gives 50 rows a month, half of them from cells whose land use or land cover differs
    between the two years, or all of those if they are fewer. No weight undoes this: the predictors of a pair tell such
    cells from others, so that the mean that is learned for either stays as it was. Without predictors of the prior year
    they would not, and all rows are drawn alike. So are those of the validation years, which stop the boosting. Part of
    the blocks has its prior season hidden in random patches, at a random ratio.

    Trees do not extrapolate: beyond the climate and CO2 of the training years leaf area stays as it is at their edge.

    Parameters
    ----------
    rounds : int
        Boosting rounds at most.
    rows : int
        Rows to train on, about; a quarter as many for validation.
    depth : int
        Largest depth of a tree.
    learning_rate : float
    masked : float
        Share of the blocks whose prior season is partly hidden.
    given : Given
        Predictors; land cover and land use of the target year tell where water is.
    seed, threads : int
    device : {'cpu', 'cuda'}
        Where trees grow.
    checkpoints : pathlib.Path, optional
        Folder of the trees of unfinished boosting.

    Attributes
    ----------
    error : pandas.DataFrame
        Error in the validation years, where no prior season is hidden: columns month (1 to 12), cover (level-1 code),
        rmse (m2 m-2), cells.

    References
    ----------
    Chen and Guestrin (2016), doi:10.1145/2939672.2939785
    """

    name = "xgboost"
    targets: tuple[str, ...] = ("leaf_area_index",)

    def __init__(
        self, rounds: int = 300, rows: int = 200_000, depth: int = 8, learning_rate: float = 0.1, masked: float = 0.5,
        given: Given = GIVEN, seed: int = 0, threads: int = 1, device: str = "cpu", checkpoints: Path | None = None,
    ) -> None:  # fmt: skip
        self.given = given
        self.settings: dict[str, Any] = {"rounds": rounds, "rows": rows, "depth": depth, "learning_rate": learning_rate,
                         "masked": masked, "seed": seed, "threads": threads, "device": device}  # fmt: skip
        self.checkpoints = checkpoints
        self.booster: xgboost.Booster | None = None
        self.features: list[str] = []
        self.seasons = np.zeros((MONTHS, _CODES), np.float32)  # mean leaf area by month and class
        self.error = pd.DataFrame(columns=["month", "cover", "rmse", "cells"])

    def _learn_seasons(self, cube: Region, draws: list[Draw]) -> None:
        total, number = np.zeros((MONTHS, _CODES)), np.zeros((MONTHS, _CODES))
        for (_, year), window in draws:
            kind, leaves = cover_kind(cube, self.given, year, window), cube.field("leaf_area_index", year, window)
            known = np.isfinite(leaves) & land_and_water(cube, self.given, year, window)[0]
            for month, where in enumerate(known):
                total[month] += np.bincount(kind[where], leaves[month][where], _CODES)
                number[month] += np.bincount(kind[where], minlength=_CODES)
        # A class without training cells starts from the mean of all.
        every = total.sum(1, keepdims=True) / np.maximum(number.sum(1, keepdims=True), 1)
        self.seasons = np.where(number > 0, total / np.maximum(number, 1), every).astype(np.float32)

    def _rows(
        self, cube: Region, pair: Pair, window: Window, hidden: np.ndarray | None, month: np.ndarray,
        cell: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Predictors (rows, predictor) of months and flat cells of a window, and where boosting starts (rows,)."""
        names, x = leaf_rows(cube, self.given, self.seasons, pair, window, hidden, month, cell)
        if self.features and names != self.features:
            odd = sorted(set(names) ^ set(self.features))
            raise ValueError(f"{self.name}: features differ from those trained on: {odd}; use the same inputs.")
        self.features = names
        return x, self.seasons[month, cover_kind(cube, self.given, pair[1], window).ravel()[cell]]

    def _tables(
        self, cube: Region, draws: list[Draw], stream: int, seen: list[pd.DataFrame] | None = None
    ) -> Iterator[Table]:
        """Predictors, leaf area and starts, block by block.

        ``seen``, of validation, gets month, cover and hidden of every row; its rows are drawn from all cells alike.
        """
        rng = np.random.default_rng([int(self.settings["seed"]), stream, 1])
        for pair, window in draws:
            land, _ = land_and_water(cube, self.given, pair[1], window)
            part = self.given.prior_leaves and rng.random() < self.settings["masked"]
            hidden = hide_patches((land.shape[0], land.shape[1]), rng.random() if part else 0.0, rng)
            changed = changed_cells(cube, self.given, pair, window) & (seen is None)
            leaves = cube.field("leaf_area_index", pair[1], window)
            month, cell = draw_rows(np.isfinite(leaves) & land, changed, rng)
            if not cell.size:
                continue
            if seen is not None:
                cover = level_1(cube.field("land_cover", pair[1], window)).ravel()[cell]
                seen.append(pd.DataFrame({"month": month + 1, "cover": cover, "hidden": hidden.ravel()[cell]}))
            x, start = self._rows(cube, pair, window, hidden, month, cell)
            yield x, leaves.reshape(MONTHS, -1)[month, cell].astype(np.float32), start

    def _parameters(self) -> dict[str, Any]:
        return {
            "objective": "reg:squarederror", "tree_method": "hist", "max_depth": self.settings["depth"],
            "eta": self.settings["learning_rate"], "subsample": 0.8, "colsample_bytree": 0.5,
            "seed": self.settings["seed"], "nthread": self.settings["threads"], "device": self.settings["device"],
        }  # fmt: skip

    def fit(self, cube: Region, experiment: Experiment) -> Self:
        """Learn from the training years; validation years stop the boosting and give ``error``.

        Raises
        ------
        ValueError
            If the region has no land, or a map, season or climate of a year is not there.
        """
        self.features = []
        rows, threads, seed = (int(self.settings[key]) for key in ("rows", "threads", "seed"))
        draws = draw_blocks(cube, self.given, list(pairs(experiment, "train")), rows, [seed, 0])
        checks = draw_blocks(cube, self.given, list(pairs(experiment, "validation")), rows // 4, [seed, 1])
        self._learn_seasons(cube, draws)
        seen: list[pd.DataFrame] = []
        train, about = quantile_matrix(self._tables(cube, draws, 0), threads)
        held, stopping = quantile_matrix(self._tables(cube, checks, 1, seen), threads, train)
        file = self.checkpoints / f"{self.name}-{self.targets[0]}.ubj" if self.checkpoints else None
        about = f"{self._parameters()} {about} {stopping}"
        self.booster = boost(self._parameters(), train, int(self.settings["rounds"]), about, held, checkpoint=file)
        off = np.clip(self.booster.predict(held), *read_target("leaf_area_index").bounds) - held.get_label()
        squares = pd.concat(seen).assign(square=off.astype(float) ** 2).query("not hidden")
        mean = squares.groupby(["month", "cover"])["square"].agg(["mean", "size"])
        self.error = pd.DataFrame({"rmse": np.sqrt(mean["mean"]), "cells": mean["size"]}).reset_index()
        return self

    def predict(
        self, cube: Region, prior_year: int, year: int, hidden: np.ndarray | None = None,
        window: Window = WHOLE,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """See `GreenModel`; made block by block.

        Raises
        ------
        ValueError
            If there are other predictors than the trees were trained on.
        """
        assert self.booster is not None, "fit or load the trees first"
        cells = Window(*window).resolved(cube.grid.shape)
        out = np.full((MONTHS, *cells.shape), np.nan, np.float32)
        for block in blocks_of(cube.grid, window):
            inside = block.relative_to(cells)
            land, water = land_and_water(cube, self.given, year, block)
            made = out[(slice(None), *inside)]
            made[:, water] = 0
            if land.any():
                cell = np.flatnonzero(land)
                month = np.repeat(np.arange(MONTHS), cell.size)
                shown = None if hidden is None else hidden[inside]
                x, start = self._rows(cube, (prior_year, year), block, shown, month, np.tile(cell, MONTHS))
                values = self.booster.inplace_predict(x, base_margin=start)
                made[:, land] = np.clip(values, *read_target("leaf_area_index").bounds).reshape(MONTHS, -1)
        return {self.targets[0]: out}

    def save(self, folder: Path) -> None:
        """Write ``model.ubj``, ``model.json`` (predictors, settings), ``seasons.npy`` and ``error.csv``."""
        assert self.booster is not None, "nothing to save before fit"
        folder.mkdir(parents=True, exist_ok=True)
        self.booster.save_model(folder / "model.ubj")
        np.save(folder / "seasons.npy", self.seasons)
        about = {
            "model": self.name, "target": self.targets[0], "given": asdict(self.given), "features": self.features,
            "settings": self.settings, "software": f"ai4land {__version__}",
        }  # fmt: skip
        (folder / "model.json").write_text(json.dumps(about, indent=1) + "\n")
        self.error.to_csv(folder / "error.csv", index=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; executes no code.

        Raises
        ------
        ValueError
            If the folder holds another model, or one of another target.
        """
        about = json.loads((folder / "model.json").read_text())
        if about["model"] != cls.name or about.get("target") != cls.targets[0]:
            raise ValueError(
                f"{folder}: holds {about['model']} of {about.get('target')}, expected {cls.name} of leaf area."
            )
        model = cls(**about["settings"], given=Given(**about["given"]))
        model.features, model.error = about["features"], pd.read_csv(folder / "error.csv")
        model.seasons = np.load(folder / "seasons.npy", allow_pickle=False)
        model.booster = xgboost.Booster({"nthread": model.settings["threads"]}, model_file=folder / "model.ubj")
        return model
