"""Jobs in processes: each is done once, whoever was killed in between."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import IO

from tqdm import tqdm


def worker_pool(workers: int, module: str) -> AbstractContextManager[Executor | None]:
    """Processes that have imported a module; none where one worker is enough.

    They are forked from a fresh server, not from here: threads of the caller's libraries do not survive a fork.
    """
    if workers == 1:
        return nullcontext()
    fresh = get_context("forkserver")
    fresh.set_forkserver_preload([module])
    return ProcessPoolExecutor(workers, fresh, _follow_caller)


def _follow_caller() -> None:
    """Let a worker end with its caller, even a killed one: it must not write into what another goes on with."""

    def follow() -> None:
        caller = parent_process()
        assert caller is not None
        caller.join()
        os._exit(1)

    Thread(target=follow, daemon=True).start()


def run_jobs(
    title: str, do: Callable[..., None], jobs: dict[str, tuple], done: set[str], log: IO[str], pool: Executor | None
) -> None:
    """Call a function for every job that is not done, and list what is; a progress bar counts jobs.

    Parameters
    ----------
    title : str
        Of the progress bar.
    do : callable
        Takes the arguments of a job.
    jobs : dict of str to tuple
        Arguments by name.
    done : set of str
    log : file
        Open at its end.
    pool : concurrent.futures.Executor, optional
        Without one, jobs are done here.

    Raises
    ------
    Exception
        The first that a job raises; jobs that have not begun are given up.
    """
    left = {name: job for name, job in jobs.items() if name not in done}
    with tqdm(total=len(jobs), initial=len(jobs) - len(left), desc=title, unit="job", mininterval=5) as bar:
        for name in _finished(do, left, pool):
            log.write(name + "\n")
            log.flush()
            bar.update()


def _finished(do: Callable[..., None], jobs: dict[str, tuple], pool: Executor | None) -> Iterator[str]:
    """Names of jobs as they are done."""
    if pool is None:
        for name, job in jobs.items():
            do(*job)
            yield name
        return
    futures = {pool.submit(do, *job): name for name, job in jobs.items()}
    try:
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    finally:
        for future in futures:
            future.cancel()
