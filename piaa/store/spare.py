"""Room that is kept beside a store, so that somebody can be erased from it on a full disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SIZE = 2**24
"""Bytes: what erasing writes about a person who said some ten thousand things, before it frees as much."""
_PIECE = 2**20


class Spare:
    """A file that holds nothing but its place on the disk.

    Args:
        store: the file beside which it lies.
    """

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(f"{store.name}-spare")

    def keep(self) -> None:
        """Take the room, unless it is taken or the disk has none."""
        with suppress(OSError):
            if self.path.exists() and self.path.stat().st_size == SIZE:
                return
            try:
                handle = os.open(self.path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
                with os.fdopen(handle, "wb") as file:
                    for _ in range(SIZE // _PIECE):  # written, since a size alone takes no room
                        file.write(bytes(_PIECE))
                    os.fsync(file.fileno())
            except OSError:
                self.path.unlink()  # half of it would only be in the way

    def give(self) -> None:
        """Let go of it."""
        with suppress(OSError):
            self.path.unlink()
