"""Calls of the network: which images share one, how large it is, and when it starts."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import Features
from generic.model.generic_model import BATCH, GenericModel
from generic.seeds import stream
from piaa.server.allocator import give_back

SMALLER = (2, 4, 8)
"""Sizes of a call that may do instead of ``BATCH`` of :mod:`generic.model.generic_model`. Libraries choose
their arithmetic by the size, so each is used only if, when the server starts, it gives the same vectors to
the bit: a score must equal that of ``piaa score``."""
_WHILE_DECODING = 10
"""How many times the usual wait a call waits for images that are being decoded: they are milliseconds away,
but a photo of 50 million pixels takes a second, and must not hold up the others."""
_TRIALS = 3
_AS_QUICK = 1.05
"""A call that takes up to this many times as long an image is as quick: small calls answer sooner, and nobody
waits until a large one is full."""

_GIVE_BACK_EVERY = 256
"""Images after which free memory is given back: some seconds of load, so that it costs less than 1 %."""

Pixels = NDArray[np.uint8]


class Calls:
    """Decoded images that wait for the network, in the order in which they came.

    Args:
        model: the generic model.
        wait_s: how long a call waits for more images, in seconds.
    """

    def __init__(self, model: GenericModel, wait_s: float) -> None:
        self._model, self._wait_s = model, wait_s
        self._seconds: dict[int, float] = {BATCH: 1.0}
        self._ready: deque[tuple[str, Pixels]] = deque()
        self._coming = 0
        self._since_given_back = 0
        self._changed = asyncio.Event()

    def choose_sizes(self) -> None:
        """Build the network, and try which sizes of a call will do and how long each takes."""
        side = self._model.size
        probe = stream(0, "serve", "probe").integers(0, 256, (BATCH, side, side, 3), np.uint8)
        full = self._model.forward(probe)
        same = [n for n in SMALLER if np.array_equal(self._model.forward(probe[:n], batch=n), full[:n])]
        self._seconds = {size: self._time(probe[:size]) for size in (*same, BATCH)}
        give_back()

    def _time(self, probe: Pixels) -> float:
        """Seconds of one call of this size, once the libraries have seen it."""
        times = []
        for _ in range(_TRIALS):
            started = time.perf_counter()
            self._model.forward(probe, batch=len(probe))
            times.append(time.perf_counter() - started)
        return min(times)

    def size_for(self, n: int) -> int:
        """The size of the call when n images wait: the smallest of those that answer most images a second.

        Example:
            >>> calls = Calls(None, 0)
            >>> calls._seconds = {4: 0.1, 8: 0.196, 16: 0.4}  # on two cores, larger calls gain nothing
            >>> calls.size_for(1), calls.size_for(7), calls.size_for(100)
            (4, 4, 4)
            >>> calls._seconds = {4: 0.05, 8: 0.06, 16: 0.09}  # on many cores they do
            >>> calls.size_for(1), calls.size_for(7), calls.size_for(100)
            (4, 8, 16)
        """
        each = {size: seconds / min(n, size) for size, seconds in self._seconds.items()}
        return min(size for size in each if each[size] <= min(each.values()) * _AS_QUICK)

    def expect(self) -> None:
        """An image is being decoded: :meth:`add` or :meth:`give_up` follows."""
        self._coming += 1

    def add(self, digest: str, pixels: Pixels) -> None:
        """An expected image is ready."""
        self._ready.append((digest, pixels))
        self.give_up()

    def give_up(self) -> None:
        """An expected image is not expected any more."""
        self._coming -= 1
        self._changed.set()

    async def next(self) -> list[tuple[str, Pixels]]:
        """Digest and pixels of the images of the next call; those that came first.

        What does not fill a call stays for the one after it, to which more will have come.
        """
        while not self._ready:
            await self._change(None)
        started = asyncio.get_running_loop().time()
        while len(self._ready) < self.size_for(BATCH):
            waits = self._wait_s * (_WHILE_DECODING if self._coming else 1)
            left = started + waits - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await self._change(left)
        n = min(len(self._ready), self.size_for(len(self._ready)))
        return [self._ready.popleft() for _ in range(n)]

    async def _change(self, seconds: float | None) -> None:
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    def forward(self, pixels: Pixels) -> Features:
        """One call: vectors, shape (n, 1 + d), of pixels, shape (n, size, size, 3)."""
        size = min(size for size in self._seconds if size >= len(pixels))
        vectors = self._model.forward(pixels, batch=size)
        self._since_given_back += size
        if self._since_given_back >= _GIVE_BACK_EVERY:
            self._since_given_back = 0
            give_back()
        return vectors
