"""The page beside a product that a data paper would be; its words are in ``data/product_readme.md``.

Every number is read from the run, its stores and its scores.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd
import xarray as xr

from ai4land.evaluate import read_scores, summary_table
from ai4land.grid import COARSE_CELLS, EARTH_RADIUS, Grid, grid_of
from ai4land.legend import DATA, NO_DATA, class_codes, read_legend
from ai4land.product.licence import citations
from ai4land.product.store import open_product
from ai4land.product.templates import ERAS, coarse_fields, fine_fields
from ai4land.product.years import STORE, product_stores
from ai4land.runs import Run
from ai4land.store import MADE_UP_LICENCE

_SCORED = ("unet+allocation", "all")  # the control member of a rollout to wanted areas
_MANY_CELLS = 4_000_000  # above, a map is shown by every twentieth row and column
_METRICS = {
    "overall_accuracy": "overall accuracy", "mean_iou_land": "mIoU (6 land)", "figure_of_merit": "figure of merit",
}  # fmt: skip
_ALLOCATED = {
    "luh2": "the start year's, moved by LUH2's change since then",
    "perfect": "those of the reference maps (perfect coarse input)",
}
_KINDS = {".zarr": "Zarr 3, all years", ".nc": "NetCDF4, one year", ".tif": "Cloud Optimized GeoTIFF, one year"}
_MARK = "> **SYNTHETIC DATA.** Made from made-up inputs: it describes no place on Earth.\n\n"
_JUDGED = (
    "Experiments that step year by year as the product does, judged by the reference maps of their test years, beside "
    "persistence (nothing changes) and the classical allocator on the same cells; all regions together.\n\n{}\n\n{} "
    "Persistence has every unchanged cell right: read accuracy beside its own, and the figure of merit (hits among all "
    "cells that changed or were said to), which is 0 for it. All scores are in `scores.csv`."
)


def write_readme(folder: Path, run: Run, exports: Sequence[Path] = ()) -> Path:
    """Describe a run's whole product in ``README.md`` beside it.

    Parameters
    ----------
    folder : pathlib.Path
        Results of the run: its stores, and ``scores.csv``.
    run : Run
    exports : sequence of pathlib.Path
        Files of `write_netcdf` and `write_cog`; those that a killed call left behind are not listed.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    FileNotFoundError
        If a store or the scores are not there.
    """
    paths = {name: folder / f"{name}.zarr" for name in product_stores(run)}
    stores = {name: open_product(path) for name, path in paths.items()}
    scores = read_scores(folder)
    words = _heading(run, stores) | _limits(run, grid_of(stores[STORE])) | _licence(stores[STORE].attrs) | {
        "making": _making(run), "years": _years(stores), "variables": _variables(paths[STORE]), "legend": _legend(),
        "scores": _scores(run, scores), "itself": _itself(paths), "files": _files(folder, [*paths.values()], exports),
        "store": STORE,
    }  # fmt: skip
    target = folder / "README.md"
    target.write_text(Template((DATA / "product_readme.md").read_text()).substitute(words))
    return target


def _table(rows: list[dict] | pd.DataFrame) -> str:
    """Markdown table."""
    frame = pd.DataFrame(rows)
    lines = [[str(c) for c in frame.columns], ["---"] * frame.shape[1], *frame.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _span(years: Sequence[int]) -> str:
    return f"{min(years)}-{max(years)}" if len(set(years)) > 1 else "".join(map(str, set(years))) or "-"


def _heading(run: Run, stores: dict[str, xr.Dataset]) -> dict[str, str]:
    grid, e = grid_of(stores[STORE]), run.experiments
    west, south, east, north = (f"{round(float(edge), 4):g}" for edge in grid.bounds)
    folds = any(e[str(x.trained_as)].folds for x in e.values() if x.product)
    each = ["`trained as`", *(["fold"] if folds else []), *(["region"] if run.weights == "own" else [])]
    return {
        "span": _span([int(y) for data in stores.values() for y in data["time"]]), "title": run.title,
        "mark": _MARK if run.synthetic else "", "classes": str(class_codes(read_legend("land_use")).size),
        "rows": str(grid.rows), "cols": str(grid.cols), "cell": f"{grid.dlon:.4g} x {grid.dlat:.4g}",
        "window": f"longitude {west} to {east} and latitude {south} to {north}", "block": str(COARSE_CELLS),
        "source": run.source, "software": str(stores[STORE].attrs["software"]), "no_data": str(NO_DATA),
        "radius": f"{EARTH_RADIUS / 1000:.3f}",
        "weights": "one for each of " + " and ".join(each) + (
            ", shared by all regions" if run.weights == "shared" else ""),
        "last": str(int(stores[STORE]["time"][-1])), "thin": "[..., ::20, ::20]" if grid.rows * grid.cols > _MANY_CELLS
        else "",
    }  # fmt: skip


def _making(run: Run) -> str:
    rows = []
    for name, e in run.experiments.items():
        learned = run.experiments[e.trained_as or name].train
        rows += [{
            "experiment": name, "years": f"{e.start} to {e.targets[-1]}", "scenario": e.scenario or "-",
            "members": e.members, "trained as": e.trained_as, "on maps of": _span(learned or run.map_years),
            "wanted areas": _ALLOCATED[e.coarse],
        }] if e.product else []  # fmt: skip
    return _table(rows)


def _years(stores: dict[str, xr.Dataset]) -> str:
    rows = []
    for name, data in stores.items():
        years, era = data["time"].to_numpy(), data["era"].to_numpy()
        spans = {title: _span(years[era == code].tolist()) for code, title in ERAS.items()}
        rows.append({"store": f"`{name}.zarr`", **spans, "maps": years.size})
    return _table(rows)


def _variables(path: Path) -> str:
    fine, coarse = open_product(path), open_product(path, "coarse")
    fields = {name: fine[name] for name in (*fine_fields(), "source", "era")}
    fields |= {f"coarse/{name}": coarse[name] for name in coarse_fields()}
    return _table([
        {"variable": f"`{name}`", "dimensions": ", ".join(map(str, f.dims)), "type": f.dtype,
         "units": f.attrs.get("units", "-"), "what": "; ".join(
             str(f.attrs[a]) for a in ("long_name", "comment") if a in f.attrs)}
        for name, f in fields.items()
    ])  # fmt: skip


def _legend() -> str:
    legend = read_legend("land_use")
    legend = legend.assign(land=legend["land"].map({True: "yes", False: "no"}))
    return _table(legend[["code", "name", "label", "land"]].rename(columns={"land": "may change"}))


def _scores(run: Run, scores: pd.DataFrame) -> str:
    cases = {
        (name, lead): summary_table(scores, _METRICS, experiment=name, lead=lead)
        for name, e in run.experiments.items() if e.stepwise and e.allocation and run.judged(name)
        for lead in run.lead_groups(name)
    }  # fmt: skip
    if not cases:
        return "No experiment of this run steps through years that have maps: the product's skill was not measured."
    shown = pd.concat(cases, names=["experiment", "lead (years)"]).map(lambda v: "-" if np.isnan(v) else f"{v:.4f}")
    ahead = []
    for metric, rival in (("overall_accuracy", "persistence"), ("mean_iou_land", "persistence"),
                          ("figure_of_merit", "kernel_density")):  # fmt: skip
        title = _METRICS[metric]
        number = sum(_is_ahead(table, rival, title) for table in cases.values())
        ahead.append(f"in {title} it is ahead of {rival.replace('_', ' ')} in {number}")
    said = f"Of {len(cases)} cases (experiment and lead) of the U-Net (`{_SCORED[0]}`): {', '.join(ahead)}."
    return _JUDGED.format(_table(shown.reset_index()), said)


def _is_ahead(table: pd.DataFrame, rival: str, metric: str) -> bool:
    """Whether the control member has a higher score than a rival's best."""
    best = table[metric].groupby("model").max()
    return bool(table[metric].get(_SCORED, np.nan) > best.get(rival, np.nan))


def _itself(paths: dict[str, Path]) -> str:
    rows = []
    land = class_codes(read_legend("land_use"), land_only=True)
    titles = {"area_residual": "area residual", "luh2_difference": "difference from LUH2",
              "land_use_fraction_spread": "spread of the members"}  # fmt: skip
    for name, path in paths.items():
        fine, coarse = open_product(path), open_product(path, "coarse")
        grid = grid_of(fine)
        area, blocks_area = grid.cell_area(), grid.blocks(COARSE_CELLS).cell_area()
        made = fine["time"].to_numpy()[fine["source"].to_numpy() == 1]
        for year in sorted({*made[:1].tolist(), *made[-1:].tolist()}):
            one, blocks = fine.sel(time=year), coarse.sel(time=year)
            has_land = blocks["land_use_fraction"].sel(land_use_class=land).sum("land_use_class") > 0
            sure = _mean(one["confidence"].where(one["land_use"].isin(land)), area)
            means = {title: f"{_mean(abs(blocks[field]).where(has_land), blocks_area):.5f}"
                     for field, title in titles.items()}  # fmt: skip
            rows.append({"store": f"`{name}.zarr`", "year": year, "confidence (per cent)": f"{sure:.1f}", **means})
    return _table(rows)


def _mean(field: xr.DataArray, area: np.ndarray) -> float:
    """Mean of a field, NaN left out, cells weighted by the area that those of their row have."""
    return float(field.weighted(xr.DataArray(area, {"lat": field["lat"]}, ("lat",))).mean())


def _limits(run: Run, grid: Grid) -> dict[str, str]:
    e = run.experiments
    judged = [abs(y - e[n].start) for n in e if e[n].stepwise and e[n].allocation and run.judged(n)
              for y in e[n].targets]  # fmt: skip
    ahead = max(abs(y - x.start) for x in e.values() if x.product for y in x.targets)
    members = sorted({x.members for x in e.values() if x.product})
    reach = f"{max(judged)} years from theirs; beyond, its skill is unknown" if judged else "none: its skill is unknown"
    folded = [f"`{n}`" for n, x in e.items() if x.product and x.members > 1 and e[str(x.trained_as)].folds]
    spread = f"The spread is that of {' or '.join(map(str, members))} members that differ in where change falls"
    if folded:
        spread += (
            f", and in {', '.join(folded)} take turns with the networks of the folds: it does not hold the errors of "
            "LUH2 and of the reference maps, and those of the network's weights only as far as the folds differ."
        )
    else:
        spread += ": it holds neither the errors of LUH2 and of the reference maps nor those of the network's weights."
    west, _, east, _ = grid.bounds
    return {
        "date_line": "\n- Regions are not blended across the date line." if east - west > 360 - grid.dlon / 2 else "",
        "judged": f"The product goes {ahead} years from the map that it starts from. Maps to judge it by go {reach}.",
        "spread": "One member, so no spread is known." if members == [1] else spread,
    }  # fmt: skip


def _files(folder: Path, stores: list[Path], exports: Sequence[Path]) -> str:
    items = [item for item in (p.with_suffix(".stac.json") for p in stores) if item.exists()]
    rows = []
    whole = [path for path in exports if not {".partial", ".blocks"} & set(path.suffixes)]
    for path in [*stores, *whole, *items]:
        size = sum(f.stat().st_size for f in ([path] if path.is_file() else path.rglob("*")) if f.is_file())
        rows.append({"file": f"`{path.relative_to(folder)}`", "what": _KINDS.get(path.suffix, "STAC 1.1 item"),
                     "bytes": f"{size:,}"})  # fmt: skip
    return _table(rows)


def _licence(about: dict) -> dict[str, str]:
    table = citations(json.loads(about["inputs"]))
    table["doi"] = [f"[{d}](https://doi.org/{d})" if d else "-" for d in table["doi"]]
    shown = table[["role", "dataset", "files", "licence", "citation", "doi"]].rename(columns={"dataset": "data set"})
    made_up = about["license"] == MADE_UP_LICENCE
    return {
        "license": about["license"], "citations": _table(shown),
        "demand": "The inputs are made up in the formats of these data sets." if made_up else
        "The licences of the inputs demand it. Whoever uses the product cites these data sets:",
    }  # fmt: skip
