"""Pixels of photo files, decoded when they are asked for and remembered while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generic.photos.open import MAX_PIXELS, Fit, load_pixels

MEMORY = 512 << 20
"""Default bytes of decoded photos to remember."""

Rows = NDArray[np.intp] | slice


class LazyPixels:
    """Photos as an array of shape (n, size, size, 3) would give them, without holding them all.

    Args:
        paths: photo files, in row order.
        size: side of the square in pixels.
        fit: how a photo becomes that square, see :func:`generic.photos.open.load_pixels`.
        max_pixels: photos with more pixels are refused; None is the default of :mod:`generic.photos.open`.
        memory: bytes of decoded photos to remember; those used last stay.

    Example:
        >>> pixels = LazyPixels([Path("no-such-file.jpg")], 32)  # nothing is read yet
        >>> len(pixels)
        1
    """

    def __init__(
        self,
        paths: Sequence[Path],
        size: int,
        *,
        fit: Fit = "squash",
        max_pixels: int | None = None,
        memory: int = MEMORY,
    ) -> None:
        self._rows = np.arange(len(paths))
        limit = MAX_PIXELS if max_pixels is None else max_pixels
        self._decoded = _Decoded(tuple(paths), size, fit, limit, memory)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Rows) -> NDArray[np.uint8]:
        """Some photos, shape (m, size, size, 3), RGB in [0, 255].

        Raises:
            ImageError: a photo cannot be read.
        """
        size = self._decoded.size
        chosen = [self._decoded.get(int(row)) for row in self._rows[rows]]
        return np.stack(chosen) if chosen else np.zeros((0, size, size, 3), np.uint8)

    def take(self, rows: Rows) -> LazyPixels:
        """Some of the photos, not read either; both remember together."""
        view = object.__new__(LazyPixels)
        view._rows, view._decoded = self._rows[rows], self._decoded
        return view


class _Decoded:
    """Photos that were decoded, the most recently used ones."""

    def __init__(self, paths: tuple[Path, ...], size: int, fit: Fit, max_pixels: int, memory: int) -> None:
        self.paths, self.size, self._fit, self._max_pixels = paths, size, fit, max_pixels
        self._room = max(1, memory // (3 * size * size))
        self._known: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, row: int) -> NDArray[np.uint8]:
        with self._lock:
            if row in self._known:
                self._known.move_to_end(row)
                return self._known[row]
        pixels = load_pixels(self.paths[row], self.size, fit=self._fit, max_pixels=self._max_pixels)
        with self._lock:
            self._known[row] = pixels
            while len(self._known) > self._room:
                self._known.popitem(last=False)
        return pixels
