"""Where the inputs are: the registry, the files found for a data set, and whether they are whole."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import pandas as pd
import rasterio

from ai4land.legend import DATA
from ai4land.runs import Run


@dataclass(frozen=True)
class InputFile:
    """One raw file and what its name says: ``keys`` holds the named groups of its pattern."""

    dataset: str
    path: Path
    keys: dict[str, str]

    @property
    def year(self) -> int:
        """Year in the file name."""
        return int(self.keys["year"])


def read_registry() -> pd.DataFrame:
    """Table ``data/registry.csv``, one row a file or series of files, index ``dataset``, all text."""
    return pd.read_csv(DATA / "registry.csv", dtype=str, keep_default_na=False, index_col="dataset")


def dataset_row(dataset: str) -> pd.Series:
    """Registry row of one data set.

    Raises
    ------
    ValueError
        If ``data/registry.csv`` has no such data set.
    """
    registry = read_registry()
    if dataset not in registry.index:
        raise ValueError(f"data set {dataset!r} is not in data/registry.csv; known are {sorted(registry.index)}.")
    return registry.loc[dataset]


def find_files(dataset: str, raw: Path, years: list[int] | None = None) -> list[InputFile]:
    """Files of one data set anywhere under a folder, by the registry's name pattern.

    Parameters
    ----------
    dataset : str
        A data set of the registry.
    raw : pathlib.Path
        Folder to search, all levels.
    years : list of int, optional
        Years that must be there, for a data set with one file a year.

    Returns
    -------
    list of InputFile
        In the order of year, then path.

    Raises
    ------
    FileNotFoundError
        If there is no file, or a year has none: names the files, their source and where to put them.
    ValueError
        If two files hold the same year.
    """
    row = dataset_row(dataset)
    pattern = re.compile(row["pattern"])
    found = []
    for path in sorted(p for p in raw.rglob("*") if p.is_file()) if raw.is_dir() else []:
        match = pattern.fullmatch(path.name) or pattern.fullmatch(path.relative_to(raw).as_posix())
        if match:
            found.append(InputFile(dataset, path, {k: v for k, v in match.groupdict().items() if v}))
    dated = "(?P<year>" in row["pattern"]
    if dated:
        found.sort(key=lambda f: (f.year, f.path))
        if years is not None:
            found = [f for f in found if f.year in years]
    where = (
        f"Source: {row['url']} ({row['access']}, {row['licence']}). Put the files anywhere under {raw} or give RAW=."
    )
    if not found:
        raise FileNotFoundError(f"{dataset} ({row['title']}): no file named {row['pattern']} under {raw}. {where}")
    if dated and years is not None:
        missing = sorted(set(years) - {f.year for f in found})
        if missing:
            have = sorted({f.year for f in found})
            raise FileNotFoundError(
                f"{dataset}: no file for years {missing} under {raw}; found {have[0]}-{have[-1]}. {where}"
            )
    names = pd.Series([tuple(sorted(f.keys.items())) for f in found])
    if names.duplicated().any():
        twice = [found[i].path.name for i in names.index[names.duplicated(keep=False)]]
        raise ValueError(f"{dataset}: several files for the same content under {raw}: {twice[:4]}; keep one of each.")
    return found


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def check_hash(file: InputFile, expected: str) -> None:
    """Raise ValueError if a file does not have the published hash (``algorithm:digest``)."""
    algorithm, digest = expected.split(":")
    found = file_hash(file.path, algorithm)
    if found != digest:
        raise ValueError(
            f"{file.path}: {algorithm} is {found}, the publisher's is {digest}; the file is damaged, "
            f"or another version of {file.dataset}. Fetch it again from {dataset_row(file.dataset)['url']}."
        )


def check_whole(path: Path) -> None:
    """Raise ValueError if the last values of a raster or NetCDF file cannot be read."""
    try:
        if path.suffix == ".nc":
            with netCDF4.Dataset(path) as data:
                for variable in data.variables.values():
                    variable[(-1,) * variable.ndim]
        else:
            with rasterio.open(path) as raster:
                raster.read(1, window=((raster.height - 1, raster.height), (0, raster.width)))
    except (rasterio.errors.RasterioError, OSError, RuntimeError, IndexError) as error:
        size = path.stat().st_size
        raise ValueError(
            f"{path}: truncated or damaged, {size} bytes, its last values cannot be read ({error}); "
            "delete it and fetch it again."
        ) from None


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
            if entry["hash"] and not run.synthetic and file.path.suffix == Path(entry["url"]).suffix:
                check_hash(file, entry["hash"])
            check_whole(file.path)
            rows.append({
                "role": role, "dataset": file.dataset, "file": file.path.name, "path": str(file.path),
                "bytes": file.path.stat().st_size, "sha256": file_hash(file.path),
                "licence": "none: synthetic" if run.synthetic else entry["licence"],
                "doi": "" if run.synthetic else entry["doi"],
            })  # fmt: skip
    return pd.DataFrame(rows)


def find_inputs(run: Run, raw: Path) -> dict[str, list[InputFile]]:
    """Files of every input of a run, by role, as `find_files` finds them."""
    chosen = run.inputs.by_role
    return {role: find_files(d, raw, run.map_years if role == "land_use" else None) for role, d in chosen.items()}
