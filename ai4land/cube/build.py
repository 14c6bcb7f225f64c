"""The cube of a region, shard by shard: in bounded memory, in parallel, restartable at any shard."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tqdm import tqdm

from ai4land.cube.blocks import regrid_block
from ai4land.cube.layout import Layout
from ai4land.cube.store import DONE
from ai4land.legend import DATA
from ai4land.runs import Run

if TYPE_CHECKING:
    from distributed import Client

_MEMORY = "8GB"  # of one Slurm worker; a shard takes less than half


def build_region(
    store: Path, run: Run, raw: Path, layout: Layout, region: str, workers: int = 1,
    cluster: Literal["local", "slurm"] = "local",
) -> None:  # fmt: skip
    """Fill a region's cells of a cube, shard by shard (chunk by chunk where it has no shards).

    A shard that a killed call had finished is not made again, as long as the software and the tables are the same.

    Parameters
    ----------
    store : pathlib.Path
        The cube, of `ai4land.cube.create_cube`.
    run : Run
    raw : pathlib.Path
        Folder with the raw files.
    layout : Layout
    region : str
    workers : int
        Shards in work at a time.
    cluster : {'local', 'slurm'}
        Processes here, or jobs of one Slurm worker each (dask-jobqueue; account, queue and walltime are set in
        ``~/.config/dask/jobqueue.yaml``).

    Raises
    ------
    ValueError, FileNotFoundError
        As the readers of the inputs; shards that are done stay.
    """
    folder = store.with_name(DONE) / region
    blocks = {folder / f"{_state()}-{w.rows.start}-{w.cols.start}": w for w in layout.blocks(region)}
    folder.mkdir(parents=True, exist_ok=True)
    left = {mark: window for mark, window in blocks.items() if not mark.exists()}
    with (
        _mapped(workers, cluster, folder) as each,
        tqdm(total=len(blocks), initial=len(blocks) - len(left), desc=f"{region}, shards", unit="shard") as bar,
    ):
        for mark in each(regrid_block, {mark: (raw, store, run, layout.grid, window) for mark, window in left.items()}):
            mark.touch()
            bar.update()
    shutil.rmtree(folder)


def _state() -> str:
    """Short hash of the software and its tables: shards made by others are made again."""
    tables = [*DATA.glob("*.csv"), *DATA.glob("legends/*.csv"), *DATA.glob("crosswalks/*.csv")]
    files = [*Path(__file__).parents[1].rglob("*.py"), *tables]
    total = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in sorted(files)))
    return total.hexdigest()[:12]


@contextmanager
def _mapped(
    workers: int, cluster: str, logs: Path
) -> Iterator[Callable[[Callable, dict[Path, tuple]], Iterator[Path]]]:
    """A function that calls another for many arguments, here or on a cluster, and yields the keys as they are done."""
    if workers == 1 and cluster == "local":
        yield lambda work, tasks: (key for key, args in tasks.items() if work(*args) is None)
        return
    with _client(workers, cluster, logs) as client:
        from distributed import as_completed

        def each(work: Callable, tasks: dict[Path, tuple]) -> Iterator[Path]:
            futures = {client.submit(work, *args, pure=False): key for key, args in tasks.items()}
            for future in as_completed(futures):
                future.result()
                yield futures[future]

        yield each


@contextmanager
def _client(workers: int, cluster: str, logs: Path) -> Iterator["Client"]:
    from distributed import Client, LocalCluster, SpecCluster

    def cluster_of() -> SpecCluster:
        if cluster == "local":
            return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=None)
        from dask_jobqueue import SLURMCluster

        return SLURMCluster(n_workers=workers, cores=1, processes=1, memory=_MEMORY, log_directory=str(logs))

    with cluster_of() as jobs, Client(jobs) as client:
        yield client
