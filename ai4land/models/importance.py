"""What the trees look at."""

from pathlib import Path

import numpy as np
import pandas as pd

from ai4land.models.trees import Trees


def importance(trees: Trees) -> pd.Series:
    """Share of the total gain that each feature brings, largest first."""
    assert trees.booster is not None, "fit or load the trees first"
    gain = trees.booster.get_score(importance_type="total_gain")
    shares = pd.Series({trees.features[int(k[1:])]: float(np.sum(v)) for k, v in gain.items()})
    return (shares / shares.sum()).sort_values(ascending=False)


def mean_importance(folder: Path) -> pd.Series:
    """Mean over the trees saved in a folder of the share of gain that each feature brings, largest first."""
    shares = [importance(Trees.load(path.parent)) for path in sorted(folder.glob("*/model.json"))]
    return pd.concat(shares, axis=1).fillna(0).mean(axis=1).sort_values(ascending=False)
