"""Write the score table of README.md from figures/uk-scores.csv: ``make figures RUN=uk`` runs it."""

import csv
import json
from pathlib import Path

HERE = Path(__file__).parent
MARK = "<!-- uk-scores -->"
COLUMNS = {"overall accuracy": 4, "mIoU (6 land)": 4, "figure of merit": 4, "area error, 50 cells": 4}
NAMES = {
    "persistence": "Persistence (do nothing)", "kernel_density": "Kernel-density allocation",
    "landscaler": "LandScaleR, published map", "xgboost": "ai4land, XGBoost",
}  # fmt: skip
CASES = {
    "perfect coarse 0.5 degree": "0.5°", "perfect coarse 0.25 degree": "0.5° and 0.25°",
    "perfect coarse 0.25 degree statics": "the same, and relief, climate",
}  # fmt: skip


def main() -> None:
    """Replace what stands between the two marks."""
    with (HERE / "uk-scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    lines = [
        "| method | true class areas given at | " + " | ".join(COLUMNS) + " |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]
    keys = []
    for row in rows:
        case = row["experiment"].rsplit(", lead", 1)[0]
        repeated = row["model"] in ("persistence", "landscaler") and CASES[case] != "0.5°"
        if (
            row["model"] not in NAMES
            or row["member"] == "fuzzy"
            or repeated
            or (row["model"] != "xgboost" and "statics" in case)
        ):
            continue
        given = "–" if row["model"] == "persistence" else CASES[case]
        values = [f"{float(row[c]):.{digits}f}" for c, digits in COLUMNS.items()]
        lines.append(f"| {NAMES[row['model']]} | {given} | " + " | ".join(values) + " |")
        keys.append([row["experiment"], row["model"], row["member"]])
    readme = HERE.parent / "README.md"
    before, _, after = readme.read_text().split(MARK)
    block = f"{MARK}\n<!-- keys: {json.dumps(keys)} -->\n\n" + "\n".join(lines) + f"\n\n{MARK}"
    readme.write_text(before + block + after)


if __name__ == "__main__":
    main()
