"""What stitching does to the rollouts of a run that have maps to judge them by, region by region."""

from pathlib import Path

import pandas as pd
import xarray as xr

from ai4land.allocate.wanted import class_pools
from ai4land.product.rollouts import rollout_path
from ai4land.rollout import open_rollout
from ai4land.runs import Run
from ai4land.stitch import Tile, count_disagreement, count_seam, edge_mask, join_regions, stitch_maps
from ai4land.windows import Window


def _opened(results: Path, tiles: dict[str, Tile], name: str) -> dict[str, xr.Dataset]:
    """First member's rollout of every region."""
    return {region: open_rollout(rollout_path(results, region, name, 0)) for region in tiles}


def count_seams(run: Run, results: Path, tiles: dict[str, Tile], observed: xr.DataArray) -> pd.DataFrame:
    """Counts of `ai4land.stitch.count_seam` of every rollout that has reference maps, region by region.

    ``observed`` (time, lat, lon) is of the run's grid, lazy. Columns experiment and region beside those counts.
    Raises ValueError if the run has no such rollout.
    """
    tables = []
    for name, experiment in run.experiments.items():
        if not (experiment.stepwise and experiment.allocation and run.judged(name)):
            continue
        rolled, pools = _opened(results, tiles, name), class_pools(experiment)
        for region, tile in tiles.items():
            true = observed.isel(lat=tile.own[0], lon=tile.own[1])
            made = stitch_maps(tiles, rolled, region, experiment.targets, pools)
            start, near = true.sel(time=experiment.start).to_numpy(), edge_mask(tiles, tile.own)
            counts = count_seam(start, true.sel(time=experiment.targets), made, near)
            tables.append(counts.assign(experiment=name, region=region))
    if not tables:
        raise ValueError(
            f"run {run.name}: no stepwise experiment has test years with maps, so seams cannot be judged; add one to "
            "run.yml, such as rollout_forward of the run demo."
        )
    return pd.concat(tables, ignore_index=True)


def count_apart(run: Run, results: Path, tiles: dict[str, Tile], name: str, one: xr.DataArray) -> pd.DataFrame:
    """Counts of `ai4land.stitch.count_disagreement`, all regions added, and their ``share`` of the cells.

    ``one`` (time, lat, lon) is the same rollout made in one piece, on the run's grid.
    """
    experiment, rolled, tables = run.experiments[name], _opened(results, tiles, name), []
    for region, tile in tiles.items():
        maps = stitch_maps(tiles, rolled, region, experiment.targets, class_pools(experiment))
        alone = one.isel(lat=tile.own[0], lon=tile.own[1]).sel(time=maps["time"])
        tables.append(count_disagreement(alone, maps, edge_mask(tiles, tile.own)))
    table = pd.concat(tables).groupby(["year", "place"], as_index=False).sum()
    return table.assign(share=table["differ"] / table["cells"])


def hard_joins(results: Path, tiles: dict[str, Tile], name: str, blended: xr.DataArray) -> xr.DataArray:
    """Own cells of each region side by side in one year of a rollout: that of a ``blended`` map of the run's grid."""
    made = _opened(results, tiles, name)
    whole = Window.whole((blended.sizes["lat"], blended.sizes["lon"]))
    return blended.copy(data=join_regions(tiles, made, int(blended["time"]), whole))
