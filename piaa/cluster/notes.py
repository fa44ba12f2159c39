"""What workers say of their shards while these are not done: who is at work, how far, and what failed.

Notes are for people who look; of work one thing alone depends on them: a shard at which many workers were
killed is given up. They lie in folders beside the vectors, and go when their shard is done, whoever wrote
them.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass

from generic.errors import PiaaError
from piaa.cluster.folder import Folder

RUNNING, FAILED = "running", "failed"
_EVERY = 10.0
"""Seconds between two notes of a shard."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a worker says of a shard."""

    shard: str
    host: str
    process: int
    photos: int
    """Done, of this shard."""
    seconds: float
    """Since it began."""
    when: float
    """Seconds since 1970, by the worker's clock."""
    error: str = ""
    """Why the shard failed."""
    starts: int = 1
    """Workers that began it, this one too: the others were killed."""


class Notes:
    """Notes about the shards of one model's vectors.

    Args:
        folder: of the vectors.
        mark: tells the model's files from others'.
    """

    def __init__(self, folder: Folder, mark: str) -> None:
        self._folder = folder
        self._mark = mark

    def read(self, kind: str) -> list[Note]:
        """All notes of one kind, ``RUNNING`` or ``FAILED``; what cannot be read is left out."""
        names = [name for name in sorted(self._folder.stamps(kind)) if name.endswith(f"-{self._mark}.json")]
        return [note for name in names if (note := self._read(f"{kind}/{name}")) is not None]

    def starts(self, shard: str) -> int:
        """How many workers began a shard and said neither that it is done nor that it failed."""
        note = self._read(self._name(RUNNING, shard))
        return note.starts if note else 0

    def write(self, kind: str, note: Note) -> None:
        """Keep a note; one that cannot be kept is no reason to stop work."""
        with suppress(PiaaError):
            self._folder.write(self._name(kind, note.shard), json.dumps(asdict(note)).encode())

    def remove(self, shard: str, *kinds: str) -> None:
        """Remove a shard's notes, and what killed processes left of them."""
        for kind in kinds:
            self._folder.remove(self._name(kind, shard))
            self._folder.sweep(self._name(kind, shard))

    def forget(self, done: Collection[str]) -> None:
        """Remove the notes of shards that are done: their worker was killed before it could."""
        end = f"-{self._mark}.json"
        for kind in (RUNNING, FAILED):
            for name in self._folder.stamps(kind):
                if name.endswith(end) and name.removesuffix(end) in done:
                    self.remove(name.removesuffix(end), kind)

    def _read(self, name: str) -> Note | None:
        with suppress(PiaaError, ValueError, TypeError):
            return Note(**json.loads(self._folder.read(name) or b""))
        return None

    def _name(self, kind: str, shard: str) -> str:
        return f"{kind}/{shard}-{self._mark}.json"


class Beat:
    """Says of one shard how far it is, now and then.

    Args:
        notes: where.
        shard: its name.
    """

    def __init__(self, notes: Notes, shard: str) -> None:
        self._notes = notes
        self._shard = shard
        self._begun = time.time()
        self._told = 0.0
        self._photos = 0
        self.starts = notes.starts(shard) + 1
        """Workers that began it, this one too."""

    def __call__(self, done: int) -> None:
        """So many photos more are done; see :data:`generic.progress.Progress`."""
        self._photos += done
        if time.time() - self._told >= _EVERY:
            self._told = time.time()
            self._notes.write(RUNNING, self._note())

    def failed(self, error: str) -> None:
        """The shard failed."""
        self._notes.write(FAILED, self._note(error))
        self._notes.remove(self._shard, RUNNING)

    def done(self) -> None:
        """The shard is done; nothing of it is left but its vectors."""
        self._notes.remove(self._shard, RUNNING, FAILED)

    def _note(self, error: str = "") -> Note:
        now = time.time()
        return Note(
            shard=self._shard,
            host=socket.gethostname(),
            process=os.getpid(),
            photos=self._photos,
            seconds=round(now - self._begun, 1),
            when=round(now, 1),
            error=error,
            starts=self.starts,
        )
