"""What every engine does: one photo in, one vector out."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import Features

QUOTA = Path("/sys/fs/cgroup/cpu.max")


class Engine(ABC):
    """A network that is ready to run.

    It is given one photo a call, so that a score cannot depend on what else is scored: not by a promise of
    the arithmetic, but because nothing else is there.
    """

    callers: int
    """How many threads may call at once and gain by it; each call computes in its own thread."""

    @abstractmethod
    def vector(self, pixels: NDArray[np.uint8]) -> Features:
        """The vector of one photo; may be called from several threads.

        Args:
            pixels: shape (size, size, 3), RGB in [0, 255].

        Returns:
            float32, shape (1 + d,): generic unit score, embedding.
        """

    def vectors(self, pixels: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> Features:
        """As :meth:`vector` for n photos, by ``callers`` threads; float32, shape (n, 1 + d)."""
        if len(pixels) == 1:
            return self.vector(pixels[0])[None]
        with ThreadPoolExecutor(self.callers, thread_name_prefix="piaa-engine") as pool:
            return np.stack(list(pool.map(self.vector, pixels)))


def usable_cores() -> int:
    """Cores that this process may use: in a container with a limit fewer than the machine has."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _limit(QUOTA))


def _limit(quota: Path) -> int:
    """Whole cores of a container's limit (cgroup v2: microseconds of a period, or ``max``), at least 1."""
    try:
        most, period = quota.read_text().split()
        return max(1, int(most) // int(period))
    except (OSError, ValueError):
        return sys.maxsize
