"""Which 20 x 60 degree tiles of the globe are regions? ``RAW=<folder> python benchmarks/regions_table.py``.

A tile is one if land is more than 1 % of its area: one minus ice and water of LUH2's static file
(``staticData_quarterdeg.nc``, found anywhere under RAW), so that an ice sheet counts as no land. Rows begin at 90 N;
nothing south of 60 S counts, and the last row is the one that reaches it. Tiles are whole shards: the cells of that row
south of 60 S belong to its regions, and nothing is asked of them. Writes the tiles of data/regions.csv anew, keeps its
other rows, and prints the line ``regions:`` of data/runs/global/run.yml.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.grid import grid_of
from ai4land.legend import DATA
from ai4land.sources import find_files, open_input

ROWS, COLS, SOUTH = 20, 60, -60  # degrees
LEAST = 0.01  # share of land
TABLE, WHAT = DATA / "regions.csv", "20 x 60 degrees of the globe"


def tile_name(north: int, west: int) -> str:
    """Such as ``n70_w120``, after the north-west corner."""
    return f"{'n' if north > 0 else 's'}{abs(north):02d}_{'w' if west < 0 else 'e'}{abs(west):03d}"


def land_tiles(ice_water: xr.DataArray) -> pd.DataFrame:
    """Tiles with land.

    Parameters
    ----------
    ice_water : xarray.DataArray, shape (lat, lon), float
        Fraction of every cell of the globe that is ice or water (1); NaN is ocean.

    Returns
    -------
    pandas.DataFrame
        Index ``region``; columns west, south, east, north (degrees), land (share of the tile's area north of 60 S).
    """
    grid = grid_of(ice_water)
    area = np.broadcast_to(grid.cell_area()[:, None], grid.shape)
    land = area * (1 - ice_water.fillna(1).to_numpy())
    rows = []
    for north in range(90, SOUTH, -ROWS):
        high = (grid.lat < north) & (grid.lat > max(north - ROWS, SOUTH))
        for west in range(-180, 180, COLS):
            inside = np.ix_(high, (grid.lon > west) & (grid.lon < west + COLS))
            share = float(land[inside].sum() / area[inside].sum())
            rows.append((tile_name(north, west), float(west), north - ROWS, west + COLS, float(north), share))
    columns = ["region", "west", "south", "east", "north", "land"]
    table = pd.DataFrame(rows, columns=columns).astype({"south": float, "east": float}).set_index("region")
    return table[table["land"] > LEAST]


def main(raw: Path) -> None:
    """Write the tiles, and print the line of the run."""
    tiles = land_tiles(open_input(find_files("luh2_static", raw))["ice_water_fraction"].load())
    rows = tiles.assign(land=tiles["land"].map("{:.4f}".format), description=WHAT).reset_index().astype(str)
    named = pd.read_csv(TABLE, dtype=str)
    pd.concat([named[named["description"] != WHAT], rows]).to_csv(TABLE, index=False)
    print(f"{len(tiles)} regions in {TABLE.name}\nregions: [{', '.join(tiles.index)}]")


if __name__ == "__main__":
    if not os.environ.get("RAW"):
        sys.exit("no folder: RAW=<folder with LUH2's staticData_quarterdeg.nc> python benchmarks/regions_table.py")
    main(Path(os.environ["RAW"]))
