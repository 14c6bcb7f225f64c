"""Is the twin Earth like land? The same statistics of real HILDA+ maps and of the twin, side by side.

``RAW=<folder of the real maps> python benchmarks/twin_statistics.py`` writes data/twin_statistics.csv.
All statistics are over cells that are land in every year of a place; cells are counted, not km2.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from ai4land.grid import Grid
from ai4land.legend import DATA, class_codes, read_crosswalk, read_legend, recode
from ai4land.sources import dataset_row, find_files, open_input
from twin_earth import Land

LEGEND = read_legend("land_use")
NAMES = LEGEND.set_index("code")["name"].to_dict()
CODES = class_codes(LEGEND, land_only=True)
REAL = {"crete": "hilda_plus_v1", "uk_north": "hilda_plus_v1f_uk_north"}
WINDOWS = {"twin_tiny": Grid(36, 29, 0.01, 0.01, 100, 200), "twin_demo": Grid(40, 20, 0.01, 0.01, 1000, 1000)}
QUARTERS = {"north_west": (0, 0), "north_east": (0, 500), "south_west": (500, 0), "south_east": (500, 500)}
for name, (row, col) in QUARTERS.items():
    WINDOWS[f"twin_demo_{name}"] = WINDOWS["twin_demo"].cut(slice(row, row + 500), slice(col, col + 500))
YEARS = range(1985, 2016)
SEED = 1  # of every run, where run.yml names none
LAGS = (1, 3, 5, 10, 12)
RETURN = 5  # years within which a change counts as undone
STEP = 3  # years between the maps of the transition matrix
Maps = dict[int, np.ndarray]
Row = tuple[str, str, str, float]


def real_maps(dataset: str, raw: Path) -> Maps:
    """Land-use classes of a HILDA+ series by year."""
    cover = open_input(find_files(dataset, raw))
    crosswalk = read_crosswalk(f"hilda_plus_v{dataset_row(dataset)['version']}", "land_use")
    return {int(year): recode(cover.sel(time=year).to_numpy(), crosswalk) for year in cover.time.to_numpy()}


def twin_maps(grid: Grid) -> Maps:
    """Land-use classes of the twin by year."""
    land = Land(grid, SEED)
    return {year: land.land_use(year) for year in YEARS}


def shares(maps: Maps, land: np.ndarray) -> list[Row]:
    """Land share of the window, and class shares in the first and last year."""
    first, last = min(maps), max(maps)
    rows: list[Row] = [("land_share", "", "", land.mean())]
    for name, year in (("first", first), ("last", last)):
        rows += [(f"class_share_{name}_year", NAMES[c], "", (maps[year] == c)[land].mean()) for c in CODES]
    return rows


def change(maps: Maps, land: np.ndarray) -> list[Row]:
    """Share of land that differs after some years, and of the changes that are undone soon."""
    rows: list[Row] = []
    for lag in LAGS:
        rates = [(maps[y] != maps[y + lag])[land].mean() for y in maps if y + lag in maps]
        if rates:
            rows += [(f"changed_in_{lag}_years_{f.__name__}", "", "", f(rates)) for f in (np.mean, np.median, np.max)]
    changed = undone = 0
    for year in maps:
        if all(year + k in maps for k in range(1, RETURN + 2)):
            left = (maps[year] != maps[year + 1]) & land
            back = np.any([maps[year + k] == maps[year] for k in range(2, RETURN + 2)], axis=0)
            changed, undone = changed + left.sum(), undone + (left & back).sum()
    return [*rows, (f"undone_within_{RETURN}_years", "", "", undone / changed)] if changed else rows


def patches(maps: Maps, land: np.ndarray) -> list[Row]:
    """Sizes of 4-connected patches in the last year, cells, and share of neighbouring land cells that differ."""
    cover = maps[max(maps)]
    rows: list[Row] = []
    for code in CODES:
        labels, number = ndimage.label((cover == code) & land)
        if number:
            size = np.bincount(labels.ravel())[1:]
            values = {"median": np.median(size), "mean": size.mean(), "p90": np.percentile(size, 90), "max": size.max()}
            rows += [(f"patch_cells_{name}", NAMES[code], "", value) for name, value in values.items()]
    pairs = [((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
             ((slice(None), slice(1, None)), (slice(None), slice(None, -1)))]  # fmt: skip
    both = [land[a] & land[b] for a, b in pairs]
    differ = sum(int(((cover[a] != cover[b]) & on).sum()) for (a, b), on in zip(pairs, both, strict=True))
    return [*rows, ("edge_share", "", "", differ / sum(int(on.sum()) for on in both))]


def transitions(maps: Maps, land: np.ndarray) -> list[Row]:
    """Share of all changes within `STEP` years that go from one class to another, and share of a class that leaves."""
    counts = np.zeros((256, 256))
    for year in maps:
        if year + STEP in maps:
            np.add.at(counts, (maps[year][land], maps[year + STEP][land]), 1)
    counts = counts[np.ix_(CODES, CODES)]
    moved = counts * (1 - np.eye(len(CODES)))
    rows: list[Row] = [
        (f"transition_share_{STEP}_years", NAMES[a], NAMES[b], moved[i, j] / moved.sum())
        for i, a in enumerate(CODES) for j, b in enumerate(CODES) if i != j
    ]  # fmt: skip
    left = moved.sum(1) / np.maximum(counts.sum(1), 1)
    return rows + [(f"left_in_{STEP}_years", NAMES[a], "", left[i]) for i, a in enumerate(CODES)]


def statistics(place: str, maps: Maps) -> pd.DataFrame:
    """All statistics of one place."""
    land = np.all([np.isin(m, CODES) for m in maps.values()], axis=0)
    rows = [row for part in (shares, change, patches, transitions) for row in part(maps, land)]
    table = pd.DataFrame(rows, columns=["statistic", "class", "to_class", "value"])
    table.insert(0, "place", place)
    return table


def main() -> None:
    """Write the table and print what one looks at first."""
    if "RAW" not in os.environ:
        sys.exit("Give RAW=, the folder that holds the HILDA+ maps of Crete and the UK.")
    raw = Path(os.environ["RAW"])
    tables = [statistics(place, real_maps(dataset, raw)) for place, dataset in REAL.items()]
    tables += [statistics(place, twin_maps(grid)) for place, grid in WINDOWS.items()]
    table = pd.concat(tables, ignore_index=True)
    table["value"] = table["value"].map("{:.5g}".format)
    path = DATA / "twin_statistics.csv"
    table.to_csv(path, index=False)
    seen = table[table["to_class"] == ""].pivot_table("value", ["statistic", "class"], "place", aggfunc="first")
    print(seen[list(table["place"].unique())].to_string(), f"\nwritten: {path}")


if __name__ == "__main__":
    main()
