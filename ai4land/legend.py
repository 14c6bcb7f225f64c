"""Legends and crosswalks: the class tables of ``data/``, and recoding from one legend to another.

No data is 255 in the legends that are made here and another code in a publisher's (0 in ``land_cover``): it is the code
of the row named ``no_data``. A crosswalk sends a class to one class of the target legend, or splits it by ``weight``.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

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
        The row named ``no_data``, where there is one, is no data. The table is read once and shared: do not
        change it.

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
    keep = legend["name"] != "no_data"
    return legend["code"][keep & legend["land"] if land_only else keep].to_numpy()


def flag_attributes(legend: pd.DataFrame) -> dict[str, object]:
    """CF attributes ``flag_values`` and ``flag_meanings`` of a legend, no data left out."""
    rows = legend[legend["name"] != "no_data"]
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
        Columns ``source_code``, ``source_name``, ``code``, ``weight`` (1, share of the area of the source class;
        1 where the file has no such column), ``reason``. A source code has one row, or one a target code.

    Raises
    ------
    FileNotFoundError
        If there is no such crosswalk.
    ValueError
        If a row occurs twice, a target code is not in the legend, or the weights of a source code are not
        positive with sum 1.
    """
    path = DATA / "crosswalks" / f"{source}-to-{target}.csv"
    if not path.exists():
        known = sorted(p.stem for p in path.parent.glob("*.csv"))
        raise FileNotFoundError(f"crosswalk {source} -> {target}: no file {path}; known crosswalks are {known}.")
    table = pd.read_csv(path, keep_default_na=False)
    if "weight" not in table:
        table.insert(table.columns.get_loc("reason"), "weight", 1.0)
    twice = table["source_code"][table.duplicated(["source_code", "code"])].tolist()
    if twice:
        raise ValueError(f"{path}: source codes {twice} listed twice for the same code; keep one row each.")
    foreign = sorted(set(table["code"]) - set(read_legend(target)["code"]))
    if foreign:
        raise ValueError(f"{path}: target codes {foreign} are not in legend {target}.")
    total = table.groupby("source_code")["weight"].sum()
    wrong = total[~np.isclose(total, 1, rtol=0, atol=1e-9)].to_dict()
    if wrong or (table["weight"] <= 0).any():
        raise ValueError(f"{path}: weights by source code sum to {wrong}, expected positive ones with sum 1.")
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
        Rows of `read_crosswalk` with integer source codes from 0 to 255, one a source code.
    name : str
        What the codes are, for the error message.

    Returns
    -------
    numpy.ndarray, same shape, uint8
        Codes of the target legend; 255 is no data.

    Raises
    ------
    ValueError
        If a code is not in the crosswalk, or the crosswalk splits a class.
    """
    split = sorted(set(crosswalk["source_code"][crosswalk["source_code"].duplicated()]))
    if split:
        raise ValueError(
            f"{name}: the crosswalk splits codes {split[:10]} between several classes, so that no map can be "
            "recoded by it; aggregate to class fractions and use crosswalk_weights."
        )
    check_codes(codes, crosswalk["source_code"].to_numpy(), name, "the crosswalk")
    table = np.full(256, NO_DATA, np.uint8)
    table[crosswalk["source_code"].to_numpy(int)] = crosswalk["code"].to_numpy(int)
    return table[codes]


def crosswalk_weights(crosswalk: pd.DataFrame, legend: pd.DataFrame) -> xr.DataArray:
    """Share of each source class that belongs to each class of the target legend.

    Class fractions on the target legend are ``xr.dot(fraction.rename(cover_class="source_code"), weights,
    dim="source_code")``.

    Parameters
    ----------
    crosswalk : pandas.DataFrame
        Rows of `read_crosswalk`.
    legend : pandas.DataFrame
        Of `read_legend`, the target of the crosswalk.

    Returns
    -------
    xarray.DataArray, shape (source_code, cover_class), float64
        Weights (1), each row with sum 1, in the order of the crosswalk and of `class_codes`. Source codes that
        mean no data have no row.
    """
    classes = class_codes(legend)
    rows = crosswalk[crosswalk["code"].isin(classes)]
    sources = rows["source_code"].drop_duplicates().to_numpy()
    weights = xr.DataArray(
        np.zeros((sources.size, classes.size)),
        {"source_code": sources, "cover_class": classes},
        attrs={"long_name": "share of the source class", "units": "1"},
    )
    row, column = pd.Index(sources).get_indexer(rows["source_code"]), np.searchsorted(classes, rows["code"])
    weights.values[row, column] = rows["weight"]
    return weights.rename("weight")
