"""One year of land use, tile by tile: the inputs of the graph, and the map that has the wanted areas."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ai4land.allocate import luh2_pools, luh2_targets, match_areas, round_counts
from ai4land.export.forcing import class_fractions
from ai4land.export.window import Domain, Tile
from ai4land.legend import NO_DATA, class_codes, read_legend


@dataclass(frozen=True)
class Step:
    """All that decides the map of a year.

    Parameters
    ----------
    run : callable
        From named inputs of the graph to its named outputs.
    graph : dict
        Its description in ``model.json``.
    state : xarray.Dataset
        Of the year before; see `ai4land.export.state.make_state`.
    domain : Domain
    fields : dict of str to numpy.ndarray, shape (state, Y, X), float32
        LUH2's ``states_before`` and ``states``.
    years : int
        1 forward, -1 backward.
    numbers : numpy.ndarray, shape (pool, Y, X), int64
        Wanted cells of each pool.
    wanted : numpy.ndarray, shape (pool, Y, X), float32
        Wanted shares of the free cells; NaN where there are none.
    """

    run: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
    graph: dict[str, Any]
    state: xr.Dataset
    domain: Domain
    fields: dict[str, np.ndarray]
    years: int
    numbers: np.ndarray
    wanted: np.ndarray

    def decide(self, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        """Map (y, x) uint8 of the cells that a tile decides, and the chance (1) that it is right, (y, x) float32."""
        output = tile.part.output
        prior = self.state["land_use"][output].to_numpy()
        before = self.state["confidence"][output].to_numpy()
        free = np.isin(prior, class_codes(read_legend("land_use"), land_only=True))
        if not free.any():
            return prior, before
        p = self.run(self._inputs(tile))["probability"][0][:, *tile.part.inside]
        more = [(0, 0), *((n, 0) for n in tile.pad)]
        corner = [self.domain.corner[i] + output.corner[i] - tile.pad[i] for i in (0, 1)]
        numbers = self.numbers[:, *tile.blocks].reshape(len(self.numbers), -1)
        matched = match_areas(
            np.pad(p, more), np.pad(free, more[1:]), numbers, luh2_pools(), self.domain.cells,
            corner=(corner[0], corner[1]),
        ).labels[tile.pad[0] :, tile.pad[1] :]  # fmt: skip
        labels = np.where(free, matched, prior).astype(np.uint8)
        own = np.take_along_axis(p, np.where(free, labels, 0)[None].astype(np.intp), 0)[0]
        # A class is right after one more year if a wrong one comes right as often as a right one goes wrong.
        chance = before * own + (1 - before) * (1 - own)
        return labels, np.where(free, chance, before).astype(np.float32)

    def _inputs(self, tile: Tile) -> dict[str, np.ndarray]:
        prior = tile.fine(self.state["land_use"], NO_DATA)[None]
        made: dict[str, np.ndarray] = {"prior": prior, "valid": prior != NO_DATA}
        wanted = {one["name"]: one for one in self.graph["inputs"]}
        if "earlier" in wanted:
            made["earlier"] = tile.fine(self.state["earlier_land_use"], NO_DATA)[None]
        if "static" in wanted:
            layers = [tile.fine(self.state[name], np.nan) for name in wanted["static"]["names"]]
            made["static"] = np.stack(layers)[None].astype(np.float32)
        if "koppen" in wanted:
            made["koppen"] = tile.fine(self.state["koppen"], 0)[None]
        for name, field in {**self.fields, "wanted": self.wanted}.items():
            cut, made["start"] = tile.coarse(field, self.domain)
            made[name] = cut[None]
        return made | {"years": np.array([self.years], np.float32)}


def wanted_cells(
    state: xr.Dataset, domain: Domain, states: np.ndarray, names: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Cells of each pool that LUH2's change since the start year wants, and their shares of the free cells.

    Parameters
    ----------
    state : xarray.Dataset
    domain : Domain
    states : numpy.ndarray, shape (state, Y, X), float32
        LUH2 of the year to come.
    names : list of str
        Of the states.

    Returns
    -------
    tuple of numpy.ndarray, shape (pool, Y, X)
        Numbers, int64, that add up to the free cells; shares, float32, NaN where there are no free cells.
    """
    base, then = (state[name].to_numpy() for name in ("start_cells", "start_luh2_fraction"))
    base, then, now = (part.reshape(len(part), -1) for part in (base, then, class_fractions(states, names)))
    targets = luh2_targets(base, then, now, domain.whole().ravel())
    counts = domain.class_sums(state["land_use"].to_numpy(), np.ones(domain.grid.rows, np.int32))
    total = counts[luh2_pools() >= 0].sum(0)
    cells = targets.cells.reshape(-1, *total.shape)
    share = cells / np.where((total > 0) & (cells.sum(0) > 0), cells.sum(0), np.nan)
    return round_counts(targets.cells, total.ravel()).reshape(cells.shape), share.astype(np.float32)
