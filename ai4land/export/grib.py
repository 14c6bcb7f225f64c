"""GRIB2 on octahedral reduced Gaussian grids, by eccodes: messages made from nothing or from a host model's own.

Cells run from the north pole to the south along latitude circles, and eastwards from 0 degrees. The circle nearest to
a pole has 20 points, each further one 4 more (Malardel et al. 2016, doi:10.21957/zwdu9u5i). The parameters are those of
``data/ifs_parameters.csv``, of which ``param_id`` is the key of ECMWF's parameter database.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

import eccodes
import numpy as np
import pandas as pd
import xarray as xr

from ai4land.checks import check_room
from ai4land.legend import DATA

Key = tuple[str, int]  # name of a parameter; month, 0 of a field without
_BITS = 24  # of a packed value: 2**-25 of its field's range is lost
_MISSING = 9999.0
_NEEDED = ("N", "pl", "isOctahedral", "dataDate")


@cache
def read_parameters() -> pd.DataFrame:
    """Table ``data/ifs_parameters.csv``: index ``name``; param_id, made, monthly, decimals, units, long_name.

    ``made`` is 1 for a parameter that is written and 0 for one that is the host model's; ``decimals`` is empty where
    values are packed into 24 bits. The table is read once and shared: do not change it.
    """
    return pd.read_csv(DATA / "ifs_parameters.csv", index_col="name")


def circles(n: int) -> np.ndarray:
    """Points on each latitude circle of the octahedral grid with ``n`` circles a hemisphere, shape (2 n,), int64."""
    if n < 1:
        raise ValueError(f"octahedral grid O{n}: choose a number of circles from 1 on, such as 1280.")
    north = 20 + 4 * np.arange(n)
    return np.concatenate([north, north[::-1]])


@cache
def _latitudes(n: int) -> np.ndarray:
    """Gaussian latitudes, degrees, from north to south, shape (2 n,)."""
    return np.array(list(eccodes.codes_get_gaussian_latitudes(n)))


@contextmanager
def _blank(n: int) -> Iterator[int]:
    """A message without values on a whole octahedral grid, of no centre in particular, for research."""
    handle, points = eccodes.codes_grib_new_from_samples("GRIB2"), circles(n)
    north = float(_latitudes(n)[0])
    keys = {
        "centre": 255, "productionStatusOfProcessedData": 2, "typeOfProcessedData": 0, "gridType": "reduced_gg",
        "N": n, "Nj": 2 * n, "PLPresent": 1, "latitudeOfFirstGridPointInDegrees": north,
        "latitudeOfLastGridPointInDegrees": -north, "longitudeOfFirstGridPointInDegrees": 0,
        "longitudeOfLastGridPointInDegrees": 360 - 360 / int(points.max()),
    }  # fmt: skip
    try:
        eccodes.codes_set(handle, "tablesVersion", eccodes.codes_get(handle, "tablesVersionLatest"))
        for name, value in keys.items():
            eccodes.codes_set(handle, name, value)
        for name in ("Ni", "iDirectionIncrement"):
            eccodes.codes_set_missing(handle, name)
        eccodes.codes_set_array(handle, "pl", points.tolist())
        yield handle
    finally:
        eccodes.codes_release(handle)


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[int | None]:
    handle = eccodes.codes_grib_new_from_file(stream)
    try:
        yield handle
    finally:
        if handle is not None:
            eccodes.codes_release(handle)


def _fill(handle: int, key: Key, year: int, values: np.ndarray) -> bytes:
    """Message with another date and other values; NaN is missing."""
    name, month = key
    row = read_parameters().loc[name]
    missing = np.isnan(values)
    keys = {
        "edition": 2, "paramId": int(row["param_id"]), "dataDate": year * 10000 + (month * 100 + 15 if month else 101),
        "dataTime": 0, "packingType": "grid_simple", "bitmapPresent": int(missing.any()), "missingValue": _MISSING,
    }  # fmt: skip
    for each, value in keys.items():
        eccodes.codes_set(handle, each, value)
    packing = ("bitsPerValue", _BITS) if np.isnan(row["decimals"]) else ("decimalPrecision", int(row["decimals"]))
    eccodes.codes_set(handle, *packing)
    eccodes.codes_set_values(handle, np.where(missing, _MISSING, values).astype(float))
    return eccodes.codes_get_message(handle)


class Fields:
    """The parameters of ``data/ifs_parameters.csv`` in a GRIB file on an octahedral grid, read one by one.

    Parameters
    ----------
    path : pathlib.Path
        GRIB1 or GRIB2; messages of other parameters are passed over.

    Attributes
    ----------
    n : int
        Latitude circles a hemisphere.
    places : dict
        Where each message begins in the file, by name and month; month 0 for a parameter without months.

    Raises
    ------
    ValueError
        If a message lacks a key, is on another grid, or there are two of one parameter and month.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.n = path, 0
        self.places: dict[Key, int] = {}
        with path.open("rb") as stream:
            while True:
                with _opened(stream) as handle:
                    if handle is None:
                        break
                    self._note(handle)
        if not self.places:
            raise ValueError(f"{path}: no message of {', '.join(read_parameters().index)}; give the climate fields.")

    def _note(self, handle: int) -> None:
        name = str(eccodes.codes_get(handle, "shortName"))
        if name not in read_parameters().index:
            return
        lacking = [k for k in _NEEDED if not eccodes.codes_is_defined(handle, k)]
        if lacking:
            msg = f"{self.path}: message {name} has no key {', '.join(lacking)}"
            raise ValueError(f"{msg}; give a GRIB template on an octahedral reduced Gaussian grid.")
        n, octahedral = (int(eccodes.codes_get(handle, k)) for k in ("N", "isOctahedral"))
        if not octahedral or (self.n and n != self.n):
            found = eccodes.codes_get(handle, "gridName")
            raise ValueError(
                f"{self.path}: {name} is on {found}, expected one octahedral grid O{self.n or 'N'} for all."
            )
        self.n = n
        monthly = bool(read_parameters().loc[name, "monthly"])
        key = name, int(eccodes.codes_get(handle, "dataDate")) // 100 % 100 if monthly else 0
        if key in self.places:
            raise ValueError(f"{self.path}: {name} is there twice (month {key[1]}); give one year of climate fields.")
        self.places[key] = int(eccodes.codes_get(handle, "offset"))

    @contextmanager
    def message(self, key: Key) -> Iterator[int]:
        """Handle of eccodes on one message, for as long as the block lasts.

        Raises
        ------
        ValueError
            If there is no such message.
        """
        if key not in self.places:
            of = f"{key[0]} of month {key[1]}" if key[1] else key[0]
            have = sorted({name for name, _ in self.places})
            raise ValueError(f"{self.path}: no message {of}, it has {', '.join(have)}; add it to the climate fields.")
        with self.path.open("rb") as stream:
            stream.seek(self.places[key])
            with _opened(stream) as handle:
                assert handle is not None
                yield handle

    def values(self, name: str, month: int = 0) -> np.ndarray:
        """Values of one message, shape (cell,), float64; NaN is missing."""
        with self.message((name, month)) as handle:
            eccodes.codes_set(handle, "missingValue", _MISSING)
            found = eccodes.codes_get_values(handle)
            return np.where(found == _MISSING, np.nan, found) if eccodes.codes_get(handle, "bitmapPresent") else found


def read_fields(path: Path) -> xr.Dataset:
    """Every known parameter of a GRIB file on its own octahedral grid.

    Parameters
    ----------
    path : pathlib.Path
        As `write_fields` writes it.

    Returns
    -------
    xarray.Dataset
        One variable a parameter, (cell) or (month, cell), float64, NaN is missing; ``lat``, ``lon`` (cell), degrees.
    """
    fields, table = Fields(path), read_parameters()
    points, lats = circles(fields.n), _latitudes(fields.n)
    lon = np.concatenate([360 / k * np.arange(k) for k in points])
    coords = {"lat": ("cell", np.repeat(lats, points)), "lon": ("cell", lon)}
    found = xr.Dataset(coords=coords, attrs={"grid": f"O{fields.n}"})
    for name in dict.fromkeys(name for name, _ in fields.places):
        months = sorted(month for other, month in fields.places if other == name)
        values = np.stack([fields.values(name, month) for month in months])
        about = {"units": table.loc[name, "units"], "long_name": table.loc[name, "long_name"]}
        if months == [0]:
            found[name] = ("cell", values[0], about)
        else:
            found[name] = xr.DataArray(values, {"month": months}, ("month", "cell"), attrs=about)
    return found


def write_fields(path: Path, n: int, year: int, fields: Iterator[tuple[Key, np.ndarray]], host: Fields | None) -> Path:
    """One GRIB2 file of a year, a message a field; it appears under its name when it is whole.

    Parameters
    ----------
    path : pathlib.Path
    n : int
        Latitude circles a hemisphere.
    year : int
        Fields without months are of its 1 January, monthly ones of the 15th of their month.
    fields : iterator of tuple
        Name and month (0 without), and values of shape (cell,), float; NaN is missing.
    host : Fields, optional
        File whose message of the same name and month is taken, with everything but its date, packing and values.

    Returns
    -------
    pathlib.Path
    """
    part = path.with_name(f"{path.name}.partial")
    check_room(path.parent, 26 * 4 * int(circles(n).sum()), path.name)
    try:
        with part.open("wb") as stream:
            for key, values in fields:
                with _blank(n) if host is None else host.message(key) as handle:
                    stream.write(_fill(handle, key, year, values))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
