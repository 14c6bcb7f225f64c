"""Boosting in bounded memory: tables of cells are quantised one after the other, and a killed run goes on."""

import hashlib
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

Table = tuple[np.ndarray, np.ndarray, np.ndarray]  # features, labels, margins
ROUNDS_AT_ONCE = 100  # rounds between two checkpoints


class _Batches(xgboost.DataIter):
    """Tables on disk, handed to XGBoost one at a time."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.number, self.at = folder, number, 0
        super().__init__()

    def next(self, input_data: Any) -> bool:
        """Hand over the next table; False at the end."""
        if self.at == self.number:
            return False
        x, label, margin = (np.load(self.folder / f"{self.at}-{part}.npy") for part in range(3))
        input_data(data=x, label=label, base_margin=margin)
        self.at += 1
        return True

    def reset(self) -> None:
        """Begin again: quantiles are found in one pass, and applied in the next."""
        self.at = 0


def quantile_matrix(
    tables: Iterable[Table], threads: int, ref: xgboost.QuantileDMatrix | None = None
) -> tuple[xgboost.QuantileDMatrix, str]:
    """Quantised features of all tables; no more than one table is in memory at a time.

    Parameters
    ----------
    tables : iterable of tuple of numpy.ndarray
        Features (cells, feature), labels (cells,), margins (cells, class).
    threads : int
    ref : xgboost.QuantileDMatrix, optional
        Take its quantiles.

    Returns
    -------
    xgboost.QuantileDMatrix
    str
        Hash of what is in it.
    """
    digest, number = hashlib.sha256(), 0
    with tempfile.TemporaryDirectory(prefix="ai4land-") as folder:
        for table in tables:
            if not len(table[1]):
                continue
            for part, values in enumerate(table):
                digest.update(np.ascontiguousarray(values).tobytes())
                np.save(Path(folder) / f"{number}-{part}.npy", values)
            number += 1
        return xgboost.QuantileDMatrix(_Batches(Path(folder), number), ref=ref, nthread=threads), digest.hexdigest()


def _restored(checkpoint: Path | None, about: str) -> tuple[bytearray | None, list[float]]:
    """Model and history of a checkpoint of the same training; none of any other."""
    if checkpoint is None or not checkpoint.exists():
        return None, []
    booster = xgboost.Booster(model_file=checkpoint)
    if booster.attr("about") != about:
        return None, []
    return booster.save_raw(), json.loads(booster.attr("history") or "[]")


def boost(
    parameters: dict[str, Any], train: xgboost.QuantileDMatrix, rounds: int, about: str,
    held: xgboost.QuantileDMatrix | None = None, patience: int = 20, checkpoint: Path | None = None,
) -> xgboost.Booster:  # fmt: skip
    """Grow trees until the loss on ``held`` has not fallen for ``patience`` rounds.

    Every 100 rounds the booster is made anew from its bytes, killed or not: so both end with the same trees.

    Parameters
    ----------
    parameters : dict
        Of XGBoost.
    train, held : xgboost.QuantileDMatrix
    rounds : int
        At most.
    about : str
        What the trees depend on: a checkpoint of something else is not gone on with.
    patience : int
    checkpoint : pathlib.Path, optional

    Returns
    -------
    xgboost.Booster
        Of the rounds up to the lowest loss; of all rounds without ``held``.
    """
    raw, history = _restored(checkpoint, about)

    def over() -> bool:
        return held is not None and len(history) - 1 - int(np.argmin(history or [0.0])) >= patience

    while len(history) < rounds and not over():
        settings = parameters | {"seed": parameters["seed"] + len(history)}
        booster = xgboost.Booster(settings, [train] if held is None else [train, held], model_file=raw)
        for number in range(len(history), min(len(history) + ROUNDS_AT_ONCE, rounds)):
            booster.update(train, number)
            history.append(0.0 if held is None else float(booster.eval(held).rsplit(":", 1)[1]))
            if over():
                break
        booster.set_attr(about=about, history=json.dumps(history))
        raw = booster.save_raw()
        if checkpoint is not None:
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            part = checkpoint.with_suffix(".part.ubj")
            booster.save_model(part)
            part.replace(checkpoint)
    ended = xgboost.Booster(parameters, model_file=raw)
    ended.set_attr(about=None, history=None)
    return ended if held is None else ended[: int(np.argmin(history)) + 1]
