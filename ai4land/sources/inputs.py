"""What a run reads: its data sets by role, the years of each, the files that are there, and those that are not."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ai4land.legend import DATA
from ai4land.runs import MADE_UP_MARK, Run
from ai4land.sources.climate import COMMON_PERIOD, check_climate_scenario
from ai4land.sources.registry import (
    InputFile,
    check_hash,
    check_whole,
    dataset_row,
    file_hash,
    find_files,
    is_window,
    series_of,
)

_COVER = ("land_cover", "land_cover_later")


@dataclass(frozen=True)
class Need:
    """One data set that a run reads; ``years`` are those wanted of a data set with one file a year, else None."""

    role: str
    dataset: str
    years: tuple[int, ...] | None


def wanted_years(run: Run, role: str) -> list[int]:
    """Years of one input that a run uses, ascending, whether they are published or not.

    Of land cover and leaf area those of the run's vegetation, where it has that. Of a reanalysis that a climate model
    continues or vegetation is predicted from, a span without gaps: with the years of the maps, those of the vegetation
    and the year before, and the common period of reanalysis and model. Of all else the years of the run's maps.
    """
    vegetation = run.vegetation
    if vegetation and role in (*_COVER, "leaf_area_index"):
        return vegetation.years if role in _COVER else vegetation.leaf_years
    if role == "climate" and (vegetation or run.inputs.climate_history):
        years = [*run.map_years, *(COMMON_PERIOD if run.inputs.climate_history else ())]
        years += [year - back for year in (vegetation.years if vegetation else ()) for back in (0, 1)]
        return list(range(min(years), max(years) + 1))
    return run.map_years


def _published(dataset: str) -> list[int]:
    """Years that the registry lists of a data set; none where its files do not go by years."""
    return [int(one["year"]) for one in series_of(dataset_row(dataset)) if "year" in one]


def _versions(run: Run, years: Collection[int]) -> list[str]:
    """Versions of land cover that some years are of, with the first and the last of these years."""
    found = []
    for dataset in filter(None, (getattr(run.inputs, role) for role in _COVER)):
        if mine := sorted(set(years) & set(_published(dataset))):
            found.append(f"{dataset} v{dataset_row(dataset)['version']} ({mine[0]}-{mine[-1]})")
    return found


def check_cover_versions(run: Run) -> str:
    """Refuse two versions of land cover as the target of one experiment.

    Returns
    -------
    str
        A note for the reader where leaf area is predicted from both; else empty.

    Raises
    ------
    ValueError
        If the years of an experiment of land cover are of both.
    """
    if run.vegetation is None:
        return ""
    for name, experiment in run.vegetation.land_cover.items():
        if len(found := _versions(run, experiment.observed)) > 1:
            raise ValueError(
                f"run {run.name}: land_cover experiment {name} takes its maps from {' and '.join(found)}; sensors and "
                "processing change between them, which would pass for change of the land. Choose years of one."
            )
    found = _versions(run, run.vegetation.leaf_years)
    if len(found) < 2:
        return ""
    return f"Note: leaf area is predicted from land cover of {' and '.join(found)}: a break in a predictor."


def needs(run: Run) -> list[Need]:
    """Data sets that a run reads, by role.

    Land use is wanted for every year of the run; of other series those of `wanted_years` that are published, and a
    series without any of them is not needed.

    Raises
    ------
    ValueError
        If a data set cannot serve in its role (``data/roles.csv``), a scenario has no climate
        (`ai4land.sources.climate.check_climate_scenario`), or as `check_cover_versions`.
    """
    wanted = []
    check_cover_versions(run)
    roles = pd.read_csv(DATA / "roles.csv", index_col="role")["readers"]
    for scenario in run.inputs.climate_scenarios:
        check_climate_scenario(scenario)
    for role, dataset in run.inputs.by_role.items():
        row = dataset_row(dataset)
        kind = "scenarios" if role in run.inputs.scenarios else re.sub(r"-.*", "_scenarios", role)
        if row["reader"] and row["reader"] not in roles[kind].split():
            raise ValueError(f"run {run.name}: {dataset} ({row['title']}) cannot serve as {role}.")
        published, years = _published(dataset), None
        listed = role == "land_use" or (role == "leaf_area_index" and run.vegetation is not None and not published)
        if listed and "(?P<year>" in row["pattern"]:
            years = tuple(wanted_years(run, role))
        elif published:
            years = tuple(y for y in wanted_years(run, role) if y in published)
        if years != ():
            wanted.append(Need(role, dataset, years))
    return wanted


def find_inputs(run: Run, raw: Path) -> dict[str, list[InputFile]]:
    """Files of every input of a run, by role, as `find_files` finds them; of a scenario, that one's only."""
    found = {need.role: find_files(need.dataset, raw, need.years, run.window) for need in needs(run)}
    for role, files in found.items():
        if scenario := role.partition("-")[2]:
            found[role] = [f for f in files if scenario.startswith(f.keys.get("scenario", scenario))]
    return found


def missing_inputs(run: Run, raw: Path) -> dict[Need, str]:
    """Inputs that `find_files` does not find, or not for every year, under ``raw``, and what it says of each.

    Raises
    ------
    ValueError
        If the run is real and the files are made up.
    """
    mark = next(raw.rglob(MADE_UP_MARK), None)
    if mark is not None and not run.synthetic:
        raise ValueError(f"run {run.name} is real, the files in {mark.parent} are made up; give another RAW=.")
    absent: dict[Need, str] = {}
    for need in needs(run):
        try:
            find_files(need.dataset, raw, need.years, run.window)
        except FileNotFoundError as error:
            if need.dataset not in {other.dataset for other in absent}:
                absent[need] = str(error)
    return absent


def inventory(run: Run, raw: Path) -> pd.DataFrame:
    """Every input file of a run, found, read to its end and hashed.

    Parameters
    ----------
    run : Run
    raw : pathlib.Path
        Folder to search.

    Returns
    -------
    pandas.DataFrame
        Columns role, dataset, file (name), path, bytes, sha256, licence, doi; in a fixed order.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is truncated or has a wrong hash.
    """
    rows = []
    for role, files in find_inputs(run, raw).items():
        entry = dataset_row(files[0].dataset)
        for file in files:
            published = entry["hash"] and not run.synthetic and not is_window(file.path)
            if published and file.path.suffix == Path(entry["url"]).suffix:
                check_hash(file, entry["hash"])
            check_whole(file.path)
            rows.append({
                "role": role, "dataset": file.dataset, "file": file.path.name, "path": str(file.path),
                "bytes": file.path.stat().st_size, "sha256": file_hash(file.path),
                "licence": "none: synthetic" if run.synthetic else entry["licence"],
                "doi": "" if run.synthetic else entry["doi"],
            })  # fmt: skip
    return pd.DataFrame(rows)
