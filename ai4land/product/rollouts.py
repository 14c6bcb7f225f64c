"""Where the rollouts of a run lie, and whether they are whole: asked before a product is begun."""

from pathlib import Path

import zarr

from ai4land.product.years import Years
from ai4land.runs import Run
from ai4land.stitch import Tile
from ai4land.store import read_about, steps_done


def rollout_path(results: Path, region: str, experiment: str, member: int) -> Path:
    """Store of one member's rollout in the folder of a run's results."""
    return results / region / "rollout.zarr" / experiment / str(member)


def check_rollouts(run: Run, results: Path, years: Years, tiles: dict[str, Tile]) -> list[str]:
    """What every rollout that a product needs was made from, region by region.

    Raises
    ------
    ValueError
        If one is missing, lacks years, or has another halo; one line names all regions.
    """
    names = list(dict.fromkeys(years.emulated.values()))
    faults, made = [], []
    for region, tile in tiles.items():
        for name in names:
            wanted = {year for year, maker in years.emulated.items() if maker == name}
            for member in range(run.experiments[name].members):
                path = rollout_path(results, region, name, member)
                title = name if run.experiments[name].members == 1 else f"{name} (member {member})"
                if not (path / "zarr.json").exists():
                    faults.append(f"{region}: {title} is not there")
                    continue
                made.append(read_about(path))
                if fault := _fault(path, wanted, tile):
                    faults.append(f"{region}: {title} {fault}")
    if faults:
        them = "it" if len({f.split(":")[0] for f in faults}) == 1 else "them"
        raise ValueError(f"stitch: rollouts lack {'; '.join(faults)}; run 06-reconstruct for {them}.")
    return made


def _fault(path: Path, wanted: set[int], tile: Tile) -> str:
    """What is wrong with one rollout, empty where nothing is."""
    done = steps_done(path)
    years = list(done)
    steps = [year for year in years if year in wanted]
    if lacking := sorted(wanted - set(years)):
        return f"has no {lacking[0]}-{lacking[-1]}"
    whole = years[: list(done.values()).index(False)] if not all(done.values()) else years
    if missing := [year for year in steps if year not in whole]:
        return f"ends at {whole[-1]} of {steps[-1]}" if whole else f"has none of {missing[0]}-{missing[-1]}"
    have, size = zarr.open_array(path / "land_use", mode="r").shape[1:], tile.wide.shape
    return "" if have == size else f"has {have[0]} x {have[1]} cells, not the {size[0]} x {size[1]} of halo {tile.halo}"
