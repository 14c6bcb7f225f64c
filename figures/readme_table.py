"""Write a score table of README.md from figures/<run>-scores.csv: ``make figures RUN=<run>`` runs it."""

import csv
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
COLUMNS = {"overall accuracy": 4, "mIoU (6 land)": 4, "figure of merit": 4, "area error, 50 cells": 4}
METHODS = {
    "persistence": "Persistence (do nothing)", "kernel_density": "Kernel-density allocation",
    "landscaler": "LandScaleR, published map", "xgboost": "ai4land, XGBoost", "unet": "ai4land, U-Net",
}  # fmt: skip
BASELINES = ["persistence/all", "kernel_density/deterministic"]
MATCHED = ["xgboost+allocation/all", "unet+allocation/all"]
OTHERS = [*MATCHED, "xgboost/expected_change", "unet/expected_change"]
# By run: heading of the second column; by experiment: what stands there, and the rows (model/member).
TABLES = {
    "uk": ("true class areas given at", {
        "perfect coarse 0.5 degree, lead (years) 3":
            ("0.5°", [*BASELINES, "landscaler/deterministic", "xgboost/all", MATCHED[0]]),
        "perfect coarse 0.25 degree, lead (years) 3":
            ("0.5° and 0.25°", [BASELINES[1], "xgboost/all", "unet/all", *MATCHED]),
        "perfect coarse 0.25 degree statics, lead (years) 3":
            ("the same, and relief, climate", ["xgboost/all", "unet/all", *OTHERS]),
    }),
    "demo": ("years ahead", {
        f"{name}, lead (years) {lead}": (str(lead), rows)
        for lead in (5, 10)
        for name, rows in (
            ("forecast", [*BASELINES, "xgboost/all", "unet/all", *OTHERS]),
            ("rollout forward", ["unet+allocation/all"]),
        )
    }),
}  # fmt: skip

# By mark in README.md: file, title of the columns of names, rows that are shown, columns of the file by title.
GREEN = {
    "demo-land-cover": (
        "demo-scores-land-cover.csv", ["method", "told of the year", "years back"], {"classes": "37"},
        {"overall accuracy": "accuracy", "precision": "precision", "mIoU (land)": "mIoU (land)",
         "figure of merit": "figure of merit"},
    ),
    "demo-leaf-area": (
        "demo-scores-leaf-area.csv", ["method", "variant", "years ahead"], {},
        {"R2": "R2", "RMSE (m2 m-2)": "RMSE (m2 m-2)",
         **{f"misfit reduction: {name}": f"misfit reduction, {name}" for name in ("global mean", "climatology")},
         "anomaly correlation": "anomaly correlation"},
    ),
}  # fmt: skip
NAMES = {
    "persistence": "Persistence (do nothing)", "land_use_majority": "Most frequent for land use and climate",
    "land_use_rule": "Kept where land use stays", "random_forest": "Random forest", "xgboost": "ai4land, XGBoost",
    "cell_mean": "Mean of the cell", "climatology": "Monthly climatology of the cell",
    "global_mean": "Mean of the region",
}  # fmt: skip
MEMBERS = {"all": "–", "hilda": "land use", "hilda+prior": "land use, prior map", "none": "nothing",
           "prior": "prior map", "cover": "no prior season", "cover+prior": "prior season",
           "hilda+prior+expected_change": "land use, prior map; as much change as expected",
           "prior+expected_change": "prior map; as much change as expected",
           "coupled": "prior season, weather until the month before"}  # fmt: skip


def green_table(mark: str) -> str:
    """Markdown table of land cover or leaf area."""
    file, heads, keep, columns = GREEN[mark]
    lines = [f"| {' | '.join([*heads, *columns])} |", "|" + "---|" * (len(heads) + len(columns))]
    with (HERE / file).open() as stream:
        for row in csv.DictReader(stream):
            if all(row[key] == value for key, value in keep.items()):
                lead = row.get("lead") or row["lead (years)"]
                values = [f"{float(row[c]):.3f}" if row[c] else "–" for c in columns.values()]
                lines.append("| " + " | ".join([NAMES[row["model"]], MEMBERS[row["member"]], lead, *values]) + " |")
    return "\n".join(lines)


def table(run: str) -> str:
    """Markdown table of one run, with the keys of its rows in a comment."""
    heading, experiments = TABLES[run]
    with (HERE / f"{run}-scores.csv").open() as stream:
        rows = {(r["experiment"], r["model"], r["member"]): r for r in csv.DictReader(stream)}
    lines = [f"| method | {heading} | " + " | ".join(COLUMNS) + " |", "|---|---|" + "---|" * len(COLUMNS)]
    keys = []
    for experiment, (given, members) in experiments.items():
        for model, member in (m.split("/") for m in members):
            row = rows[experiment, model, member]
            name = METHODS[model.removesuffix("+allocation")] + (", areas matched" if "+" in model else "")
            name += ", as much change as expected" if member == "expected_change" else ""
            name += ", stepped" if experiment.startswith("rollout") else ""
            values = [f"{float(row[c]):.{digits}f}" for c, digits in COLUMNS.items()]
            lines.append(f"| {name} | {'–' if given == '0.5°' and model == 'persistence' else given} | "
                         + " | ".join(values) + " |")  # fmt: skip
            keys.append([experiment, model, member])
    return f"<!-- keys: {json.dumps(keys)} -->\n\n" + "\n".join(lines)


def main() -> None:
    """Replace what stands between the marks of the run named on the command line, if it has tables."""
    run, readme = sys.argv[1], HERE.parent / "README.md"
    made = {f"{run}-scores": table(run)} if run in TABLES else {}
    made |= {mark: "\n" + green_table(mark) for mark in GREEN if mark.startswith(f"{run}-")}
    for name, lines in made.items():
        mark = f"<!-- {name} -->"
        before, _, after = readme.read_text().split(mark)
        readme.write_text(f"{before}{mark}\n{lines}\n\n{mark}{after}")


if __name__ == "__main__":
    main()
