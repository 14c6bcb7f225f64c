"""Golden files of the remapping by CDO: ``python tests/golden/remap/make.py`` (CDO 2.1.1 made those committed).

A smooth field with a gap goes from a regular grid to cells of each kind by ``remapcon``, which takes the part without
data out of the mean (``REMAP_AREA_MIN`` is left at 0).
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

from ai4land.export.cells import Cells, healpix, icon, octahedral, regular
from ai4land.grid import Grid
from twin_earth import write_icon_grid

FOLDER = Path(__file__).resolve().parent
SOURCE = Grid(90.0, -180.0, 4.0, 5.0, 45, 72)
REGION = Grid(52.0, -8.0, 1.0, 1.0, 20, 30)


def field(grid: Grid) -> xr.DataArray:
    """Values between 0 and 1 with a gap of a few cells."""
    lat, lon = np.radians(grid.lat)[:, None], np.radians(grid.lon)
    values = 0.5 + 0.3 * np.sin(3 * lon) * np.cos(lat) + 0.2 * np.sin(5 * lat)
    values[5:9, 10:14] = np.nan
    return xr.DataArray(values, grid.coords(), ("lat", "lon"), "share")


def targets(folder: Path) -> dict[str, Cells]:
    """One small grid of each kind."""
    return {
        "regular": regular(9.0), "octahedral": octahedral(8), "healpix": healpix(4, "nested"),
        "icon": icon(write_icon_grid(folder / "icon.nc", 2)),
    }  # fmt: skip


def describe(cells: Cells, path: Path) -> Path:
    """The cells as CDO reads them: corners of HEALPix without the points between."""
    step = 4 if cells.name.startswith("healpix") else 1
    rows = {"xvals": cells.lon, "yvals": cells.lat, "xbounds": cells.lon_corners[:, ::step],
            "ybounds": cells.lat_corners[:, ::step]}  # fmt: skip
    lines = [f"{name} = {' '.join(f'{v:.15g}' for v in values.ravel())}" for name, values in rows.items()]
    corners = rows["xbounds"].shape[1]
    path.write_text(f"gridtype = unstructured\ngridsize = {cells.lon.size}\nnvertex = {corners}\n" + "\n".join(lines))
    return path


def cdo(*arguments: str, to: Path) -> xr.Dataset:
    """What CDO makes, in double precision."""
    subprocess.run(["cdo", "-s", "-b", "F64", "-f", "nc", *arguments, str(to)], check=True)
    return xr.open_dataset(to)


def main() -> None:
    """Write ``<target>[-region].csv``, and what CDO knows of two grids: edges between rows, and the order of cells."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for which, grid in (("", SOURCE), ("-region", REGION)):
            source = folder / f"source{which}.nc"
            field(grid).to_netcdf(source, encoding={"share": {"_FillValue": -9e33}})
            for kind, cells in targets(folder).items():
                grid_name = str(describe(cells, folder / f"{kind}.txt"))
                made = cdo(f"remapcon,{grid_name}", str(source), to=folder / f"{kind}{which}.nc")
                np.savetxt(FOLDER / f"{kind}{which}.csv", made["share"].to_numpy().ravel(), fmt="%.13g")
        rows = cdo("setgridtype,unstructured", "-const,1,F32", to=folder / "gaussian.nc")
        np.savetxt(FOLDER / "gaussian-edges.csv", np.unique(rows["lat_bnds"])[::-1], fmt="%.13g")
        cells = cdo("const,1,hp4", to=folder / "hp4.nc")
        np.savetxt(
            FOLDER / "healpix-centres.csv", np.degrees([cells["lon"], cells["lat"]]).T, fmt="%.13g", delimiter=","
        )


if __name__ == "__main__":
    main()
