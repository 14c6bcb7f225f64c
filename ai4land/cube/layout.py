"""Which cells a run's cube has, and which of them belong to each region."""

from dataclasses import dataclass

import xarray as xr

from ai4land.grid import CHUNK_CELLS, COARSE_CELLS, GLOBAL, SHARD_CELLS, Grid, grid_of, region_bounds, window_slices
from ai4land.runs import Run


@dataclass(frozen=True)
class Layout:
    """Cells of a run's cube: its grid, and the rows and columns of each region in it."""

    grid: Grid
    regions: dict[str, tuple[slice, slice]]

    @property
    def chunk(self) -> tuple[int, int]:
        """Chunk of the fine maps: 500 x 500, or the smallest region where that is less."""
        rows = min(r.stop - r.start for r, _ in self.regions.values())
        cols = min(c.stop - c.start for _, c in self.regions.values())
        return min(CHUNK_CELLS, rows), min(CHUNK_CELLS, cols)

    @property
    def shard(self) -> tuple[int, int] | None:
        """Shard of the fine maps: 2000 x 2000 where every region is made of them, else none."""
        sizes = [w.stop - w.start for region in self.regions.values() for w in region]
        return (SHARD_CELLS, SHARD_CELLS) if all(size % SHARD_CELLS == 0 for size in sizes) else None

    @property
    def unit(self) -> tuple[int, int]:
        """Cells that one writer writes at a time: a shard, or a chunk where there are none."""
        return self.shard or self.chunk

    def blocks(self, region: str) -> list[tuple[slice, slice]]:
        """Rows and columns of the units of one region, the last ones as far as it goes."""
        return tiles(self.regions[region], self.unit)

    def region_grid(self, region: str) -> Grid:
        """Fine grid of one region."""
        return self.grid.cut(*self.regions[region])

    def coarse_slices(self, region: str) -> tuple[slice, slice]:
        """Rows and columns of one region on the coarse grid."""
        return coarse_window(self.regions[region])


def tiles(window: tuple[slice, slice], size: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Rows and columns of the parts of a window, row by row; the last ones as far as it goes."""
    rows, cols = (
        [slice(at, min(at + step, part.stop)) for at in range(part.start, part.stop, step)]
        for part, step in zip(window, size, strict=True)
    )
    return [(row, col) for row in rows for col in cols]


def coarse_window(window: tuple[slice, slice]) -> tuple[slice, slice]:
    """Rows and columns of the coarse cells under some rows and columns of the fine grid."""
    rows, cols = (slice(w.start // COARSE_CELLS, -(-w.stop // COARSE_CELLS)) for w in window)
    return rows, cols


def plan_layout(run: Run, land_use: xr.DataArray | xr.Dataset) -> Layout:
    """Cells and regions of a run's cube, from the land-use data's own grid or the global one.

    Raises
    ------
    ValueError
        If a year has no map, the window or a region reaches beyond the data, or regions do not tile whole chunks.
    """
    have = set(land_use["time"].to_numpy().tolist()) if "time" in land_use.coords else set(run.map_years)
    if lacking := sorted(set(run.map_years) - have):
        raise ValueError(
            f"run {run.name}: no land-use map of {lacking[:5]}, the data have {min(have)}-{max(have)}; change years."
        )
    source = grid_of(land_use)
    grid = source if run.grid == "native" else GLOBAL
    if run.window:
        window_slices(source, run.window, f"run {run.name}")
        grid = grid.cut(*window_slices(grid, run.window, f"run {run.name}"))
    elif run.grid == "global":
        grid = grid.cut(*window_slices(grid, source.bounds, f"run {run.name}"))
    layout = Layout(grid, {r: window_slices(grid, region_bounds(r), f"region {r}") for r in run.regions})
    chunk = layout.unit
    for region, window in layout.regions.items():
        for axis, (part, size) in enumerate(zip(window, chunk, strict=True)):
            if part.start % size or (part.stop % size and part.stop != grid.shape[axis]):
                raise ValueError(
                    f"region {region}: cells {part.start}-{part.stop} do not tile chunks of {size}; two regions would "
                    "write one chunk and lose data. Move its edges in data/regions.csv."
                )
            if len(layout.regions) > 1 and size % COARSE_CELLS:
                raise ValueError(f"region {region}: {size} cells are no multiple of {COARSE_CELLS}; change its size.")
    return layout
