import numpy as np
import pandas as pd
import pytest
from tiny_run import tiny_land_use

from ai4land.evaluate import class_table, cost_table, fold_table, protocol_table


def score(metric, value, **keys):
    base = {"experiment": "masked_60", "model": "unet", "member": "all", "fold": "all", "region": "all", "lead": "1",
            "weight": "cells", "class": "all"}  # fmt: skip
    return {**base, **keys, "metric": metric, "value": value}


def test_the_protocol_shows_two_years_and_their_average_for_all_hidden_and_visible_cells():
    rows = []
    for fold, shift in (("all", 0.0), ("hidden", -0.2), ("visible", 0.1)):
        for lead, value in (("1", 0.8), ("2", 0.6)):
            rows += [
                score(m, value + shift, fold=fold, lead=lead) for m in ("overall_accuracy", "macro_f1", "mean_iou")
            ]
    table = protocol_table(pd.DataFrame(rows), tiny_land_use())
    assert table.index.tolist() == [("60%", part, "unet", "all") for part in ("all", "hidden", "visible")]
    hidden = table.loc[("60%", "hidden", "unet", "all"), "accuracy"]
    np.testing.assert_allclose(hidden[["year 0", "year 1", "average"]], [0.6, 0.4, 0.5])
    assert protocol_table(pd.DataFrame(rows).assign(experiment="other"), tiny_land_use()).empty


def test_classes_stand_in_rows_and_models_side_by_side():
    rows = [score(m, v, **{"class": c}, model=model) for model in ("unet", "xgboost")
            for c, v in (("urban", 0.1), ("forest", 0.9)) for m in ("accuracy", "f1", "iou")]  # fmt: skip
    table = class_table(pd.DataFrame(rows), "masked_60", "1")
    assert table.index.tolist() == ["urban", "forest"]
    assert table.loc["forest", ("xgboost", "all", "IoU")] == pytest.approx(0.9) and table.shape == (2, 6)


def test_folds_give_their_mean_and_spread():
    rows = [score("overall_accuracy", v, fold=str(i), region="r") for i, v in enumerate((0.7, 0.8, 0.9))]
    table = fold_table(pd.DataFrame(rows), {"overall_accuracy": "accuracy"})
    np.testing.assert_allclose(table.loc[("masked_60", "r", "unet", "all")], [0.8, 0.1])


def test_costs_add_up_over_regions_and_leave_borrowed_models_out(tmp_path):
    run = tiny_land_use()
    row = {"experiment": "forecast", "model": "unet", "member": "all", "fold": None, "training_seconds": 10.0,
           "prediction_seconds": 2.0, "cells": 1_000_000, "parameters": 50}  # fmt: skip
    for region in run.regions:
        (tmp_path / region).mkdir()
        borrowed = row | {"experiment": "masked_60", "training_seconds": float("nan")}
        pd.DataFrame([row, borrowed]).to_csv(tmp_path / region / "costs-unet.csv", index=False)
    table = cost_table(tmp_path, run)
    assert table.index.tolist() == [("forecast", "unet", "all")]
    assert table["training_seconds"].tolist() == [20] and table["million_cells_per_second"].tolist() == [0.5]
