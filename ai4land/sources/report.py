"""What a run will fetch, before it does: ``make data-report RUN=catalonia``."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from ai4land.grid import Bounds
from ai4land.runs import Run, read_run
from ai4land.sources.hosts import needs_certificate
from ai4land.sources.inputs import Need, missing_inputs, needs
from ai4land.sources.registry import dataset_row, of_same_file, search, series_of
from ai4land.sources.supply import fetchable

_HOW = {"cog": "window", "netcdf": "window", "cds": "window, by request", "file": "whole files", "": "whole files"}


def data_report(run: Run, raw: Path) -> pd.DataFrame:
    """What a run reads, what of it is there, and what the rest costs.

    Parameters
    ----------
    run : Run
    raw : pathlib.Path
        Folder with the raw files that are there.

    Returns
    -------
    pandas.DataFrame
        One row a data set: ``dataset``, ``role``, ``state`` (there, to fetch, to get by hand, made up by 01-download,
        not needed: it has no year of the run), ``how``,
        ``files``, ``gigabytes`` (transferred; about, NaN is unknown: of a file that is cut, the rows of the window, or
        its share of the area where the file is tiled), ``host``, ``licence``, ``account`` (where to get
        one, or the files themselves), ``citation``.
    """
    absent = {need.dataset for need in missing_inputs(run, raw)}
    wanted = needs(run)
    rows = [_row(need, run, raw, need.dataset in absent) for need in wanted]
    for role, dataset in run.inputs.by_role.items():
        if role not in {need.role for need in wanted}:
            rows.append(_row(Need(role, dataset, ()), run, raw, False) | {"state": "not needed"})
    for i, row in enumerate(rows):  # an archive of several data sets comes once
        first = next(r["dataset"] for r in rows if r["dataset"] in of_same_file(str(row["dataset"])))
        if row["state"] == "to fetch" and first != row["dataset"]:
            rows[i] = row | {"how": f"with {first}", "gigabytes": 0.0}
    return pd.DataFrame(rows)


def _share(bounds: Bounds | None, method: str, url: str) -> float:
    """Share of a file's bytes that a window takes, about: what NetCDF stores together comes together."""
    if bounds is None or method not in ("cog", "netcdf", "cds"):
        return 1.0
    west, south, east, north = bounds
    if "LUH2" in url or "landState" in url:  # each year is stored as one piece; the past begins in 850
        return 0.15 if "0850" in url or url.endswith("/states.nc") else 1.0
    return (north - south) / 180 * (1.0 if method == "netcdf" else (east - west) / 360)


def _row(need: Need, run: Run, raw: Path, absent: bool) -> dict[str, object]:
    row = dataset_row(need.dataset)
    by_program = fetchable(need.dataset)
    state = "there" if not absent else ("made up by 01-download" if run.synthetic else
                                        "to fetch" if by_program else "to get by hand")  # fmt: skip
    one = float(row["bytes"]) / 1e9 if row["bytes"] else float(row.get("gigabytes") or "nan")
    found = search(need.dataset, raw, run.window)
    have = {f.year for f in found if "year" in f.keys}
    years = None if need.years is None else set(need.years) - have
    wanted = [v for v in series_of(row) if years is None or "year" not in v or int(v["year"]) in years]
    method = str(row.get("method", ""))
    fetched = absent and by_program and not run.synthetic
    return {
        "dataset": need.dataset, "role": need.role, "state": state,
        "how": (_HOW[method] if run.window else "whole files") if fetched else "",
        "files": len(wanted) if absent or need.years == () else len(found),
        "gigabytes": one * len(wanted) * _share(run.window, method, str(row["url"])) if fetched else 0.0,
        "host": "" if run.synthetic else urlsplit(row["url"]).hostname or "",
        "licence": "none: synthetic" if run.synthetic else row["licence"],
        "account": row.get("landing", "") if row["access"] != "open" else "", "citation": row["citation"],
    }  # fmt: skip


def summarise(report: pd.DataFrame) -> str:
    """Lines that a person reads before a download: the table, the sum, and licences that bind the product."""
    shown = report[["dataset", "state", "how", "files", "gigabytes", "host", "licence"]].copy()
    shown["gigabytes"] = [f"{g:.3f}" if g == g else "unknown" for g in report["gigabytes"]]
    lines = [shown.to_string(index=False)]
    fetched = report[report["state"] == "to fetch"]
    if len(fetched):
        unknown = int(fetched["gigabytes"].isna().sum())
        lines.append(
            f"\nTo fetch: about {fetched['gigabytes'].sum():.1f} GB"
            + f", and {unknown} data sets of unknown size" * (unknown > 0)
        )
    accounts = report[(report["account"] != "") & report["state"].isin(["to fetch", "to get by hand"])]
    lines += [f"Account, licence or manual download: {r.dataset}: {r.account}" for r in accounts.itertuples()]
    for host in sorted(set(fetched["host"])):
        if needs_certificate(f"https://{host}"):
            lines.append(f"Certificate to get by hand first: {host}, see data/certificates/README.md")
    bound = sorted({n for n in report["licence"] if "non-commercial" in n.lower() or "SA" in n.split("-")})
    lines += [
        f"Binds what is made of it: {name}" for name in bound if (report["state"] != "made up by 01-download").any()
    ]
    return "\n".join(lines)


def _main(name: str, raw: Path) -> None:
    run = read_run(name)
    print(f"{run.title}: what the run reads, from where, and what it will fetch")
    print(summarise(data_report(run, raw)))


if __name__ == "__main__":
    try:
        _main(sys.argv[1], Path(sys.argv[2]))
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
