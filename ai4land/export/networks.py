"""Which networks of a run are released as emulators."""

from pathlib import Path

from ai4land.runs import SHARED, Run


def find_networks(models: Path, run: Run, region: str) -> dict[str, Path]:
    """Folders of trained networks, by the name that their graph gets.

    Land use: of each direction the network that steps the product, or that of ``run.shown``, or else of the first
    experiment that trained one; of folds the first. Land cover and leaf area: those that ``11-joint-model`` trained in
    the region, each fed with what the one before it makes.

    Parameters
    ----------
    models : pathlib.Path
        ``models`` of the run's results.
    run : Run
    region : str

    Returns
    -------
    dict of str to pathlib.Path

    Raises
    ------
    FileNotFoundError
        If there is no network of land use.
    """
    owner, found = (SHARED if run.weights == SHARED else region), dict[str, Path]()
    products = [name for name, experiment in run.experiments.items() if experiment.product]
    for name in dict.fromkeys([*products, run.shown, *run.experiments]):
        experiment = run.experiments[name]
        direction = "backward" if experiment.targets[-1] < experiment.start else "forward"
        trained = [run.model_of(name)] if experiment.trained_as else [name, f"{name}-fold0"]
        folders = [models / f"unet-{owner}" / folder for folder in trained]
        for folder in folders:
            if (folder / "model.json").exists():
                found.setdefault(f"land_use-{direction}", folder)
    if not found:
        raise FileNotFoundError(f"no network of land use in {models / f'unet-{owner}'}; run 03-train-unet first.")
    green = {target: models / f"unet-{target}-{region}" for target in ("land_cover", "leaf_area_index")}
    return found | {target: folder for target, folder in green.items() if (folder / "model.json").exists()}
