"""Which cells a run's cube has, and which of them belong to each region."""

from dataclasses import dataclass

import xarray as xr

from ai4land.grid import CHUNK_CELLS, COARSE_CELLS, GLOBAL, Grid, grid_of, region_bounds, window_slices
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

    def region_grid(self, region: str) -> Grid:
        """Fine grid of one region."""
        return self.grid.cut(*self.regions[region])

    def coarse_slices(self, region: str) -> tuple[slice, slice]:
        """Rows and columns of one region on the coarse grid."""
        rows, cols = self.regions[region]
        return (
            slice(rows.start // COARSE_CELLS, -(-rows.stop // COARSE_CELLS)),
            slice(cols.start // COARSE_CELLS, -(-cols.stop // COARSE_CELLS)),
        )


def plan_layout(run: Run, land_use: xr.DataArray | xr.Dataset) -> Layout:
    """Cells and regions of a run's cube, from the land-use data's own grid or the global one.

    Raises
    ------
    ValueError
        If the window or a region reaches beyond the data, or regions do not tile whole chunks.
    """
    source = grid_of(land_use)
    grid = source if run.grid == "native" else GLOBAL
    if run.window:
        window_slices(source, run.window, f"run {run.name}")
        grid = grid.cut(*window_slices(grid, run.window, f"run {run.name}"))
    elif run.grid == "global":
        grid = grid.cut(*window_slices(grid, source.bounds, f"run {run.name}"))
    layout = Layout(grid, {r: window_slices(grid, region_bounds(r), f"region {r}") for r in run.regions})
    chunk = layout.chunk
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
