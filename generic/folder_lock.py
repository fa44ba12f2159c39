"""One process at a time in a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class FolderLock:
    """A lock on an existing folder that ends with the process, however it ends.

    Where the system or the disk knows no such locks, every request is granted.

    Raises:
        OSError: the folder does not exist or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._handle: int | None = None if fcntl is None else os.open(folder, os.O_RDONLY)

    def claim(self, timeout_s: float) -> bool:
        """True as soon as nobody else claims the folder; False after ``timeout_s`` seconds."""
        patience = time.monotonic() + timeout_s
        while self._handle is not None:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= patience:
                    return False
                time.sleep(0.005)
            except OSError:  # Some network disks know no locks.
                return True
            else:
                return True
        return True

    def close(self) -> None:
        """Give up the claim; closing twice does no harm."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
