"""A manifest's shards become vectors, whoever hands them to workers; what is done is not done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from generic.errors import ClusterError
from generic.progress import Progress, no_progress
from generic.words import counted
from piaa.cluster.current import write_current
from piaa.cluster.manifest import Shard
from piaa.cluster.work import Job, Receipt, Worker

Launcher = Callable[[Sequence[Shard], Progress], Iterator[Receipt]]
"""Hands shards to workers; gives a receipt of each."""
_IN_A_ROW = 3
"""So many shards may fail one after the other before the rest is not tried."""


@dataclass
class Done:
    """What became of the shards."""

    shards: int = 0
    """Newly done."""
    photos: int = 0
    """Of these shards, broken ones too."""
    broken: int = 0
    """Photos of these shards that cannot be read."""
    before: int = 0
    """Shards that were done before."""
    failed: dict[str, str] = field(default_factory=dict)
    """Shards that failed, and why."""


def share(shards: Sequence[Shard], number: int, of: int) -> list[Shard]:
    """The shards of one of several workers that do not know of each other.

    Args:
        shards: all of a manifest, so that each worker cuts alike.
        number: of the worker, from 0.
        of: how many there are.
    """
    return list(shards[number::of])


def embed(
    job: Job,
    *,
    part: tuple[int, int] = (0, 1),
    launch: Launcher | None = None,
    progress: Callable[[int], Progress] = lambda _: no_progress,
) -> Done:
    """Make the vectors that are not there.

    Args:
        job: which.
        part: which share of the shards, see :func:`share`.
        launch: hands out the shards; None: they are done here, by all cores.
        progress: given how many photos there are to do, takes the number of photos newly done.

    Raises:
        ClusterError: there is no manifest, the folder's vectors have another form, or shards failed; the
            others are done.
    """
    here = Worker(job)
    write_current(here.vectors, here.manifest, here.form)
    mine = share(here.manifest.shards, *part)
    left = {shard.name for shard in here.left()}
    todo = [shard for shard in mine if shard.name in left]
    done = Done(before=len(mine) - len(todo))
    report = progress(sum(shard.n_photos for shard in todo))
    receipts = launch(todo, report) if launch else (here.run(shard, report) for shard in todo)
    for receipt in _unless_hopeless(receipts):
        _add(done, receipt)
    if done.failed:
        raise ClusterError(_failure(done, len(todo)))
    return done


def _unless_hopeless(receipts: Iterator[Receipt]) -> Iterator[Receipt]:
    row = 0
    for receipt in receipts:
        yield receipt
        row = row + 1 if receipt.error else 0
        if receipt.hopeless or row == _IN_A_ROW:
            return


def _add(done: Done, receipt: Receipt) -> None:
    if receipt.error:
        done.failed[receipt.shard] = receipt.error
        return
    done.shards += 1
    done.photos += receipt.photos
    done.broken += receipt.broken


def _failure(done: Done, n: int) -> str:
    shard, why = next(iter(done.failed.items()))
    rest = n - done.shards - len(done.failed)
    left = f", {counted(rest, 'shard')} not tried" if rest else ""
    return (
        f"{len(done.failed):,} of {counted(n, 'shard')} failed{left}; {counted(done.shards, 'shard')} "
        "done, which "
        f"stay; the first that failed, {shard}: {why}"
    )
