"""The window of a region out of a NetCDF4 file on a server, as a small file in the publisher's layout.

Values, names and attributes are copied as they are, with the publisher's faults, so the same reader reads both.
Pieces that have arrived are kept until all are there: an interrupted window is continued.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from tqdm import tqdm

from ai4land.grid import Bounds
from ai4land.sources.canonical import calendar_years
from ai4land.sources.download import replace_text
from ai4land.sources.remote import WAITS, RemoteFile, probe

_MARGIN = 4  # cells around the window: for slopes and for interpolation
_STEPS = 10  # time steps of one piece


def _around(centres: np.ndarray, low: float, high: float, what: str) -> slice:
    """Positions of the cells that touch [low, high] and of some more, whatever their order."""
    half = abs(centres[1] - centres[0]) / 2
    inside = np.flatnonzero((centres + half > low) & (centres - half < high))
    if not inside.size:
        raise ValueError(
            f"the window {low} to {high} lies outside the file's {what} {centres.min()} to {centres.max()}"
        )
    return slice(max(inside[0] - _MARGIN, 0), int(inside[-1]) + 1 + _MARGIN)


def _select(data: xr.Dataset, bounds: Bounds, years: tuple[int, int] | None) -> xr.Dataset:
    west, south, east, north = bounds
    place = {}
    for names, low, high in ((("lat", "latitude"), south, north), (("lon", "longitude"), west, east)):
        name = next(n for n in names if n in data.dims)
        place[name] = _around(data[name].to_numpy().astype(float), low, high, name)
    if years is not None and "time" in data.dims:
        when = calendar_years(data["time"], Path("time"))
        steps = np.flatnonzero((when >= years[0]) & (when <= years[1]))
        place["time"] = slice(int(steps[0]), int(steps[-1]) + 1)
    return data.isel(place)


def _pieces(data: xr.Dataset) -> Iterator[tuple[str, slice | None]]:
    """Parts of a data set that are read one at a time: variable, and its time steps."""
    for name, field in data.variables.items():
        if "time" in field.dims and field.ndim > 2:
            for start in range(0, data.sizes["time"], _STEPS):
                yield str(name), slice(start, start + _STEPS)
        else:
            yield str(name), None


def _gather(data: xr.Dataset, folder: Path, label: str, progress: bool) -> xr.Dataset:
    """All values of a lazy data set, each piece read once and kept in ``folder``."""
    parts: dict[str, list[np.ndarray]] = {}
    for name, steps in tqdm(list(_pieces(data)), desc=label, unit="piece", disable=not progress, mininterval=1):
        kept = folder / f"{name}-{steps.start if steps else 0}.npy"
        if not kept.exists():
            field = data[name].variable if steps is None else data[name].variable.isel(time=steps)
            part = kept.with_suffix(".part.npy")
            np.save(part, field.to_numpy())
            part.replace(kept)
        parts.setdefault(name, []).append(np.load(kept))
    whole = {}
    for name, arrays in parts.items():
        field = data.variables[name]
        values = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, field.dims.index("time"))
        whole[name] = xr.Variable(field.dims, values, field.attrs)
    return xr.Dataset(whole, attrs=data.attrs).set_coords(list(data.coords))


def fetch_netcdf_window(
    url: str,
    bounds: Bounds,
    target: Path,
    years: tuple[int, int] | None = None,
    progress: bool = True,
    waits: Sequence[float] = WAITS,
) -> None:
    """Write the part of a NetCDF4 file on a server that covers a window, and its years.

    Parameters
    ----------
    url : str
        A file whose server gives ranges of bytes.
    bounds : tuple of float
        West, south, east, north, degrees; longitudes as the file counts them. Four cells more are taken on each side.
    target : pathlib.Path
        File to write; it appears when it is whole. Pieces are kept in ``<target>.pieces`` until then.
    years : tuple of int, optional
        First and last calendar year; all where absent.
    progress : bool
        Show a progress bar.
    waits : sequence of float
        Seconds before each new try of a range that failed.

    Raises
    ------
    NoRangesError
        If the server sends whole files only.
    ConnectionError
        If it refuses or breaks off as often as there are waits; the pieces stay.
    ValueError
        If the file is no NetCDF4 file, or the window lies outside of it.
    """
    seen = probe(url, waits)
    asked = json.dumps(seen | {"bounds": list(bounds), "years": years})
    folder, state = target.with_name(f"{target.name}.pieces"), target.with_name(f"{target.name}.pieces") / "source.json"
    if not state.exists() or state.read_text() != asked:
        shutil.rmtree(folder, ignore_errors=True)  # pieces of another version or window
        folder.mkdir(parents=True)
        replace_text(state, asked)
    remote = RemoteFile(url, int(seen["size"]), waits)
    try:
        with xr.open_dataset(remote, engine="h5netcdf", decode_cf=False, cache=False) as data:
            window = _gather(_select(data, bounds, years), folder, target.name, progress)
    except (OSError, ValueError) as error:
        if remote.fault is not None:
            raise ConnectionError(f"{url}: {remote.fault}; what has arrived is kept, run again to go on.") from None
        raise ValueError(
            f"{url}: no window could be cut ({' '.join(str(error).split())}); is it a NetCDF4 file?"
        ) from None
    if probe(url, waits) != seen:
        raise ConnectionError(f"{url}: the file changed while it was read; run again.")
    window.attrs["ai4land_window_of"] = asked
    packed: dict[str, dict[str, object]] = {str(n): {} for n in window.variables}
    for name, field in window.variables.items():
        chunk = tuple(1 if dim == "time" else size for dim, size in field.sizes.items())
        packed[str(name)] |= {"zlib": True, "complevel": 1, "chunksizes": chunk} if field.ndim > 1 else {}
        packed[str(name)] |= {} if "_FillValue" in field.attrs else {"_FillValue": None}  # none that it had not
    part = target.with_name(f"{target.name}.part")
    window.to_netcdf(part, engine="h5netcdf", encoding=packed)
    part.replace(target)
    shutil.rmtree(folder)
