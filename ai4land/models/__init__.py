"""Models behind one interface: fit on a split, give class probabilities for a batch, save, load."""

from ai4land.models.base import Model
from ai4land.models.baselines import CoarseMajority, KernelDensity, Persistence
from ai4land.models.choose import make_networks
from ai4land.models.forest import RandomForest
from ai4land.models.importance import mean_importance
from ai4land.models.neural import Neural
from ai4land.models.trees import Trees

__all__ = [
    "CoarseMajority", "KernelDensity", "Model", "Neural", "Persistence", "RandomForest", "Trees", "make_networks",
    "mean_importance",
]  # fmt: skip
