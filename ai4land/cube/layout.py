"""Which cells a run's cube has, and which of them belong to each region."""

from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr

from ai4land.grid import CHUNK_CELLS, COARSE_CELLS, GLOBAL, SHARD_CELLS, Grid, grid_of, region_bounds, window_slices
from ai4land.runs import Run
from ai4land.windows import Window, bounding


@dataclass(frozen=True)
class Layout:
    """Cells of a run's cube: its grid, and the rows and columns of each region in it."""

    grid: Grid
    regions: dict[str, Window]

    @property
    def chunk(self) -> tuple[int, int]:
        """Chunk of the fine maps: 500 x 500, or the smallest region where that is less."""
        rows, cols = zip(*(window.shape for window in self.regions.values()), strict=True)
        return min(CHUNK_CELLS, *rows), min(CHUNK_CELLS, *cols)

    @property
    def shard(self) -> tuple[int, int] | None:
        """Shard of the fine maps: 2000 x 2000 where every region is made of them, else none."""
        sizes = [size for window in self.regions.values() for size in window.shape]
        return (SHARD_CELLS, SHARD_CELLS) if all(size % SHARD_CELLS == 0 for size in sizes) else None

    @property
    def unit(self) -> tuple[int, int]:
        """Cells that one writer writes at a time: a shard, or a chunk where there are none."""
        return self.shard or self.chunk

    def blocks(self, region: str) -> list[Window]:
        """Windows of the units of one region, the last ones as far as it goes."""
        return self.regions[region].tiles(self.unit)

    def region_grid(self, region: str) -> Grid:
        """Fine grid of one region."""
        return self.grid.cut(*self.regions[region])

    def coarse_slices(self, region: str) -> Window:
        """Rows and columns of one region on the coarse grid."""
        return self.regions[region].coarse()


def plan_layout(run: Run, land_use: xr.DataArray | xr.Dataset, regions: Sequence[str] | None = None) -> Layout:
    """Cells and regions of a run's cube, from the land-use data's own grid or the global one.

    Parameters
    ----------
    run : Run
    land_use : xarray.DataArray or xarray.Dataset
        Whose cells, and years, they are.
    regions : sequence of str, optional
        Some of the run's: the layout is of the rectangle around them. All of them, and the run's window, where absent.

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
    layout = Layout(grid, {r: Window(*window_slices(grid, region_bounds(r), f"region {r}")) for r in run.regions})
    _check_units(layout)
    return layout if regions is None else _some_of(layout, regions)


def _check_units(layout: Layout) -> None:
    """Refuse regions of which two would write one unit."""
    for region, window in layout.regions.items():
        if axes := window.cut_units(layout.unit, layout.grid.shape):
            part, size = window[axes[0]], layout.unit[axes[0]]
            raise ValueError(
                f"region {region}: cells {part.start}-{part.stop} do not tile chunks of {size}; two regions would "
                "write one chunk and lose data. Move its edges in data/regions.csv."
            )
        for size in layout.unit:
            if len(layout.regions) > 1 and size % COARSE_CELLS:
                raise ValueError(f"region {region}: {size} cells are no multiple of {COARSE_CELLS}; change its size.")


def _some_of(layout: Layout, regions: Sequence[str]) -> Layout:
    """Cells of some regions alone: the rectangle around them, and where they lie in it."""
    around = bounding(layout.regions[region] for region in regions)
    made = Layout(layout.grid.cut(*around), {r: layout.regions[r].relative_to(around) for r in regions})
    for region, window in made.regions.items():
        if window.cut_units(made.unit):
            raise ValueError(
                f"of regions {list(regions)}, {region} does not begin at a chunk of {made.unit} cells: two would write "
                "one chunk and lose data. List others."
            )
    return made
