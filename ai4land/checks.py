"""Sentences that can fail: each check raises with both sides of the mismatch, and fixes nothing."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.grid import Grid
from ai4land.legend import check_codes

_FULL = {errno.ENOSPC, errno.EDQUOT}


def check_area_conserved(before: float, after: float, what: str, rtol: float = 1e-6) -> None:
    """Raise ValueError if two total areas (m2) differ by more than ``rtol``."""
    if not np.isclose(before, after, rtol=rtol, atol=0):
        raise ValueError(f"{what}: area was {before:.6e} m2 before and is {after:.6e} m2 after; rtol is {rtol}.")


def check_fractions_sum_to_one(fractions: xr.DataArray, dim: str, atol: float = 1e-5) -> None:
    """Raise ValueError unless fractions (1) are >= 0 and sum to 1 over ``dim`` wherever they are not NaN."""
    total = fractions.sum(dim, skipna=False)
    worst = float(np.nanmax(np.abs(total.to_numpy() - 1)))
    least = float(np.nanmin(fractions.to_numpy()))
    if worst > atol or least < 0:
        raise ValueError(f"{fractions.name}: sum over {dim} is off 1 by {worst:.2e}, least value {least:.2e}.")


def check_codes_known(codes: np.ndarray, known: np.ndarray, what: str) -> None:
    """Raise ValueError if a map holds a code that its legend does not list."""
    check_codes(codes, known, what, "the legend")


def check_same_grid(one: Grid, other: Grid, what: str) -> None:
    """Raise ValueError unless two grids have the same cells."""
    if not one.same_as(other):
        raise ValueError(f"{what}: grids differ; one is {one}, the other {other}. Never stack maps by index.")


def check_equal_cells(counts: dict[str, float], what: str) -> None:
    """Raise ValueError unless every model was scored on the same number of cells.

    Parameters
    ----------
    counts : dict
        Number of cells (or their area) by model.
    """
    values = np.array(list(counts.values()), float)
    if values.size and not np.allclose(values, values[0], rtol=1e-9, atol=0):
        raise ValueError(f"{what}: models were scored on different cells: {counts}.")


def check_room(folder: Path, needed: int, what: str) -> None:
    """Make a folder, and raise OSError unless its disk has ``needed`` bytes free."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        msg = f"{what}: {needed} bytes are needed, and the disk of {folder} has {free} free; make room and run again."
        raise OSError(errno.ENOSPC, msg)


@contextmanager
def room_on_disk(folder: Path, what: str = "") -> Iterator[None]:
    """Make a folder, and say in one line that its disk is full where writing below fails for that."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL or "make room" in str(error):
            raise
        full = f"{what}: the disk of {folder} is full" if what else f"{folder}: the disk is full"
        free = shutil.disk_usage(folder).free
        msg = f"{full}, {free} bytes are free ({error.strerror}); make room and run again."
        raise OSError(error.errno, msg) from None
