"""Zarr v3 stores: allocated empty from templates, written window by window, resumed, finished once, opened.

A store that others read is filled under ``<name>.partial`` and renamed when it is whole; one that is filled step by
step lies in its place, and a mark says which steps are whole. All steps are allocated at creation, never appended, and
chunks without data are not written. Packing is xarray's: fields with a ``scale_factor`` are packed where they are
written and decoded where they are read, all others are stored as they are. Time stamps and host names stay out, so that
equal content has equal bytes.
"""

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import xarray as xr
import zarr
from xarray.conventions import decode_cf_variable, encode_cf_variable
from zarr.errors import ZarrUserWarning

from ai4land import __version__
from ai4land.checks import check_room, room_on_disk
from ai4land.runs import Run
from ai4land.templates import Group, Template, compression
from ai4land.windows import WHOLE, Window

MADE_UP_LICENCE = "none: synthetic"
_FREE = {"CC0-1.0", "public domain"}
_NAMED = {"CC-BY-4.0", "BSD-2-Clause"}  # want attribution only
_PACKING = ("scale_factor", "add_offset", "_FillValue")


# ---- provenance


def licence_of(inputs: list[dict]) -> str:
    """SPDX licence that a product must have, from the licences of its inputs.

    One share-alike licence among others that want attribution only is the product's. Where the inputs' terms are
    others, or contradict each other, all are named with AND: ask before you publish.

    Parameters
    ----------
    inputs : list of dict
        Input files with ``licence``.
    """
    have = {row["licence"] for row in inputs}
    if have <= {MADE_UP_LICENCE}:
        return MADE_UP_LICENCE
    demanding = have - _FREE - _NAMED
    if len(demanding) == 1 and (one := demanding.copy().pop()).startswith("CC-BY-SA"):
        return one
    if not demanding:
        return "CC-BY-4.0" if have & _NAMED else "CC0-1.0"
    return " AND ".join(sorted(have - _FREE))


def provenance(run: Run, title: str, version: int, inputs: list[dict]) -> dict[str, Any]:
    """Attributes of a store's root: what it is, what it was made from and by which software, and its licence.

    Parameters
    ----------
    run : Run
    title : str
    version : int
        Of the store's format.
    inputs : list of dict
        Every input file with its data set, hash, licence and DOI.
    """
    dois = sorted({row["doi"] for row in inputs if row["doi"]})
    return {
        "Conventions": "CF-1.11",
        "title": title,
        "institution": "The ai4land developers",
        "source": run.source,
        "history": f"made by ai4land {__version__}",
        "references": " ".join(f"https://doi.org/{doi}" for doi in dois) or "none: made-up inputs",
        "license": licence_of(inputs),
        "synthetic": int(run.synthetic),
        "run": run.name,
        "software": f"ai4land {__version__}",
        "format_version": version,
        "run_parameters": run.model_dump_json(),  # text: attributes of NetCDF hold no tables
        "inputs": json.dumps(inputs, sort_keys=True),
    }


# ---- create, resume, finish


def partial_path(path: Path) -> Path:
    """Where a store lies until it is whole."""
    return path.with_name(path.name + ".partial")


def _beside(path: Path, end: str) -> Path:
    return path.with_name(f"{path.name}.{end}")


def allocate(path: Path, name: str, group: Group) -> None:
    """Allocate one empty group in a store; an older one of that name is replaced."""
    mode, where = ("w", name) if name else ("a", None)
    group.template().to_zarr(path, group=where, mode=mode, compute=False, zarr_format=3, consolidated=False)  # type: ignore[call-overload]


def create(path: Path, template: Template) -> Path:
    """Allocate an empty store under its partial name; a half-made older one is replaced.

    Parameters
    ----------
    path : pathlib.Path
        Of the whole store.
    template : Template

    Returns
    -------
    pathlib.Path
        ``<path>.partial``: fill it, then `finish` it.

    Raises
    ------
    OSError
        If the disk has less room than the store will take.
    """
    partial = partial_path(path)
    check_room(path.parent, template.needed, template.title)
    shutil.rmtree(partial, ignore_errors=True)
    for name, group in template.groups.items():
        allocate(partial, name, group)
    zarr.open_group(partial, mode="a").update_attributes(dict(template.attributes))
    if template.consolidated:
        with warnings.catch_warnings():  # xarray and GDAL read it; the specification of Zarr 3 does not name it yet
            warnings.filterwarnings("ignore", "Consolidated metadata", ZarrUserWarning)
            zarr.consolidate_metadata(partial)
    return partial


def resume(path: Path, about: str, template: Template) -> None:
    """Have a store that is filled step by step in its place: one about the same is gone on with, another replaced.

    Parameters
    ----------
    path : pathlib.Path
    about : str
        Digest of what it is made from.
    template : Template

    Raises
    ------
    OSError
        If the disk has less room than the store will take.
    """
    sweep(path)
    if (path / "zarr.json").exists() and read_about(path) == about:
        return
    shutil.rmtree(path, ignore_errors=True)
    create(path, replace(template, attributes={**template.attributes, "about": about}))
    finish(path)


def read_about(path: Path) -> str:
    """Digest of what a store that was resumed is made from."""
    return str(zarr.open_group(path, mode="r").attrs.get("about"))


def sweep(path: Path) -> None:
    """Delete what killed writers left half-written; zarr renames whole chunks."""
    for leftover in path.rglob("*.partial"):
        leftover.unlink()


def sweep_window(array: Path, window: Window) -> None:
    """Delete what killed writers left half-written among the chunks of a window; others may be at work beside it."""
    opened = zarr.open_array(array, mode="r")
    size = (opened.shards or opened.chunks)[-2:]
    for leftover in (array / "c").rglob("*.partial"):
        chunk = [int(part.split(".")[0]) for part in leftover.relative_to(array).parts[-2:]]
        if all(w.start <= k * n < w.stop for k, n, w in zip(chunk, size, window, strict=True)):
            leftover.unlink()


def is_whole(path: Path, about: str) -> bool:
    """Whether a store is there that was finished with this digest of what it is made from."""
    beside = _beside(path, "about")
    return path.exists() and beside.exists() and beside.read_text() == about


def finish(path: Path, about: str | None = None) -> None:
    """Give a store its name; an older one keeps it until then.

    Killed at any moment the old store, none or the new one is there: never half of one, nor one with the digest of the
    other.
    """
    partial, old = partial_path(path), _beside(path, "old")
    os.utime(partial / "zarr.json")  # exports that are older are made again
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    if about is not None:
        _beside(path, "about").write_text(about)
    partial.rename(path)
    _beside(path, "done").unlink(missing_ok=True)
    remove_old(path)


def remove_old(path: Path) -> None:
    """Remove the store that a finished one replaced, if a killed call left it."""
    shutil.rmtree(_beside(path, "old"), ignore_errors=True)


@contextmanager
def filling(path: Path, about: str, template: Template) -> Iterator[tuple[set[str], IO[str]]]:
    """Fill a store part by part from where a killed call was, and finish it.

    Parameters
    ----------
    path : pathlib.Path
        Of the whole store.
    about : str
        Digest of what it is made from: parts that are about something else are made anew.
    template : Template

    Yields
    ------
    done : set of str
        Names of the parts that are done.
    log : file
        To write the name of a part into, with a newline, when it is done.

    Raises
    ------
    OSError
        If the disk has no room, before or while parts are written.
    """
    marks, partial = _beside(path, "done"), partial_path(path)
    done = _read_marks(marks, about) if partial.exists() else None
    if done is None:
        marks.unlink(missing_ok=True)
        create(path, template)
        marks.write_text(about + "\n")
    sweep(partial)
    with room_on_disk(path.parent, path.name), marks.open("a") as log:
        yield done or set(), log
    finish(path, about)


def _read_marks(marks: Path, about: str) -> set[str] | None:
    """Names of the parts that are marked; None where there are no marks, or they are about something else.

    The first line says what they are about. A last line that was not finished is taken off.
    """
    if not marks.exists():
        return None
    text = marks.read_text()
    title, *names = text[: text.rfind("\n") + 1].splitlines() or [""]
    if title != about:
        return None
    marks.write_text("\n".join([about, *names, ""]))
    return set(names)


# ---- write, read, open


def _index(array: zarr.Array, steps: int | slice | None, window: Window) -> tuple[int | slice, ...]:
    """Where some steps of the first dimension and some cells lie in an array."""
    dims = array.metadata.dimension_names or ()  # type: ignore[union-attr]
    cells = dict(zip(("lat", "lon"), window, strict=True))
    first = {} if steps is None else {dims[0]: steps}
    return tuple((cells | first).get(d, slice(None)) for d in dims)


def write(
    path: Path, fields: Mapping[str, np.ndarray], steps: int | slice | None = None, window: Window = WHOLE
) -> None:
    """Write fields into some steps and a window of cells; nobody else may write their chunks (shards) meanwhile.

    Parameters
    ----------
    path : pathlib.Path
    fields : mapping of str to numpy.ndarray, shape ([step, ...,] y, x)
        By name, ``<group>/<name>`` in a group. Of the stored type they are stored as they are; else packed by xarray:
        NaN as the missing value, numbers divided by the scale factor and rounded to whole ones, half to even.
    steps : int or slice, optional
        Of the first dimension; all where absent.
    window : tuple of slice
        Rows and columns.

    Raises
    ------
    ValueError
        If a packed field cannot hold a value, or has no missing value for NaN.
    """
    for name, values in fields.items():
        array = zarr.open_array(path / name, mode="r+")
        array[_index(array, steps, window)] = _pack(array, np.asarray(values))


def pack(array: Path, values: np.ndarray) -> np.ndarray:
    """Values as an array of a store keeps them, see `write`; for maps that are put together before they are written."""
    return _pack(zarr.open_array(array, mode="r"), values)


def _pack(array: zarr.Array, values: np.ndarray) -> np.ndarray:
    if values.dtype == array.dtype:
        return values
    packing = {key: array.attrs[key] for key in _PACKING if key in array.attrs} | {"dtype": array.dtype}
    _check_range(array, values, packing)
    packed = np.empty(values.shape, array.dtype)
    with warnings.catch_warnings():  # a field without a missing value has no NaN
        warnings.simplefilter("ignore", xr.SerializationWarning)
        for at in np.ndindex(values.shape[:-2]):  # a map at a time: xarray takes several copies
            one = xr.Variable([f"axis{i}" for i in range(values[at].ndim)], values[at], encoding=packing)
            packed[at] = encode_cf_variable(one).to_numpy()
    return packed


def _check_range(array: zarr.Array, values: np.ndarray, packing: Mapping[str, Any]) -> None:
    """Refuse what whole numbers cannot hold: xarray 2026 wraps it around, and makes 0 of NaN."""
    if array.dtype.kind not in "iu" or values.size == 0:
        return
    if "_FillValue" not in packing and np.isnan(values).any():
        raise ValueError(f"{array.store_path}: NaN in a field without a missing value; give numbers for all cells.")
    low, high = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    least, most = (n * packing.get("scale_factor", 1) for n in (np.iinfo(array.dtype).min, np.iinfo(array.dtype).max))
    if low < least or high > most:
        raise ValueError(
            f"{array.store_path}: values from {low:g} to {high:g}, but {array.dtype} holds {least:g} to {most:g} here; "
            "check the units, or pack it otherwise."
        )


def read(path: Path, name: str, steps: int | slice | None = None, window: Window = WHOLE) -> np.ndarray:
    """Some steps and cells of a field: packed ones in their units, float32, NaN without data; others as stored."""
    array = zarr.open_array(path / name, mode="r")
    return unpack(np.asarray(array[_index(array, steps, window)]), dict(array.attrs))


def unpack(stored: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    """Stored numbers of a packed field in its units, float32, NaN without data; of another field as they are."""
    if "scale_factor" not in attributes:
        return stored
    return _decode(xr.Variable([f"axis{i}" for i in range(stored.ndim)], stored, dict(attributes))).to_numpy()


def _decode(stored: xr.Variable) -> xr.Variable:
    """What xarray reads in a packed variable, in the type of its scale factor: float32, which holds all steps."""
    stored = stored.copy(deep=False)
    stored.attrs["scale_factor"] = np.float32(stored.attrs["scale_factor"])
    return decode_cf_variable("", stored, decode_times=False)


def steps_done(path: Path) -> dict[int, bool]:
    """Years of a store that is filled step by step, and whether each is whole, by its fields ``time`` and ``done``."""
    years, done = (read(path, name).tolist() for name in ("time", "done"))
    return dict(zip(years, map(bool, done), strict=True))


@dataclass(frozen=True)
class Format:
    """What kind of store software reads.

    Parameters
    ----------
    kind : str
        Such as ``cube``.
    version : int
        Of its format, the newest.
    maker : str
        What to run for it.
    """

    kind: str
    version: int
    maker: str


def open_store(path: Path, kind: Format, group: str | None = None, lazy: bool = True) -> xr.Dataset:
    """A group of a store, codes as they are stored, packed fields in their units (float32, NaN without data).

    Parameters
    ----------
    path : pathlib.Path
    kind : Format
    group : str, optional
        The root where absent.
    lazy : bool
        With dask; else what is asked for is read when it is asked for.

    Raises
    ------
    FileNotFoundError
        If there is no such store.
    ValueError
        If it was written in a newer format, or in an older one that is not read any more.
    """
    if not path.exists():
        raise FileNotFoundError(f"no {kind.kind} at {path}; run {kind.maker} of this run first.")
    version = zarr.open_group(path, mode="r").attrs.get("format_version", 0)
    if not isinstance(version, int) or version > kind.version:
        raise ValueError(f"{path}: format_version {version}, this software reads up to {kind.version}; update it.")
    if version < kind.version:
        raise ValueError(
            f"{path}: format_version {version}, this software reads {kind.version}; run {kind.maker} again."
        )
    return open_group(path, group, lazy)


def open_group(path: Path, group: str | None = None, lazy: bool = True) -> xr.Dataset:
    """A group of a store without a version of its own; as `open_store` reads it."""
    chunks: dict[str, int] | None = {} if lazy else None
    data = xr.open_zarr(path, group=group, consolidated=False, mask_and_scale=False, chunks=chunks)
    packed = {name: one for name, one in data.data_vars.items() if "scale_factor" in one.attrs}
    return data.assign({name: _decode(one.variable) for name, one in packed.items()})


def save(path: Path, data: xr.Dataset, group: str | None = None, chunks: Mapping[str, int] | None = None) -> None:
    """Write a whole data set, in memory or lazy, as a group; an older one is replaced.

    Parameters
    ----------
    path : pathlib.Path
    data : xarray.Dataset
    group : str, optional
        The root where absent.
    chunks : mapping of str to int, optional
        Lengths of a chunk by dimension; others are whole.
    """
    size = {d: (chunks or {}).get(str(d), -1) for d in data.dims}
    encoding = {str(name): compression(one.dtype) for name, one in data.data_vars.items() if one.dtype.kind in "iuf"}
    data.drop_encoding().chunk(size).to_zarr(
        path, group=group, mode="w", zarr_format=3, consolidated=False, encoding=encoding
    )
