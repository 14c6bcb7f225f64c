"""Legends and crosswalks: the class tables of ``data/``, and recoding from one legend to another."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).resolve().parent.parent / "data"
NO_DATA = 255


@cache
def read_legend(name: str) -> pd.DataFrame:
    """Table of the classes of one legend.

    Parameters
    ----------
    name : str
        Stem of a file in ``data/legends``, such as ``land_use``.

    Returns
    -------
    pandas.DataFrame
        Columns ``code`` (int, unique, ascending), ``name``, ``label``, ``color``, ``land`` (bool).
        Code 255, where listed, is no data. The table is read once and shared: do not change it.

    Raises
    ------
    FileNotFoundError
        If there is no such legend.
    ValueError
        If a code or a name occurs twice.
    """
    path = DATA / "legends" / f"{name}.csv"
    if not path.exists():
        known = sorted(p.stem for p in path.parent.glob("*.csv"))
        raise FileNotFoundError(f"legend {name!r}: no file {path}; known legends are {known}.")
    table = pd.read_csv(path, keep_default_na=False).astype({"code": int, "land": bool})
    for column in ("code", "name"):
        twice = sorted(table[column][table[column].duplicated()])
        if twice:
            raise ValueError(f"{path}: {column} {twice} listed twice; keep one row each.")
    return table.sort_values("code", ignore_index=True)


def class_codes(legend: pd.DataFrame, land_only: bool = False) -> np.ndarray:
    """Codes of the classes of a legend, without no data, ascending (int64)."""
    keep = legend["code"] != NO_DATA
    return legend["code"][keep & legend["land"] if land_only else keep].to_numpy()


def flag_attributes(legend: pd.DataFrame) -> dict[str, object]:
    """CF attributes ``flag_values`` and ``flag_meanings`` of a legend, no data left out."""
    rows = legend[legend["code"] != NO_DATA]
    return {"flag_values": [int(c) for c in rows["code"]], "flag_meanings": " ".join(rows["name"])}


def read_crosswalk(source: str, target: str) -> pd.DataFrame:
    """Table that maps the codes of one legend to another, with a reason per row.

    Parameters
    ----------
    source, target : str
        The file is ``data/crosswalks/<source>-to-<target>.csv``; ``target`` is a legend.

    Returns
    -------
    pandas.DataFrame
        Columns ``source_code`` (unique), ``source_name``, ``code``, ``reason``.

    Raises
    ------
    FileNotFoundError
        If there is no such crosswalk.
    ValueError
        If a source code occurs twice, or a target code is not in the legend.
    """
    path = DATA / "crosswalks" / f"{source}-to-{target}.csv"
    if not path.exists():
        known = sorted(p.stem for p in path.parent.glob("*.csv"))
        raise FileNotFoundError(f"crosswalk {source} -> {target}: no file {path}; known crosswalks are {known}.")
    table = pd.read_csv(path, keep_default_na=False)
    twice = sorted(table["source_code"][table["source_code"].duplicated()])
    if twice:
        raise ValueError(f"{path}: source codes {twice} listed twice; keep one row each.")
    foreign = sorted(set(table["code"]) - set(read_legend(target)["code"]))
    if foreign:
        raise ValueError(f"{path}: target codes {foreign} are not in legend {target}.")
    return table


def check_codes(codes: np.ndarray, known: np.ndarray, name: str, table: str) -> None:
    """Raise ValueError if ``codes`` (uint8) holds a value that ``known`` does not list."""
    listed = np.zeros(256, bool)
    listed[np.asarray(known, int)] = True
    if not listed[codes].all():
        unknown = np.unique(codes[~listed[codes]]).tolist()
        raise ValueError(
            f"{name}: codes {unknown[:10]} are not in {table}; is the version right? "
            "Add rows there, or mask these cells before reading."
        )


def recode(codes: np.ndarray, crosswalk: pd.DataFrame, name: str = "map") -> np.ndarray:
    """Class codes of another legend, cell by cell.

    Parameters
    ----------
    codes : numpy.ndarray, any shape, uint8
        Codes of the source legend.
    crosswalk : pandas.DataFrame
        Rows of `read_crosswalk` with integer source codes from 0 to 255.
    name : str
        What the codes are, for the error message.

    Returns
    -------
    numpy.ndarray, same shape, uint8
        Codes of the target legend; 255 is no data.

    Raises
    ------
    ValueError
        If a code is not in the crosswalk.
    """
    check_codes(codes, crosswalk["source_code"].to_numpy(), name, "the crosswalk")
    table = np.full(256, NO_DATA, np.uint8)
    table[crosswalk["source_code"].to_numpy(int)] = crosswalk["code"].to_numpy(int)
    return table[codes]
