"""Shards handed to the workers of a Ray cluster; what travels is a shard's name there and a receipt back.

A row of Ray Data is one shard, a worker is an actor, and an actor has one shard at a time: a node that dies
costs the time of its workers' shards, which Ray gives to others. Photos and vectors never enter Ray's store
of objects. Ray keeps no state for us: who starts again asks the folder of vectors what is left. Ray begins a
shard whose worker died again without end; :mod:`piaa.cluster.work` says when it is enough.
"""

from __future__ import annotations

import logging
import os
import platform
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import cached_property
from typing import Any

import piaa
from generic.errors import ClusterError, PiaaError
from generic.progress import Progress
from piaa.cluster.manifest import Shard
from piaa.cluster.notes import FAILED, RUNNING
from piaa.cluster.work import Job, Receipt, Worker

LOCAL = "local"
"""The address of a cluster that is started for this command, on this machine."""
_LOOPBACK = ("127.0.0.1", "localhost")
_SECONDS = 5.0
"""To reach a cluster's head; Ray itself would try for minutes."""
_LOG = logging.getLogger(__name__)


class ShardWorker:
    """A worker in a process of Ray's.

    Args:
        job: which vectors are made.
        model: the model's hash as the driver has it.
        version: of piaa, as the driver has it.
        threads: photos that are worked on at once.
    """

    def __init__(self, job: Job, model: str, version: str, threads: int) -> None:
        self._job = job
        self._expected = {"piaa": version, "model": model}
        self._threads = threads

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Make the vectors of some shards, see :func:`rows_of` and :func:`receipts_of`."""
        rows = zip(*(batch[one.name].tolist() for one in fields(Shard)), strict=True)
        receipts = [asdict(self._run(Shard(*row))) for row in rows]
        return {one.name: [it[one.name] for it in receipts] for one in fields(Receipt)}

    def _run(self, shard: Shard) -> Receipt:
        try:
            self._check()
            # Begun again after its worker died, it may have been done just before.
            done = self._worker.vectors.has(shard.name)
        except PiaaError as error:
            return Receipt(shard=shard.name, photos=shard.n_photos, error=str(error), hopeless=True)
        if done:
            self._worker.notes.remove(shard.name, RUNNING, FAILED)  # which whoever was killed left
            broken = self._worker.vectors.n_broken([shard.name])
            return Receipt(shard=shard.name, photos=shard.n_photos, broken=broken)
        return self._worker.run(shard)

    @cached_property
    def _worker(self) -> Worker:
        return Worker(self._job, self._threads)

    def _check(self) -> None:
        found = {"piaa": piaa.__version__, "model": self._worker.model.hash}
        for what, expected in self._expected.items():
            if found[what] != expected:
                raise ClusterError(
                    f"{what} on node {platform.node()} is {found[what]}, here it is {expected}; install "
                    "the same on all nodes"
                )


def run_on_ray(
    job: Job, shards: Sequence[Shard], address: str, workers: int | None, progress: Progress
) -> Iterator[Receipt]:
    """What became of each shard, in the order in which they end.

    Args:
        job: see :class:`piaa.cluster.work.Job`; its places are those that every node sees.
        shards: what to do.
        address: of a Ray cluster, as ``ray.init`` takes it.
        workers: at most so many, of one core each; None: as many as the cluster has cores.
        progress: called with the number of photos newly done.

    Raises:
        ClusterError: the cluster cannot be reached, workers die again and again, or a GPU is asked for and
            no node has one.
    """
    if not shards:
        return
    model = Worker(job).model.hash
    with _connected(address) as data:
        import ray
        import ray.exceptions

        if ray.cluster_resources().get("CPU", 0) < 1:  # one that grows by what is asked for begins like this
            _LOG.warning("the Ray cluster %s has no core; waiting until a node with one joins it", address)
        rows = data.from_items(rows_of(shards), override_num_blocks=len(shards))
        done = rows.map_batches(
            ShardWorker,
            fn_constructor_args=(job, model, piaa.__version__, 1),
            batch_size=1,
            num_cpus=1,
            num_gpus=_gpu_share(address, ray.cluster_resources()) if job.gpu else None,
            # One shard each: a second would wait beside workers that have none.
            compute=data.ActorPoolStrategy(
                min_size=1, max_size=workers or len(shards), max_tasks_in_flight_per_actor=1
            ),
        )
        try:
            for row in done.iter_rows():
                receipt = Receipt(**row)
                progress(receipt.photos)
                yield receipt
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"the Ray cluster {address} failed: {_said(error)}; the shards done stay: look at the nodes' "
                "memory, then give the same command again"
            ) from None


def _gpu_share(address: str, resources: Mapping[str, float]) -> float:
    """Of a GPU for each worker, so that all cores have their share of them.

    Example:
        >>> _gpu_share("head:6379", {"CPU": 32, "GPU": 2})
        0.0625
    """
    if not resources.get("GPU"):
        raise ClusterError(
            f"a GPU is asked for, and no node of the Ray cluster {address} has one; start a node with "
            "--num-gpus, or leave --gpu out"
        )
    return min(1.0, resources["GPU"] / max(1.0, resources.get("CPU", 1.0)))


def rows_of(shards: Sequence[Shard]) -> list[dict[str, Any]]:
    """Shards as rows of Ray Data.

    Example:
        >>> rows_of([Shard("ab", 2, 300)])
        [{'name': 'ab', 'n_photos': 2, 'n_bytes': 300}]
    """
    return [asdict(shard) for shard in shards]


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """``ray.data`` on a cluster, which it leaves in the end."""
    _prepare(address)
    import ray
    import ray.data

    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    here: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {"address": address}
    try:
        ray.init(**here, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise _unreachable(address, error) from None
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # A worker that has its one shard is busy: by Ray's measure, 1.75 tasks for each, one were always enough.
    context.autoscaling_config.actor_pool_util_upscaling_threshold = 1.0
    try:
        yield ray.data
    finally:
        ray.shutdown()


def _prepare(address: str) -> None:
    """What must be so before Ray is imported, and that its head answers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else on stderr, whatever Python's loggers say
    host, _, port = address.rpartition(":")
    if host in _LOOPBACK:
        # Else Ray takes the loopback address for that of the machine's network, where nobody may listen.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if port.isdecimal() and "/" not in host:
        try:
            socket.create_connection((host, int(port)), _SECONDS).close()
        except OSError as error:
            raise _unreachable(address, error) from None


def _unreachable(address: str, error: Exception) -> ClusterError:
    return ClusterError(
        f"the Ray cluster {address} cannot be reached: {_said(error)}; expected HOST:PORT of its head from a "
        f"machine that belongs to it, 'auto' there, or {LOCAL!r}"
    )


def _said(error: Exception) -> str:
    """The one line of an error that is many lines long in Ray."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300].rstrip(".")
