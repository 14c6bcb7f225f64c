"""What stitching does to the rollouts of a run that have maps to judge them by, region by region."""

from pathlib import Path

import pandas as pd
import xarray as xr

from ai4land.experiments import Experiment
from ai4land.product.fields import class_pools
from ai4land.product.rollouts import rollout_path
from ai4land.rollout import open_rollout
from ai4land.runs import Run
from ai4land.stitch import Tile, count_disagreement, count_seam, edge_mask, join_regions, stitch_maps


def stitch_judged(run: Run, results: Path, tiles: dict[str, Tile]) -> dict[str, dict[str, xr.DataArray]]:
    """Stitched maps of the judged years of every rollout that has reference maps, by experiment and region.

    Parameters
    ----------
    run : Run
    results : pathlib.Path
        Folder of the run's results.
    tiles : dict of str to Tile
        Of all regions.

    Returns
    -------
    dict of str to dict
        Maps (time, lat, lon) uint8 of each region's own cells; first members only.
    """
    judged = {n: e for n, e in run.experiments.items() if e.stepwise and e.allocation and run.judged(n)}
    made = {n: {r: open_rollout(rollout_path(results, r, n, 0)) for r in tiles} for n in judged}
    return {n: {r: stitch_maps(tiles, made[n], r, e.targets, class_pools(e)) for r in tiles} for n, e in judged.items()}


def count_seams(
    experiment: Experiment, stitched: dict[str, xr.DataArray], observed: xr.DataArray, tiles: dict[str, Tile]
) -> pd.DataFrame:
    """Counts of `ai4land.stitch.count_seam` in all regions; ``observed`` (time, lat, lon) is of the run's grid."""
    tables = []
    for region, maps in stitched.items():
        true = observed.isel(lat=tiles[region].own[0], lon=tiles[region].own[1])
        start, near = true.sel(time=experiment.start).to_numpy(), edge_mask(tiles, tiles[region].own)
        tables.append(count_seam(start, true.sel(time=experiment.targets), maps, near).assign(region=region))
    return pd.concat(tables, ignore_index=True)


def count_apart(one: xr.DataArray, stitched: dict[str, xr.DataArray], tiles: dict[str, Tile]) -> pd.DataFrame:
    """Counts of `ai4land.stitch.count_disagreement`, all regions added, and their ``share`` of the cells.

    ``one`` (time, lat, lon) is the same rollout made in one piece, on the run's grid.
    """
    tables = []
    for region, maps in stitched.items():
        rows, cols = tiles[region].own
        alone = one.isel(lat=rows, lon=cols).sel(time=maps["time"])
        tables.append(count_disagreement(alone, maps, edge_mask(tiles, tiles[region].own)))
    table = pd.concat(tables).groupby(["year", "place"], as_index=False).sum()
    return table.assign(share=table["differ"] / table["cells"])


def hard_joins(results: Path, tiles: dict[str, Tile], name: str, blended: xr.DataArray) -> xr.DataArray:
    """Own cells of each region side by side in one year of a rollout: that of a ``blended`` map of the run's grid."""
    made = {r: open_rollout(rollout_path(results, r, name, 0)) for r in tiles}
    whole = slice(0, blended.shape[0]), slice(0, blended.shape[1])
    return blended.copy(data=join_regions(tiles, made, int(blended["time"]), whole))
