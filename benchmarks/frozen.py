"""Freeze what a commit makes of a run, and say what moved since: the net under a rebuilding.

``python benchmarks/frozen.py make PARENT`` checks the commit out below ``build/frozen/<commit>/``, runs ``make all``
there, several times with other seeds on the same raw files, and keeps weights, tables, stores, and what its models make
of fixed windows (`probe`). Hashes stand in ``benchmarks/results/frozen-<run>.csv``: a folder made again is the same one
or `make` says where it differs. ``compare`` takes the results of this checkout (``make all RUN=<run>`` before) and the
frozen folder, prints what moved, and exits with 1 where a rule is broken or a part is missing.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
PROBE = "benchmarks/probe.py"
LEARNED = {"unet", "cnn", "sequence", "joint", "xgboost", "random_forest"}  # models; others have nothing random
CLOSE, EQUAL_CLASSES, EQUAL_SCORES, DEVIATIONS = 1e-5, 0.9999, 1e-6, 3
SEEDS = {"tiny": 5, "demo": 3}
FILES = ("settings", "models", "tables")
KEYS = ["parent", "run", "seed", "kind", "name"]
MARKS = {True: "equal ", None: "moved ", False: "BROKEN"}
Lines = Iterator[tuple[bool | None, str, str]]  # equal, moved (None) or a broken rule; what; how


def digest(values: np.ndarray) -> str:
    """SHA-256 of type, shape and values, every NaN being the same."""
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.asarray(np.nan, values.dtype), values)
    elif values.dtype.kind not in "biuU":
        values = values.astype(str)
    return hashlib.sha256(f"{values.dtype.str} {values.shape}".encode() + values.tobytes()).hexdigest()


def files_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder, by path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def variables_of(folder: Path) -> dict[str, xr.DataArray]:
    """Decoded variables of every Zarr group below a folder, by path and name."""
    found = {}
    for path in sorted(folder.rglob("zarr.json")):
        if '"group"' in path.read_text():
            data = xr.open_zarr(path.parent, consolidated=False, chunks=None)
            found |= {f"{path.parent.relative_to(folder)}/{name}": values for name, values in data.data_vars.items()}
    return found


def by_year(values: xr.DataArray) -> dict[int, np.ndarray]:
    """Values of a variable by year; under 0 where it has no time."""
    if "time" not in values.dims:
        return {0: values.to_numpy()}
    time = values["time"]
    years = time.dt.year.to_numpy() if time.dtype.kind in "MO" else time.to_numpy()
    return {int(year): values.isel(time=np.flatnonzero(years == year)).to_numpy() for year in np.unique(years)}


def hashes(folder: Path) -> dict[tuple[str, str], str]:
    """Hash of all that is kept in a folder, by kind and name; of a store's variable over its years."""
    found = {(kind, name): one for kind in FILES for name, one in files_of(folder / kind).items()}
    for name, values in variables_of(folder / "stores").items():
        years = " ".join(f"{year} {digest(one)}" for year, one in by_year(values).items())
        found["stores", name] = hashlib.sha256(years.encode()).hexdigest()
    arrays = np.load(folder / "probe.npz") if (folder / "probe.npz").exists() else {}
    return found | {("probe", name): digest(values) for name, values in arrays.items()}


def call(*command: str | Path, cwd: Path, **options: object) -> str:
    """Output of a command, where it is asked for; one line where it fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, text=True, **options)
    if done.returncode:
        said = f": {done.stderr.strip()}" if done.stderr else "; its words are above"
        raise SystemExit(f"{' '.join(map(str, command))} failed in {cwd}{said}.")
    return str(done.stdout).strip()


def git(*arguments: str | Path, cwd: Path = ROOT) -> str:
    """Output of a git command."""
    return call("git", *arguments, cwd=cwd, capture_output=True)


def commit_of(name: str) -> str:
    """Short hash of a commit."""
    return git("rev-parse", "--short=12", f"{name}^{{commit}}")


def take(commit: str, path: str, into: Path) -> None:
    """Put a file or folder of a commit of this repository into a checkout, in place of what is there."""
    shutil.rmtree(into / path, ignore_errors=True)
    whole = git("rev-parse", commit)
    git("fetch", "--quiet", ROOT, whole, cwd=into)
    git("checkout", whole, "--", path, cwd=into)


def surroundings(checkout: Path) -> tuple[Path, dict[str, str]]:
    """Python for a checkout and its variables: this environment where the locks are equal, else the checkout's own."""
    kept = {k: v for k, v in os.environ.items() if k not in ("RAW", "MAKELEVEL", "MAKEFLAGS")}
    if (checkout / "requirements.lock").read_bytes() != (ROOT / "requirements.lock").read_bytes():
        print(f"{checkout}: another requirements.lock, so an environment of its own")
        return checkout / ".venv" / "bin" / "python", kept | {"CONDA_DEFAULT_ENV": ""}
    print(f"{checkout}: the same requirements.lock, so this environment ({sys.prefix})")
    (checkout / ".ready").touch()
    ours = {"CONDA_PREFIX": sys.prefix, "CONDA_DEFAULT_ENV": "ai4land", "PYTHONPATH": str(checkout)}
    return Path(sys.executable), kept | ours | {"MAKEFLAGS": f"READY={checkout / '.ready'}"}


def run_name(run: str, seed: int) -> str:
    """Name under which a run is made with a seed."""
    return run if seed == 1 else f"{run}-seed{seed}"


def make_results(checkout: Path, run: str, seed: int, variables: dict[str, str]) -> None:
    """``make all`` in a checkout; a further seed is a copy of the run's settings, on the raw files of the first."""
    name, settings = run_name(run, seed), checkout / "data" / "runs"
    if seed > 1:
        shutil.copytree(settings / run, settings / name, dirs_exist_ok=True)
        text = re.sub(r"^seed:.*\n", "", (settings / run / "run.yml").read_text(), flags=re.MULTILINE)
        (settings / name / "run.yml").write_text(f"{text}\nseed: {seed}\n")
    call("make", "all", f"RUN={name}", f"RAW={checkout / 'data' / 'raw' / run}", cwd=checkout, env=variables)


def run_probe(checkout: Path, python: Path, variables: dict[str, str], run: str, frozen: Path, out: Path) -> None:
    """What the models of a frozen folder make of fixed windows, by the code of a checkout."""
    call(python, PROBE, run, frozen / "models", out, cwd=checkout, env=variables | {"OMP_NUM_THREADS": "1"})


def keep(checkout: Path, run: str, seed: int, folder: Path) -> None:
    """Copy results into a frozen folder: all of the first seed, of others the scores."""
    results = checkout / "data" / "results" / run_name(run, seed)
    if not (results / "scores.csv").exists():
        raise SystemExit(f"{results}: no scores.csv; make all RUN={run_name(run, seed)} there first.")
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted(results.rglob("*.csv")) if seed == 1 else [results / "scores.csv"]:
        if "costs" not in path.name and "models" not in path.parts:  # what a step cost is no result
            copied = folder / "tables" / path.relative_to(results)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copied)
    if seed > 1:
        return
    shutil.copytree(results / "models", folder / "models")
    shutil.copytree(checkout / "data" / "runs" / run, folder / "settings")
    for path in sorted(results.rglob("*.zarr")):
        shutil.copytree(path, folder / "stores" / path.relative_to(results))
    shutil.copytree(checkout / "data" / "processed" / run / "cube.zarr", folder / "stores" / "cube.zarr")


def record(table: pd.DataFrame, path: Path) -> int:
    """Add hashes to a manifest, or say where they differ from those that it has of the same parent, run and seed."""
    old = pd.read_csv(path, dtype=str) if path.exists() else table.iloc[:0]
    mine = (old[KEYS[:3]] == table[KEYS[:3]].iloc[0]).all(axis=1)
    if not mine.any():
        pd.concat([old, table]).to_csv(path, index=False)
        print(f"{path.name}: {len(table)} hashes added")
        return 0
    both = old[mine].merge(table, on=KEYS, how="outer", suffixes=("", "_new"))
    moved = both[both["sha256"] != both["sha256_new"]]
    print(f"{path.name}: {len(moved)} of {len(both)} hashes differ", *moved["kind"] + " " + moved["name"], sep="\n  ")
    return int(len(moved) > 0)


def make(arguments: argparse.Namespace) -> int:
    """Freeze runs of a commit; returns 1 where a manifest has other hashes."""
    parent, made, status = commit_of(arguments.parent), arguments.checkout is None, 0
    checkout = arguments.checkout or arguments.folder / parent / "checkout"
    if not checkout.exists():
        git("clone", "--quiet", "--no-checkout", ROOT, checkout)
        git("checkout", "--quiet", "--detach", parent, cwd=checkout)
    python, variables = surroundings(checkout)
    if not (checkout / PROBE).exists():
        take(arguments.probe, PROBE, checkout)
    for run in arguments.runs.split(","):
        source = arguments.runs_from or ("HEAD" if run == "tiny" else parent)
        if made and commit_of(source) != parent:
            take(source, f"data/runs/{run}", checkout)
        for seed in range(1, 1 + (arguments.seeds or (SEEDS.get(run, 1) if made else 1))):
            folder = arguments.folder / parent / run / str(seed)
            if made:
                make_results(checkout, run, seed, variables)
            keep(checkout, run, seed, folder)
            if seed == 1:
                run_probe(checkout, python, variables, run, folder, folder / "probe.npz")
            rows = [(parent, run, str(seed), *key, value) for key, value in hashes(folder).items()]
            table = pd.DataFrame(rows, columns=[*KEYS, "sha256"])
            status |= record(table, arguments.manifests / f"frozen-{run}.csv")
    return status


def compare_files(old: Path, new: Path) -> Lines:
    """Settings of the run, weights and tables of this checkout's own training: which files differ, which lack."""
    for kind in FILES:
        was, now = files_of(old / kind), files_of(new / kind)
        moved = [name for name in was if name in now and was[name] != now[name]]
        yield None if moved else True, kind, f"{len(moved)} of {len(was)} files differ {', '.join(moved[:5])}"
        yield from ((False, f"{kind}/{name}", "missing today") for name in was if name not in now)


def compare_probe(old: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> Lines:
    """Rules of parent weights read by today's code, and of the predictors of trees."""
    for name, a in old.items():
        b, kind = new.get(name), name.split("|")[1]
        if b is None:
            yield False, name, "missing today"
        elif a.shape != b.shape or kind in ("names", "table"):
            yield a.shape == b.shape and digest(a) == digest(b), name, f"shape {a.shape}, today {b.shape}"
        else:
            apart = float(np.nanmax(np.abs(a - b), initial=0))
            where = (a > 0).any(0) & (kind == "probability")
            same = float((a.argmax(0) == b.argmax(0))[where].mean()) if where.any() else 1.0
            fine = apart <= CLOSE and same >= EQUAL_CLASSES and bool((np.isnan(a) == np.isnan(b)).all())
            yield fine, name, f"largest difference {apart:.1e}, {same:.4%} equal classes"


def read_scores(path: Path) -> pd.Series:
    """Values of ``scores.csv`` by all that names a row."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    keys = [name for name in table if name not in ("value", "cells")]
    return table.assign(value=pd.to_numeric(table["value"])).set_index(keys)["value"]


def is_learned(rows: pd.Index) -> np.ndarray:
    """Whether rows of scores are of models that learn."""
    return rows.get_level_values("model").str.split("+").str[0].isin(LEARNED)


def compare_scores(seeds: list[pd.Series], today: pd.Series) -> Lines:
    """Rules of scores: rows of models that learn nothing are equal, learned ones lie among those of the seeds.

    That a row of the same distribution lies beyond three standard deviations of a few seeds is no rarity: the rule is
    broken where twice as many rows do as chance gives (Student's t of one more value).
    """
    missing, rows = seeds[0].index.difference(today.index), seeds[0].index.intersection(today.index)
    # A model that no longer predicts a class has no precision of it: its row is moved, not lost.
    undefined = missing[is_learned(missing) & (missing.get_level_values("metric") == "precision")]
    fine = False if len(missing) > len(undefined) else None if len(missing) else True
    yield fine, "scores", f"{len(missing)} rows missing ({len(undefined)} precision), {len(today) - len(rows)} new"
    old, new = seeds[0][rows].to_numpy(), today[rows].to_numpy()
    learned = is_learned(rows)
    moved = ~(np.abs(new - old) <= EQUAL_SCORES) & ~(np.isnan(new) & np.isnan(old))
    off, beyond, chance = moved & ~learned, moved & learned, np.inf
    yield not off.any(), "scores, nothing learned", f"{off.sum()} of {(~learned).sum()} rows differ"
    text = "one seed is frozen, which cannot tell whether by chance"
    if len(seeds) > 1:
        spread = np.stack([one.reindex(rows).to_numpy() for one in seeds], axis=1)
        limit = np.maximum(DEVIATIONS * spread.std(axis=1, ddof=1), EQUAL_SCORES)
        beyond = beyond & ~(np.abs(new - spread.mean(axis=1)) <= limit)
        chance = 2 * stats.t.sf(DEVIATIONS / np.sqrt(1 + 1 / len(seeds)), len(seeds) - 1) * learned.sum()
        text = f"{beyond.sum()} beyond {DEVIATIONS} standard deviations of {len(seeds)} seeds, by chance {chance:.0f}"
    fine = False if beyond.sum() > 2 * chance else None if (moved & learned).any() else True
    yield fine, "scores, learned", f"{(moved & learned).sum()} of {learned.sum()} rows moved; {text}"
    worst = pd.DataFrame({"parent": old, "today": new, "apart": np.abs(new - old)}, rows)[off | beyond]
    for keys, row in worst.nlargest(10, "apart").iterrows():
        yield None, " ".join(keys), f"{row['parent']:.6g}, today {row['today']:.6g}"


def compare_stores(old: dict[str, xr.DataArray], new: dict[str, xr.DataArray]) -> Lines:
    """Variables of stores: equal, or how many cells differ and how far."""
    for name, before in old.items():
        was, now = by_year(before), by_year(new[name]) if name in new else {}
        odd = [year for year, a in was.items() if year not in now or now[year].shape != a.shape]
        if odd:
            yield False, name, f"missing today{f', or of another shape: years {odd[:5]}' if now else ''}"
            continue
        cells = {y: ~((a == now[y]) | ((a != a) & (now[y] != now[y]))) for y, a in was.items()}
        some, number = [year for year, one in cells.items() if one.any()], before.dtype.kind in "iuf"
        apart = [np.nanmax(np.abs(was[y].astype(float) - now[y]), initial=0) for y in some if number]
        share = np.mean([one.mean() for one in cells.values()])
        text = f"{share:.4%} of cells differ in {len(some)} of {len(was)} years, at most by {max(apart, default=0):.4g}"
        yield None if some else True, name, text


def compare(arguments: argparse.Namespace) -> int:
    """Print what moved of a run since a frozen commit; returns 1 where a rule is broken or a part is missing."""
    run, manifest = arguments.run, arguments.manifests / f"frozen-{arguments.run}.csv"
    if not (arguments.decided or manifest.exists()):
        raise SystemExit(f"{manifest}: not there; python benchmarks/frozen.py make PARENT --runs {run} first.")
    parent = commit_of(arguments.decided or pd.read_csv(manifest, dtype=str)["parent"].iloc[0])
    frozen = arguments.folder / parent / run / "1"
    if not frozen.is_dir():
        raise SystemExit(f"{frozen}: not there; python benchmarks/frozen.py make {parent} --runs {run} first.")
    with tempfile.TemporaryDirectory(prefix="ai4land-") as folder:
        now = Path(folder) / "1"
        keep(ROOT, run, 1, now)
        run_probe(ROOT, Path(sys.executable), dict(os.environ), run, frozen, now / "probe.npz")
        seeds = [read_scores(path) for path in sorted(frozen.parent.glob("*/tables/scores.csv"))]
        lines = [*compare_files(frozen, now), *compare_scores(seeds, read_scores(now / "tables" / "scores.csv"))]
        lines += compare_probe(*(dict(np.load(one / "probe.npz")) for one in (frozen, now)))
        lines += compare_stores(*(variables_of(one / "stores") for one in (frozen, now)))
    for fine, what, how in lines:
        print(f"{MARKS[fine]}  {what}: {how}")
    broken = sum(fine is False for fine, _, _ in lines)
    moved = sum(fine is None for fine, _, _ in lines)
    print(f"{len(lines)} lines: {broken} rules broken or parts missing, {moved} moved")
    return int(broken > 0)


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python benchmarks/frozen.py", description="Freeze a commit; compare.")
    commands = parser.add_subparsers(required=True)
    one, two = commands.add_parser("make"), commands.add_parser("compare")
    one.add_argument("parent", help="commit to freeze")
    one.add_argument("--runs", default="tiny,demo")
    one.add_argument("--seeds", type=int, help=f"how many; {SEEDS} where absent")
    one.add_argument("--checkout", type=Path, help="a checkout of the parent whose results are made already")
    one.add_argument("--runs-from", help="commit whose settings of the run are used; HEAD for tiny, else the parent")
    one.add_argument("--probe", default="HEAD", help=f"commit whose {PROBE} runs where the parent has none")
    two.add_argument("--run", default="tiny")
    two.add_argument("--decided", help="compare with this commit instead of the first that was frozen")
    for command, of in ((one, make), (two, compare)):
        command.set_defaults(of=of)
        command.add_argument("--folder", type=lambda p: Path(p).resolve(), default=ROOT / "build" / "frozen")
        command.add_argument("--manifests", type=Path, default=ROOT / "benchmarks" / "results")
    arguments = parser.parse_args()
    return int(arguments.of(arguments))


if __name__ == "__main__":
    sys.exit(main())
