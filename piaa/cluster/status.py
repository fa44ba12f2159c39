"""How far vectors are: by the files that are there, and by what workers say of those that are not."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from piaa.cluster.current import models, read_current
from piaa.cluster.folder import Folder, Stamp
from piaa.cluster.manifest import Shard
from piaa.cluster.notes import FAILED, RUNNING, Note, Notes
from piaa.cluster.vectors import VectorFolder

_SILENT = 120.0
"""Seconds after which a worker that says nothing counts as lost."""
_LATELY = 3600.0
"""Seconds of which the speed is told."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How far the vectors of one model are."""

    model: str
    """Its hash, 64 hex digits."""
    shards: int
    """All that there are to be."""
    photos: int
    """Of all shards."""
    done: int
    """Shards whose vectors are there."""
    photos_done: int
    """Of these shards, broken ones too."""
    broken: int
    """Photos of these shards that cannot be read."""
    running: tuple[Note, ...]
    """What workers said lately."""
    lost: tuple[Note, ...]
    """What workers said that have been silent since: killed ones, as a rule."""
    failed: tuple[Note, ...]
    """Shards that failed, and are not done by now."""
    per_second: float | None
    """Photos a second, of all workers at work, or of the last hour in which shards were done; None if that is
    unknown."""

    @property
    def seconds_left(self) -> float | None:
        """At that speed; None if it is unknown."""
        return (self.photos - self.photos_done) / self.per_second if self.per_second else None


def status(folder: Folder, *, now: float | None = None) -> list[Status]:
    """How far the vectors in a folder are, model by model.

    Args:
        folder: of the vectors.
        now: seconds since 1970; None: now.

    Raises:
        ClusterError: it holds none, or cannot be read.
    """
    moment = time.time() if now is None else now
    return [_of_model(VectorFolder(folder, model), moment) for model in models(folder)]


def _of_model(vectors: VectorFolder, now: float) -> Status:
    shards, there = read_current(vectors), vectors.done()
    done = [shard for shard in shards if shard.name in there]
    names = {shard.name for shard in shards} - there.keys()
    notes = Notes(vectors.folder, vectors.mark)
    said = [note for note in notes.read(RUNNING) if note.shard in names]
    running = tuple(note for note in said if now - note.when < _SILENT)
    return Status(
        model=vectors.model,
        shards=len(shards),
        photos=sum(shard.n_photos for shard in shards),
        done=len(done),
        photos_done=sum(shard.n_photos for shard in done),
        broken=vectors.n_broken(shard.name for shard in done),
        running=running,
        lost=tuple(note for note in said if note not in running),
        failed=tuple(note for note in notes.read(FAILED) if note.shard in names),
        per_second=_speed(done, there, running),
    )


def _speed(done: Sequence[Shard], there: Mapping[str, Stamp], running: Sequence[Note]) -> float | None:
    """Of the workers at work; where there are none, of the shards that were done last."""
    speeds = [note.photos / note.seconds for note in running if note.photos and note.seconds > 0]
    if speeds:
        return sum(speeds)
    ends = sorted((there[shard.name].written, shard.n_photos) for shard in done)
    lately = [(end, photos) for end, photos in ends if ends[-1][0] - end <= _LATELY]
    if len(lately) < 2 or lately[-1][0] <= lately[0][0]:
        return None
    # The first of them was begun before.
    return sum(photos for _, photos in lately[1:]) / (lately[-1][0] - lately[0][0])
