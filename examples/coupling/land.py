"""The emulator as a process: ``python land.py <bundle> <start.nc> <luh2.nc> <folder> <address> [<seconds to wait>]``.

It waits for an atmosphere (toy.py), is sent its warming each model year and answers with the class fractions of that
year on LUH2's cells. It saves ``land-<year>.nc`` before it answers, so that it is never behind its partner, and begins
from the year that the partner asks for.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr
import zmq
from exchange import Partner, meet

from ai4land.export.emulator import Emulator
from ai4land.export.state import save_state


def warmed(forcing: xr.Dataset, state: xr.Dataset, warming: np.ndarray) -> xr.Dataset:
    """Forcing of one year with a toy's answer to warming (K): biomass density falls as decay doubles every 10 K."""
    cells = {"lat": state["luh2_lat"].to_numpy(), "lon": state["luh2_lon"].to_numpy()}
    here = xr.DataArray(np.exp2(-warming / 10).astype(np.float32), cells, ("lat", "lon"))
    share = here.reindex_like(forcing["secmb"], method="nearest", tolerance=1e-3, fill_value=1)
    return forcing.assign(secmb=forcing["secmb"] * share)


def of_year(forcing: xr.Dataset, year: int) -> xr.Dataset:
    """LUH2 of one year."""
    if year not in forcing["time"]:
        raise ValueError(f"LUH2 has no year {year}; prepare.py cuts the years that it is told.")
    return forcing.sel(time=year, drop=True)


def begun(emulator: Emulator, start: xr.Dataset, forcing: xr.Dataset, folder: Path, year: int) -> xr.Dataset:
    """State of a year: saved, or made from the start's maps."""
    saved = folder / f"land-{year}.nc"
    if saved.exists():
        with xr.open_dataset(saved) as state:
            return state.load()
    if year != int(start["time"][0]):
        raise ValueError(f"{saved} is missing, and the maps start in {int(start['time'][0])}; begin from that year.")
    state = emulator.start(start["land_use"], start.drop_vars("land_use"), forcing, year)
    save_state(state, saved)
    return state


def serve(emulator: Emulator, start: xr.Dataset, forcing: xr.Dataset, folder: Path, leader: Partner) -> None:
    """Answer until the atmosphere says that it is done."""
    while True:
        header, fields = leader.receive()
        year = header["year"]
        if header["do"] == "begin":
            state = begun(emulator, start, forcing, folder, year)
        elif header["do"] == "step":
            given = warmed(of_year(forcing, year), state, fields["warming"])
            state = emulator.step(state, given, year)
            save_state(state, folder / f"land-{year}.nc")
        else:
            return leader.send({})
        made = {name: state[f"luh2_{name}"].to_numpy() for name in ("lat", "lon")}
        leader.send({"year": year}, land_use_fraction=state["land_use_fraction"].to_numpy(), **made)


def main(bundle: Path, start: Path, luh2: Path, folder: Path, address: str, patience: float = 60) -> None:
    """Load the emulator and answer one atmosphere; what is refused ends both processes in one line."""
    leader = meet("the atmosphere", zmq.REP, address, patience)
    try:
        given = xr.load_dataset(start, mask_and_scale=False), xr.load_dataset(luh2)
        emulator = Emulator.load(bundle)
    except (OSError, ValueError) as error:
        raise SystemExit(f"the land cannot start: {error}") from None
    try:
        serve(emulator, *given, folder, leader)
    except ValueError as error:
        leader.send({"error": str(error)})
        raise SystemExit(f"the land gave up: {error}") from None


if __name__ == "__main__":
    if len(sys.argv) not in (6, 7):
        sys.exit("usage: python land.py <bundle> <start.nc> <luh2.nc> <folder> <address> [<seconds to wait>]")
    main(*map(Path, sys.argv[1:5]), sys.argv[5], *map(float, sys.argv[6:]))
