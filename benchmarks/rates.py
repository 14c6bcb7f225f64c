"""What `make plan` reckons with: measured rates of every device, from benchmarks/results, into data/rates.csv.

``python benchmarks/rates.py`` after any of the benchmarks that it names; nothing is measured here. The date of a rate
is that of its result's file; one that has not changed keeps its date.
"""

import re
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from ai4land.legend import DATA

RESULTS, TABLE = Path(__file__).parent / "results", DATA / "rates.csv"
TILE = 12.0  # million cells of a region of 20 x 60 degrees
SECONDS, GIGABYTES = "s per million cells and {}", "GB per million cells and {}"
SERIES = {"land_cover": "year", "lai": "year", "climate": "year", "climate_land": "year"}
Rate = tuple[str, str, str, float, str]  # device, step, unit, rate, command


def short(device: str) -> str:
    """Name that `make plan` knows a device by: ``h100`` of NVIDIA H100 80GB HBM3, ``cpu`` of any processor's thread."""
    if device.endswith("thread"):
        return "cpu"
    return re.split(r"[ -]", device.lower().removeprefix("nvidia "))[0]


def region_rates() -> list[Rate]:
    """Of benchmarks/region.py: one region, land use and statics of 60 years, the series by year."""
    table = pd.read_csv(RESULTS / "region.csv").set_index("what")["value"]
    command = "python benchmarks/region.py FOLDER"
    whole = 60 * table["region, 60 years of land use and statics, one worker"]
    own = 60 * table["layers on their own grids, LUH2 1850-2100 with eight scenarios"]
    fine = sum(table[f"cube, {group}, region"] for group in ("fine", "coarse", "koppen"))
    luh2 = table[[name for name in table.index if name.startswith("cube, luh2")]].sum()
    years = 166 + 8 * 86  # of LUH2, 1850-2015 and 2015-2100
    rates = [
        ("regrid", SECONDS.format("map"), whole / TILE / 60),
        ("own grids", SECONDS.format("year of LUH2"), own / TILE / years),
        ("disk, maps", GIGABYTES.format("map, of land"), fine / TILE / 60 / table["land, share of the region"]),
        ("disk, luh2", GIGABYTES.format("year"), luh2 / TILE / years),
    ]
    for name, each in SERIES.items():
        for what in table.index:
            if found := re.fullmatch(rf"{name}, (\d+) years, region", what):
                rates.append((f"regrid {name}", SECONDS.format(each), 60 * table[what] / TILE / int(found[1])))
            if found := re.fullmatch(rf"cube, {name}, (\d+) years, globe", what):
                rates.append((f"disk, {name}", GIGABYTES.format(each), table[what] / 54 / TILE / int(found[1])))
    return [("cpu", step, unit, rate, command) for step, unit, rate in rates]


def network_rates() -> list[Rate]:
    """Of ``make bench``: training, prediction and allocation; of a GPU under its name."""
    rates: list[Rate] = []
    for kind in ("cpu", "cuda"):
        path = RESULTS / f"network-{kind}.csv"
        if not path.exists():
            continue
        table = pd.read_csv(path, index_col=0).iloc[:, 0]
        title = pd.read_csv(path, nrows=0).columns[0]  # U-Net, 96 x 96 cells, 8 a batch, <device>
        device, side = short(title.split(", ", 3)[3]), int(re.findall(r"(\d+) x", title)[0])
        train = 1e6 / (table["training, cube on the device"] * side**2)
        network = 1e6 / table["predicted cells per second"]
        rates += [(device, "train", "s per million cells of windows", train, "python benchmarks/network.py"),
                  (device, "network", SECONDS.format("year"), network, "python benchmarks/network.py")]  # fmt: skip
    table = pd.read_csv(RESULTS / "allocation.csv").set_index("case").loc[["rollout year, LUH2's pools"]]
    for machine, speed in zip(table["machine"], table["most probable, 1e6 cells/s"], strict=True):
        rates.append((short(machine), "allocate", SECONDS.format("year"), 1 / speed, "python benchmarks/allocation.py"))
    return rates


def tree_rates() -> list[Rate]:
    """Of benchmarks/trees.py, on one thread."""
    table = pd.read_csv(RESULTS / "trees-cpu.csv", index_col=0).iloc[:, 0]
    unit, command = "s per million cells and round", "python benchmarks/trees.py"
    return [("cpu", "grow trees", unit, 1 / table["growing, cpu"], command),
            ("cpu", "predict trees", unit, 1 / table["predicting, cpu"], command)]  # fmt: skip


def planet_rates() -> list[Rate]:
    """Of benchmarks/planet.py: a year of all its regions, by million cells of land."""
    if not (RESULTS / "planet.csv").exists():
        return []
    rates: list[Rate] = []
    table = pd.read_csv(RESULTS / "planet.csv")
    for device, rows in table[table["region"] == "all"].groupby("device"):
        whole = rows.iloc[0]
        land = whole["land_cells"] * whole["years"] / 1e6
        parts = {
            "network": whole[["network_seconds", "encode_seconds", "other_seconds"]].sum(),
            "allocate": whole["allocate_seconds"], "write": whole["write_seconds"], "stitch": whole["stitch_seconds"],
        }  # fmt: skip
        units = {step: (SECONDS.format("year, of land"), seconds / land) for step, seconds in parts.items()}
        for name, total in (("rollout", whole["gb"]), ("product", whole["product_gb"])):
            units[f"disk, {name}"] = GIGABYTES.format("year, of land"), total / land
        command = "python benchmarks/planet.py FOLDER --weights FOLDER"
        rates += [(short(str(device)), step, unit, rate, command) for step, (unit, rate) in units.items()]
    return rates


def measured(command: str) -> str:
    """Day of the newest result of a benchmark."""
    name = Path(command.split()[1]).stem
    newest = max(path.stat().st_mtime for path in RESULTS.glob(f"{name}*.csv"))
    return datetime.fromtimestamp(newest, UTC).date().isoformat()


def gather() -> pd.DataFrame:
    """Columns device, step, unit, rate, command; of two measurements of a step the planet's counts."""
    columns = ["device", "step", "unit", "rate", "command"]
    table = pd.DataFrame(region_rates() + tree_rates() + network_rates() + planet_rates(), columns=columns)
    table["rate"] = [float(f"{rate:.4g}") for rate in table["rate"]]
    return table.drop_duplicates(["device", "step"], keep="last").reset_index(drop=True)


def main() -> None:
    """Gather, print and save."""
    table = gather()
    old = pd.read_csv(TABLE) if TABLE.exists() else table.assign(date=None)
    table = table.merge(old[["device", "step", "rate", "date"]], "left", ["device", "step", "rate"])
    table["date"] = table["date"].fillna(table["command"].map(measured))
    print(table.to_string(index=False))
    table.to_csv(TABLE, index=False)


if __name__ == "__main__":
    main()
