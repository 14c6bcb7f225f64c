"""Where the inputs are: the registry, the files found for a data set, and whether they are whole.

The window of a run that was cut out of a file on a server lies in a folder that names it (`window_folder`); it serves
every run whose window it holds.
"""

import hashlib
import re
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import netCDF4
import pandas as pd
import rasterio

from ai4land.grid import Bounds
from ai4land.legend import DATA
from ai4land.sources.archive import check_archive


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


def of_same_file(dataset: str) -> list[str]:
    """The data sets that are parts of the same file as one, that one first."""
    registry = read_registry()
    return [dataset, *(d for d in registry.index[registry["url"] == registry.loc[dataset, "url"]] if d != dataset)]


def series_of(row: pd.Series) -> list[dict[str, str]]:
    """What fills the ``{...}`` of the addresses of a registry row, one dict a file; one empty dict for a single file.

    Column ``series`` reads ``year=1992-2015`` (every year) or ``layer=sand|silt;depth=0-5cm|5-15cm`` (every pair).
    """
    values: dict[str, list[str]] = {}
    for part in filter(None, row.get("series", "").split(";")):
        name, text = part.strip().split("=", 1)
        span = re.fullmatch(r"(\d{4})-(\d{4})", text) if name == "year" else None
        values[name] = [str(y) for y in range(int(span[1]), int(span[2]) + 1)] if span else text.split("|")
    return [dict(zip(values, one, strict=True)) for one in product(*values.values())]


def window_folder(bounds: Bounds) -> str:
    """Name of the folder that holds what was cut out for a window (west, south, east, north, degrees)."""
    return "window_" + "_".join(f"{edge:.6g}" for edge in bounds)


def _window_of(path: Path) -> Bounds | None:
    """Window that a file was cut out for; None for a whole file."""
    for part in path.parts:
        if re.fullmatch(r"window(_-?[\d.]+){4}", part):
            west, south, east, north = (float(edge) for edge in part.split("_")[1:])
            return west, south, east, north
    return None


def _holds(path: Path, bounds: Bounds | None) -> bool:
    """Whether a file is whole, or was cut out for a window that holds ``bounds``."""
    have = _window_of(path)
    if have is None or bounds is None:
        return have is None
    return have[0] <= bounds[0] and have[1] <= bounds[1] and have[2] >= bounds[2] and have[3] >= bounds[3]


def find_files(
    dataset: str, raw: Path, years: Collection[int] | None = None, bounds: Bounds | None = None
) -> list[InputFile]:
    """Files of one data set anywhere under a folder, by the registry's name pattern.

    Parameters
    ----------
    dataset : str
        A data set of the registry.
    raw : pathlib.Path
        Folder to search, all levels.
    years : collection of int, optional
        Years that must be there, for a data set with one file a year.
    bounds : tuple of float, optional
        Window that must be covered: west, south, east, north, degrees. Files cut out for a window count if it holds
        this one; none of them counts where this is absent.

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
    found = search(dataset, raw, bounds)
    dated = "(?P<year>" in row["pattern"]
    if dated:
        found.sort(key=lambda f: (f.year, f.path))
        if years is not None:
            found = [f for f in found if f.year in years]
    landing = row.get("landing") or row["url"]
    where = f"Source: {landing} ({row['access']}, {row['licence']}). Put the files anywhere under {raw} or give RAW=."
    where += "" if raw.is_dir() else " That folder does not exist."
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


def search(dataset: str, raw: Path, bounds: Bounds | None) -> list[InputFile]:
    """Files of one data set that are there, as of `find_files`, whichever years they hold."""
    pattern, found = re.compile(dataset_row(dataset)["pattern"]), []
    for path in sorted(p for p in raw.rglob("*") if p.is_file()) if raw.is_dir() else []:
        match = pattern.fullmatch(path.name) or pattern.fullmatch(path.relative_to(raw).as_posix())
        if match and _holds(path.relative_to(raw), bounds):
            found.append(InputFile(dataset, path, {k: v for k, v in match.groupdict().items() if v}))
    return _without_spare_windows(found, raw)


def _without_spare_windows(found: list[InputFile], raw: Path) -> list[InputFile]:
    """Drop the windows whose content is there as a whole file, or as another window."""
    kept: dict[tuple, InputFile] = {}
    whole = [f for f in found if _window_of(f.path.relative_to(raw)) is None]
    for file in found:
        if file not in whole:
            kept.setdefault(tuple(sorted(file.keys.items())), file)
    have = {tuple(sorted(f.keys.items())) for f in whole}
    return sorted(whole + [f for key, f in kept.items() if key not in have], key=lambda f: f.path)


def is_window(path: Path) -> bool:
    """Whether a file was cut out of the publisher's for a window: its hash is not the published one."""
    return _window_of(path) is not None


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
    """Raise ValueError if the last values of a raster or NetCDF file, or a member of an archive, cannot be read."""
    try:
        if zipfile.is_zipfile(path):
            check_archive(path)
        elif path.suffix == ".nc":
            with netCDF4.Dataset(path) as data:
                for variable in data.variables.values():
                    variable[(-1,) * variable.ndim]
        elif path.suffix in (".tif", ".bil", ".vrt"):
            with rasterio.open(path) as raster:
                raster.read(1, window=((raster.height - 1, raster.height), (0, raster.width)))
    except (rasterio.errors.RasterioError, OSError, RuntimeError, IndexError) as error:
        size = path.stat().st_size
        raise ValueError(
            f"{path}: truncated or damaged, {size} bytes, its last values cannot be read ({error}); "
            "delete it and fetch it again."
        ) from None
