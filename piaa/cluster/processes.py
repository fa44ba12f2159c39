"""Shards handed to several processes of this machine; one that is killed costs its shard's time alone."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Any

from generic.engine.engine import usable_cores
from generic.errors import ClusterError
from generic.progress import Progress
from piaa.cluster.manifest import Shard
from piaa.cluster.work import Job, Receipt, Worker

_TICK = 0.5
"""Seconds between two looks at how far the processes are."""
_AHEAD = 2
"""Shards that wait for each process."""
_DEATHS = 3
"""So often in a row processes may die with no shard done before all is given up."""

_worker: Worker
_photos: Any


def shares(cores: int, jobs: int) -> list[int]:
    """How many threads each of some processes has, so that no core is idle and none has two to serve.

    Example:
        >>> shares(8, 3), shares(2, 4)
        ([3, 3, 2], [1, 1, 1, 1])
    """
    return [max(1, cores // jobs + (number < cores % jobs)) for number in range(jobs)]


def run_in_processes(job: Job, shards: Sequence[Shard], jobs: int, progress: Progress) -> Iterator[Receipt]:
    """What became of each shard, in the order in which they end.

    Args:
        job: see :class:`piaa.cluster.work.Job`.
        shards: what to do.
        jobs: how many processes.
        progress: called with the number of photos newly done.

    Raises:
        ClusterError: processes die again and again.
    """
    left = {shard.name: shard for shard in shards}
    deaths = 0
    while left:
        try:
            for receipt in _until_one_dies(job, list(left.values()), jobs, progress):
                del left[receipt.shard]
                deaths = 0
                yield receipt
        except BrokenProcessPool:
            deaths += 1
            if deaths == _DEATHS:
                raise ClusterError(
                    f"processes of piaa embed were killed {_DEATHS} times with no shard done between, "
                    "perhaps "
                    "for want of memory; the shards done stay: give the same command again with fewer --jobs"
                ) from None


def _until_one_dies(job: Job, shards: Sequence[Shard], jobs: int, progress: Progress) -> Iterator[Receipt]:
    context = multiprocessing.get_context("spawn")
    number, photos = context.Value("i", 0), context.Value("q", 0)
    pool = ProcessPoolExecutor(
        jobs,
        mp_context=context,
        initializer=_begin,
        initargs=(job, shares(usable_cores(), jobs), number, photos),
    )
    waiting, told = iter(shards), 0
    futures: set[Future[Receipt]] = set()
    try:
        while True:
            while len(futures) < jobs * _AHEAD and (shard := next(waiting, None)):
                futures.add(pool.submit(_run, shard))
            if not futures:
                return
            done, futures = wait(futures, timeout=_TICK, return_when=FIRST_COMPLETED)
            told += _tell(photos.value - told, progress)
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _tell(new: int, progress: Progress) -> int:
    if new:
        progress(new)
    return new


def _begin(job: Job, threads: Sequence[int], number: Any, photos: Any) -> None:  # noqa: ANN401
    """In a new process: its own worker, with its share of the cores."""
    global _worker, _photos
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with number.get_lock():
        mine, number.value = number.value, number.value + 1
    _worker, _photos = Worker(job, threads[mine % len(threads)]), photos


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _run(shard: Shard) -> Receipt:
    return _worker.run(shard, _count)


def _count(done: int) -> None:
    with _photos.get_lock():
        _photos.value += done
