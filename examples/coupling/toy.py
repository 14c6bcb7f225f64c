"""A toy atmosphere: ``python toy.py <first year> <last year> <folder> <address> [<seconds to wait>]``.

TOY. A slab of ocean depth stands over each LUH2 cell; its temperature follows the albedo of the land below it, and
nothing else. It shows how fields are exchanged, and says nothing about climate. It leads: each model year it sends its
warming, and is sent the class fractions of that year. It saves ``toy-<year>.nc``, and goes on from its last one.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import xarray as xr
import zmq
from exchange import Partner, meet

# North et al. (1981), doi:10.1029/RG019i001p00091: outgoing radiation 203.3 + 2.09 T W m-2, T in degrees Celsius.
OUTGOING, SENSITIVITY, SOLAR = 203.3, 2.09, 1360.0 / 4  # W m-2, W m-2 K-1, W m-2
YEARS_OF_MEMORY = 50 * 1025 * 3990 / (SENSITIVITY * 365.25 * 86400)  # 50 m of sea water: depth, density, heat capacity
ATMOSPHERE = 0.2  # share of the sunlight that the air sends back


def albedo_of(fraction: np.ndarray) -> np.ndarray:
    """Albedo (Y, X) of the mixture of classes (class, Y, X), each about as in Oke (1987); the ocean's without data."""
    with (Path(__file__).parent / "albedo.csv").open() as stream:
        table = np.array([float(row["albedo"]) for row in csv.DictReader(stream)])
    known = np.nan_to_num(fraction)
    known[0] += 1 - known.sum(0)
    return np.tensordot(table, known, 1)


def equilibrium(fraction: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Temperature (Y, X), degrees Celsius, at which the slab loses what it gains."""
    sunshine = SOLAR * (1 - 0.482 * (3 * np.sin(np.radians(lat)) ** 2 - 1) / 2)[:, None]  # North et al. (1981)
    return (sunshine * (1 - ATMOSPHERE) * (1 - albedo_of(fraction)) - OUTGOING) / SENSITIVITY


def relaxed(temperature: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Temperature after a year: the exact solution of the slab's linear equation."""
    return towards + (temperature - towards) * np.exp(-1 / YEARS_OF_MEMORY)


def slab(year: int, temperature: np.ndarray, first: np.ndarray, fields: dict[str, np.ndarray]) -> xr.Dataset:
    """State after a year; ``first`` is the temperature that the warming is counted from."""
    names = {"temperature": temperature, "first_temperature": first}
    layers = {name: (("lat", "lon"), values, {"units": "degree_Celsius"}) for name, values in names.items()}
    layers["land_use_fraction"] = ("cover_class", "lat", "lon"), fields["land_use_fraction"], {"units": "1"}
    about = {"year": year, "comment": "toy atmosphere: synthetic"}
    return xr.Dataset(layers, {"lat": fields["lat"], "lon": fields["lon"]}, about)


def save(state: xr.Dataset, path: Path) -> None:
    """One year's state, whole or not at all."""
    state.to_netcdf(path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)


def ask(land: Partner, header: dict, **fields: np.ndarray) -> dict[str, np.ndarray]:
    """Send to the land, wait for its fields."""
    land.send(header, **fields)
    return land.receive()[1]


def main(first: int, last: int, folder: Path, address: str, patience: float = 60) -> None:
    """Lead the exchange from the first year, or from the last one saved, to the last year."""
    sign = 1 if last > first else -1
    saved = [year for year in range(first, last + sign, sign) if (folder / f"toy-{year}.nc").exists()]
    year = saved[-1] if saved else first
    land = meet("the land", zmq.REQ, address, patience)
    fields = ask(land, {"do": "begin", "year": year})
    if saved:
        state = xr.load_dataset(folder / f"toy-{year}.nc")
    else:
        start = equilibrium(fields["land_use_fraction"], fields["lat"])
        state = slab(year, start, start, fields)
        save(state, folder / f"toy-{year}.nc")
    while year != last:
        year, zero = year + sign, state["first_temperature"].to_numpy()
        towards = equilibrium(fields["land_use_fraction"], fields["lat"])
        temperature = relaxed(state["temperature"].to_numpy(), towards)
        fields = ask(land, {"do": "step", "year": year}, warming=temperature - zero)
        state = slab(year, temperature, zero, fields)
        save(state, folder / f"toy-{year}.nc")
    ask(land, {"do": "end", "year": year})


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit("usage: python toy.py <first year> <last year> <folder> <address> [<seconds to wait>]")
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], *map(float, sys.argv[5:]))
