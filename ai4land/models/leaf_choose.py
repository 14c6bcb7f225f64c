"""Models of leaf area that are compared: trees in three variants, and networks by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ai4land.models.green import GreenModel
from ai4land.models.leaf_trees import GIVEN, LeafTrees

VARIANTS = {
    "cover+prior": GIVEN,
    "cover": replace(GIVEN, prior_leaves=False),
    "coupled": replace(GIVEN, coupled=True),
}
_NETWORKS = ("unet", "sequence")


def make_leaf_models(
    trees: dict[str, Any], networks: str, steps: int, checkpoints: Path
) -> dict[tuple[str, str], GreenModel]:
    """New models by name and member.

    Parameters
    ----------
    trees : dict
        Settings of `LeafTrees`, the seed among them; its members are those of ``VARIANTS``.
    networks : str
        'unet', 'sequence', both with a comma between, or 'none'; with the predictors of the first variant.
    steps : int
        Training steps of the networks.
    checkpoints : pathlib.Path
        Folder of unfinished training.

    Raises
    ------
    ValueError
        If a network is unknown.
    """
    names = [name for name in networks.split(",") if name != "none"]
    if odd := sorted(set(names) - set(_NETWORKS)):
        raise ValueError(f"networks {odd}: expected none, or one or more of {', '.join(_NETWORKS)}.")
    models: dict[tuple[str, str], GreenModel] = {
        ("xgboost", member): LeafTrees(**trees, given=given, checkpoints=checkpoints / member)
        for member, given in VARIANTS.items()
    }
    if names:  # torch takes seconds to import
        from ai4land.models.green_net import GreenNet
        from ai4land.models.season import SeasonNet

        common: dict[str, Any] = {"given": GIVEN, "steps": steps, "seed": trees["seed"]}
        made = {
            "unet": GreenNet(heads=("leaf_area_index",), **common, checkpoints=checkpoints / "unet"),
            "sequence": SeasonNet(**common, checkpoints=checkpoints / "sequence"),
        }
        models |= {(name, "cover+prior"): made[name] for name in names}
    return models
