"""Templates of stores: fields as they are stored, groups that are allocated empty, and coordinates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dask.array
import numpy as np
import pyproj
import xarray as xr
from zarr.codecs import BloscCodec

from ai4land.grid import EARTH_RADIUS, Grid
from ai4land.legend import class_codes, flag_attributes, read_legend
from ai4land.targets import read_target

_STEP_CHUNK = 512  # rows and columns of a chunk of a rollout
# Of numbers of more than one byte; 10 to 25 % smaller than zstd alone.
_SHUFFLED = {"compressors": BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")}


@dataclass(frozen=True)
class Field:
    """A variable as it is stored.

    Parameters
    ----------
    dims : tuple of str
        Maps end with ``lat``, ``lon``.
    dtype : str
        On disk.
    missing : float, optional
        Stored number that stands for no data; cells that nobody wrote have it, or 0 where there is none.
    attributes : mapping of str to object
        Of CF.
    scale_factor : float, optional
        What one step of the stored number is, in the field's units.
    """

    dims: tuple[str, ...]
    dtype: str
    missing: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    scale_factor: float | None = None

    def encoded_attributes(self) -> dict[str, Any]:
        """Attributes with those of the packing; NaN stands for no data without being named."""
        packing = {} if self.scale_factor is None else {"scale_factor": self.scale_factor}
        if self.missing is not None and not np.isnan(self.missing):
            packing["_FillValue"] = int(self.missing) if np.dtype(self.dtype).kind in "iu" else self.missing
        return {**self.attributes, **packing}


def target_field(name: str, dims: tuple[str, ...], **attributes: object) -> Field:
    """How values of a target are stored, as ``data/targets.yml`` says.

    Parameters
    ----------
    name : str
        Of the target.
    dims : tuple of str
    **attributes
        More of them, or in place of the target's.
    """
    one = read_target(name)
    packing, about = one.packing, one.attributes
    if one.range is not None:  # of the stored numbers, as CF wants it
        about["valid_range"] = [round(end / (packing.scale_factor or 1)) for end in one.range]
    return Field(dims, packing.dtype, packing.missing, about | attributes, packing.scale_factor)


@dataclass(frozen=True)
class Group:
    """Fields of one resolution, allocated empty.

    Parameters
    ----------
    fields : mapping of str to Field
    coordinates : mapping of str to xarray.Variable
        With ``lat`` and ``lon``; they give the dimensions their lengths, and are written at creation.
    chunk : tuple of int
        Rows and columns of a chunk.
    shard : tuple of int, optional
        Rows and columns of a shard.
    steps : int
        Of the first dimension in a chunk, if it is not ``lat``; all other dimensions are whole in it.
    attributes : mapping of str to object
    """

    fields: Mapping[str, Field]
    coordinates: Mapping[str, xr.Variable]
    chunk: tuple[int, int]
    shard: tuple[int, int] | None = None
    steps: int = 1
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lengths(self) -> dict[str, int]:
        """Length of every dimension."""
        return {str(d): n for one in self.coordinates.values() for d, n in one.sizes.items()}

    def chunks(self, dims: tuple[str, ...], cells: tuple[int, int]) -> tuple[int, ...]:
        """Chunk, or shard, of ``cells`` rows and columns of a field with some dimensions."""
        size = self.lengths | {dims[0]: self.steps} | dict(zip(("lat", "lon"), cells, strict=True))
        return tuple(size[d] for d in dims)

    @property
    def nbytes(self) -> int:
        """Bytes of all fields, not compressed."""
        lengths = self.lengths
        cells = {name: int(np.prod([lengths[d] for d in one.dims])) for name, one in self.fields.items()}
        return sum(number * np.dtype(self.fields[name].dtype).itemsize for name, number in cells.items())

    def template(self) -> xr.Dataset:
        """Empty fields as they are stored, lazy, with chunks and shards as encoding; coordinates are data variables."""
        lengths, arrays = self.lengths, {}
        for name, one in self.fields.items():
            empty = 0 if one.missing is None else one.missing
            shape = tuple(lengths[d] for d in one.dims)
            data = dask.array.full(shape, empty, dtype=one.dtype, chunks=-1)
            encoding: dict[str, Any] = {"chunks": self.chunks(one.dims, self.chunk), "fill_value": empty}
            if self.shard and one.dims[-1] == "lon":
                encoding["shards"] = self.chunks(one.dims, self.shard)
            encoding |= compression(one.dtype)
            arrays[name] = xr.Variable(one.dims, data, one.encoded_attributes(), encoding)
        return _plain(xr.Dataset({**arrays, **self.coordinates}, attrs=dict(self.attributes)))


@dataclass(frozen=True)
class Template:
    """An empty store.

    Parameters
    ----------
    groups : mapping of str to Group
        By name; that of the root is empty.
    attributes : mapping of str to object
        Of the root.
    needed : int
        Bytes that the store will take on disk.
    title : str
        Of the store, where the disk has less room.
    consolidated : bool
        Whether the root repeats the metadata of all arrays, which saves who opens it on a server many requests.
    """

    groups: Mapping[str, Group]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    needed: int = 0
    title: str = ""
    consolidated: bool = False


def compression(dtype: str | np.dtype) -> dict[str, Any]:
    """How numbers of a type are compressed, as xarray's encoding."""
    return _SHUFFLED if np.dtype(dtype).itemsize > 1 else {}


def _plain(data: xr.Dataset) -> xr.Dataset:
    """Keep xarray from naming NaN as missing value, which coordinates must not have, and from listing coordinates."""
    data = data.reset_coords()
    for one in data.variables.values():
        if one.dtype.kind == "f" and "_FillValue" not in one.attrs:
            one.encoding["_FillValue"] = None
    return data


def year_coordinate(years: Sequence[int] | np.ndarray) -> dict[str, xr.Variable]:
    """Calendar years as ``time``, int16."""
    return {"time": xr.Variable("time", np.array(years, np.int16), {"long_name": "calendar year"})}


def class_coordinate(legend: str, name: str = "cover_class", **attributes: object) -> dict[str, xr.Variable]:
    """Codes of a legend, ascending, as a dimension, with CF flags."""
    table = read_legend(legend)
    return {name: xr.Variable(name, class_codes(table).astype(np.uint8), {**attributes, **flag_attributes(table)})}


def grid_with_bounds(grid: Grid) -> dict[str, xr.Variable]:
    """Cell centres, cell edges and the coordinate system ``crs``."""
    arrays = {
        name: xr.Variable(name, centres.values, {
            **centres.attrs, "long_name": centres.attrs["standard_name"], "bounds": f"{name}_bnds"})
        for name, centres in grid.coords().items()
    }  # fmt: skip
    for name, edges in (("lat", grid.lat_edges), ("lon", grid.lon_edges)):
        arrays[f"{name}_bnds"] = xr.Variable((name, "bnds"), np.stack([edges[:-1], edges[1:]], 1))
    earth = pyproj.CRS.from_epsg(4326).to_cf() | {
        "long_name": "WGS 84",
        "comment": f"areas of cells are those on the sphere of equal area, radius {EARTH_RADIUS} m",
    }
    return arrays | {"crs": xr.Variable((), np.int32(0), earth)}


def time_with_bounds(years: Sequence[int], steps: int = 1) -> dict[str, xr.Variable]:
    """First days of years, or of their months, and the period that each stands for; days since 1850-01-01.

    Parameters
    ----------
    years : sequence of int
        Ascending.
    steps : {1, 12}
        Values a year.
    """
    unit, what = {1: ("Y", "year that the map stands for, from its 1 January"),
                  12: ("M", "month that the map stands for, from its first day")}[steps]  # fmt: skip
    first = [np.arange(f"{year}", f"{year + 1}", dtype=f"datetime64[{unit}]") for year in years]
    periods = np.concatenate(first) if first else np.array([], f"datetime64[{unit}]")
    start, stop = (
        (when.astype("datetime64[D]") - np.datetime64("1850-01-01")).astype(np.int32) for when in (periods, periods + 1)
    )
    about = {
        "standard_name": "time", "long_name": what, "axis": "T", "units": "days since 1850-01-01",
        "calendar": "standard", "units_metadata": "leap_seconds: none", "bounds": "time_bnds",
    }  # fmt: skip
    bounds = xr.Variable(("time", "bnds"), np.stack([start, stop], 1))
    return {"time": xr.Variable("time", start, about), "time_bnds": bounds}


def flag_variable(values: Sequence[int], long_name: str, meanings: Mapping[int, str]) -> xr.Variable:
    """Flags along ``time``, uint8, with their meanings."""
    about = {"long_name": long_name, "flag_values": list(meanings), "flag_meanings": " ".join(meanings.values())}
    return xr.Variable("time", np.array(values, np.uint8), about)


def rollout_group(names: Sequence[str], years: Sequence[int], grid: Grid) -> Group:
    """Targets of one region, year by year; of classes the chance that they are right, and in the bands probabilities.

    Parameters
    ----------
    names : sequence of str
        Of the targets; one of them of classes.
    years : sequence of int
        In the order of the steps.
    grid : Grid
        Of the region with its halo. All chunks of a year are one file.
    """
    coordinates, fields = {**year_coordinate(years), **grid.coords()}, {"done": Field(("time",), "uint8")}
    for name in names:
        one, month = read_target(name), ("month",) if read_target(name).steps > 1 else ()
        fields[name] = target_field(name, ("time", *month, "lat", "lon"))
        if month:
            coordinates["month"] = xr.Variable("month", np.arange(1, one.steps + 1, dtype=np.uint8))
        if one.legend:
            coordinates |= class_coordinate(one.legend)
            fields["confidence"] = Field(
                ("time", "lat", "lon"), "uint16", None,
                {"long_name": "probability that the class is right", "units": "1"}, 1 / 65535,
            )  # fmt: skip
            fields["probability"] = Field(
                ("time", "cover_class", "lat", "lon"), "uint8", None,
                {"long_name": "probability of the class", "units": "1", "comment": "in the bands only"}, 1 / 255,
            )  # fmt: skip
    chunk = min(grid.rows, _STEP_CHUNK), min(grid.cols, _STEP_CHUNK)
    rows, cols = (-(-n // c) * c for n, c in zip(grid.shape, chunk, strict=True))
    return Group(fields, coordinates, chunk, (rows, cols))
