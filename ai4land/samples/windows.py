"""Random windows of a region: drawn as plain numbers, cut as tensors on the device that learns from them.

A region in memory is copied to the device once, in its storage types; one that is not is read window by window.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from ai4land.grid import COARSE_CELLS
from ai4land.legend import NO_DATA, class_codes, read_legend
from ai4land.samples.arrays import Batch, coarse_field
from ai4land.samples.cases import Case, Split, learnable
from ai4land.samples.patches import Patches, draw_patches
from ai4land.samples.region import Region
from ai4land.windows import Shape, Window

_TRIES = 20  # windows drawn before one without a label is accepted
_STRIDE = 4  # one cell in so many along a side is looked at for a label


@dataclass(frozen=True)
class Drawn:
    """Where a window lies, of which case, and which patches of its prior are hidden."""

    case: Case
    window: Window
    patches: Patches


class WindowSampler:
    """Random windows of the cases of a split, the same for the same (seed, number).

    Parameters
    ----------
    cube : Region
        In memory, or not.
    split : Split
        Decides the inputs; no cell outside its cases is ever a label.
    cases : list of Case
        The split's training or validation cases.
    size : int
        Side of a window, fine cells; a region smaller than that is taken whole along that side.
    mask_ratio : tuple of float
        Lowest and highest share of the prior that is hidden, drawn for each window: half have the lowest.
    seed : int
    device : torch.device, optional
        Where the cube is copied to and windows are cut; the CPU where absent.
    layers : callable, optional
        Layers (y, x) of a case by name, to be cut beside the static ones; asked for once a case.
    candidates : int
        Windows drawn for each one that is given: the one with the most changed cells.
    """

    def __init__(
        self, cube: Region, split: Split, cases: list[Case], size: int, mask_ratio: tuple[float, float], seed: int,
        device: torch.device | None = None, layers: Callable[[Case], dict[str, np.ndarray]] | None = None,
        candidates: int = 1,
    ) -> None:  # fmt: skip
        self.cube, self.split, self.cases, self.mask_ratio, self.seed = cube, split, cases, mask_ratio, seed
        self.size = min(size, cube.grid.rows), min(size, cube.grid.cols)
        self.device, self.layers, self.candidates = device or torch.device("cpu"), layers, candidates
        self._kept: dict[Any, torch.Tensor] = {}
        self._land = torch.zeros(256, dtype=torch.bool, device=self.device)
        self._land[class_codes(read_legend("land_use"), land_only=True).tolist()] = True

    def _place(self, rng: np.random.Generator) -> tuple[Case, Window]:
        """A case, and a window that holds something to learn."""
        for _ in range(_TRIES):
            case = self.cases[rng.integers(len(self.cases))]
            top, left = (int(rng.integers(n - s + 1)) for n, s in zip(self.cube.grid.shape, self.size, strict=True))
            window = Window.at((top, left), self.size)
            if learnable(self.cube, case, window.thinned(_STRIDE)).any():
                break
        return case, window

    def _changed(self, place: tuple[Case, Window]) -> float:
        """Share of the cells of a window that change and may be learned from."""
        case, window = place[0], place[1].thinned(_STRIDE)
        prior, observed = (self.cube.field("land_use", year, window) for year in (case.prior_year, case.year))
        changed = prior != observed
        return float((changed & learnable(self.cube, case, window)).mean())

    def plan(self, number: int, count: int) -> list[Drawn]:
        """Windows of one batch, as `draw` cuts them."""
        rng = np.random.default_rng([self.seed, number])
        low, high = self.mask_ratio
        windows = []
        for _ in range(count):
            places = [self._place(rng) for _ in range(self.candidates)]
            place = max(places, key=self._changed) if self.candidates > 1 else places[0]
            # Half of the windows keep the lowest ratio: change is learned where the prior is visible.
            ratio = low + (high - low) * max(0.0, 2 * rng.random() - 1)
            windows.append(Drawn(*place, draw_patches(self.size, ratio, rng)))
        return windows

    def draw(self, number: int, count: int) -> tuple[Batch, torch.Tensor]:
        """The windows of one batch.

        Parameters
        ----------
        number : int
            Of the batch; the same number gives the same windows.
        count : int
            Windows in the batch.

        Returns
        -------
        Batch
            Of tensors on the device, priors hidden in random patches; coarse fields are those around each window.
        torch.Tensor, shape (batch, y, x), uint8
            Labels; 255 where there is nothing to learn.
        """
        windows = self.plan(number, count)
        prior, observed = (self._maps(windows, [getattr(w.case, y) for w in windows]) for y in ("prior_year", "year"))
        hidden = self._on(np.stack([w.patches.fine(self.size) for w in windows]))
        wanted = torch.ones_like(hidden)
        for i, one in enumerate(windows):
            if one.case.hidden is not None:
                hidden[i] |= self._cut("hidden", one.case.hidden, one.window)
            if one.case.where is not None:
                wanted[i] = self._cut("where", one.case.where, one.window)
        valid = prior != NO_DATA
        visible = self._land[prior.int()] & self._land[observed.int()]
        # A hidden cell must be told from its surroundings, ocean and water too.
        wanted &= visible | (hidden & valid & (observed != NO_DATA))
        labels = torch.where(wanted, observed, NO_DATA)
        batch = self._batch(windows, torch.where(hidden, NO_DATA, prior), valid)
        further = list(zip(*(w.case.earlier for w in windows), strict=True))  # years of the windows, map by map
        if not further:
            return batch, labels
        earlier = torch.stack([self._maps(windows, years) for years in further], 1)
        return replace(batch, earlier=torch.where(hidden[:, None], NO_DATA, earlier)), labels

    def _maps(self, windows: list[Drawn], years: Sequence[int]) -> torch.Tensor:
        return torch.stack([self._field("land_use", y, one.window) for y, one in zip(years, windows, strict=True)])

    def _batch(self, windows: list[Drawn], prior: torch.Tensor, valid: torch.Tensor) -> Batch:
        around = max(self.split.coarse_cells)
        corners = [self._corner(w.window, around) for w in windows]
        coarse = {c: torch.stack([self._coarse(w, k, c) for w, k in zip(windows, corners, strict=True)])
                  for c in self.split.coarse_cells}  # fmt: skip
        start = [w.window.moved(-k[0], -k[1]).corner for w, k in zip(windows, corners, strict=True)]
        names = self.cube.static if self.split.statics else ()
        static = {n: torch.stack([self._field(n, None, w.window) for w in windows]) for n in names}
        if self.layers is not None:
            more = [self._layers(w) for w in windows]
            static |= {name: torch.stack([one[name] for one in more]) for name in more[0]}
        years = np.array([w.case.year - w.case.prior_year for w in windows], np.float32)
        return Batch(
            prior, self._on(years), coarse, valid, static, self._on(np.array(start)),
            self._states(windows, corners),
        )  # fmt: skip

    def _layers(self, drawn: Drawn) -> dict[str, torch.Tensor]:
        assert self.layers is not None
        case = drawn.case
        key = "layers", case.prior_year, case.year, id(case.hidden)
        if key not in self._kept:
            made = self.layers(case)
            self._names = list(made)
            self._kept[key] = self._on(np.stack(list(made.values())).astype(np.float16))
        part = self._kept[key][:, *drawn.window].float()
        return dict(zip(self._names, part, strict=True))

    def _states(self, windows: list[Drawn], corners: list[Shape]) -> dict[str, torch.Tensor]:
        if self.split.coarse != "luh2":
            return {}
        states = "luh2_state"
        cut = [self._around((states, w.case.year), partial(self.cube.field, states, w.case.year), k, COARSE_CELLS)
               for w, k in zip(windows, corners, strict=True)]  # fmt: skip
        return dict(zip(self.cube.names(states), torch.stack(cut, 1), strict=True))

    def _coarse(self, drawn: Drawn, corner: Shape, cells: int) -> torch.Tensor:
        # Kept by year and not by pair: there are many more pairs.
        made = []
        for year in (drawn.case.prior_year, drawn.case.year):
            make = partial(coarse_field, self.cube, year, cells, self.split.coarse)
            made.append(self._around(("fractions", year, cells), make, corner, cells))
        return torch.stack(made)

    def _corner(self, window: Window, cells: int) -> Shape:
        """First fine cell of the coarse cells around a window: one more than it touches on every side."""
        wide = -(-self.size[0] // cells) + 3, -(-self.size[1] // cells) + 3  # the same number for every window
        around = Window.at(window.coarse(cells).grown(1).corner, wide)
        return around.moved_inside(Window.whole(self.cube.grid.shape).coarse(cells).shape).fine(cells).corner

    def _around(self, key: tuple, make: Any, corner: Shape, cells: int) -> torch.Tensor:
        """Coarse cells around a window, (..., Y, X); the same number for every window, NaN beyond the region."""
        around = max(self.split.coarse_cells)
        if key not in self._kept:
            field, whole = make(), [-(-n // around) * around // cells for n in self.cube.grid.shape]
            more = [(0, 0)] * (field.ndim - 2) + [(0, w - n) for w, n in zip(whole, field.shape[-2:], strict=True)]
            self._kept[key] = self._on(np.pad(field, more, constant_values=np.nan))
        rows, cols = ((-(-size // around) + 3) * around // cells for size in self.size)
        return self._kept[key][..., *Window.at((corner[0] // cells, corner[1] // cells), (rows, cols))]

    def _field(self, name: str, year: int | None, window: Window) -> torch.Tensor:
        """A window of a fine field: of its copy on the device where the region is in memory, else read."""
        if not self.cube.resident:
            return self._on(self.cube.field(name, year, window))
        key = "field", name, year
        if key not in self._kept:
            self._kept[key] = self._on(self.cube.field(name, year))
        return self._kept[key][window]

    def _cut(self, name: str, mask: np.ndarray, window: Window) -> torch.Tensor:
        """A window of a mask of a case, of its copy on the device."""
        key = name, id(mask)
        if key not in self._kept:
            self._kept[key] = self._on(mask)
        return self._kept[key][window]

    def _on(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, device=self.device)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker is given: no tensor; it cuts its own."""
        return self.__dict__ | {"_kept": {}}
