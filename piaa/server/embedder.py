"""Uploaded images become model vectors; those that arrive together share one call of the network."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from generic.cache import FeatureCache, Features
from generic.errors import ImageError
from generic.images import load_pixels
from generic.model import BATCH, GenericModel
from generic.seeds import stream
from piaa.server import metrics
from piaa.server.heads import Recent
from piaa.server.problems import Problem
from piaa.server.settings import ServeSettings

SMALLER = (4, 8)
"""Sizes of a network call that may do instead of :data:`generic.model.BATCH`, where one photo alone then
takes a third of the time. Libraries choose their arithmetic by the size, so each is used only if, when the
server starts, it gives the same vectors to the bit: a score must equal that of ``piaa score``."""
_REMEMBERED = 2**27
_SHA256 = re.compile("[0-9a-f]{64}")

T = TypeVar("T")
Outcome = Features | ImageError


class Embedder:
    """Vectors of images by content: remembered ones at once, others through shared calls.

    Args:
        model: the generic model.
        cache: where vectors are kept between runs.
        settings: the server's.
    """

    def __init__(self, model: GenericModel, cache: FeatureCache, settings: ServeSettings) -> None:
        self._model, self._cache, self._settings = model, cache, settings
        self._recent = Recent(_REMEMBERED)
        self._sizes: tuple[int, ...] = (BATCH,)
        self._pending: dict[str, asyncio.Future[Outcome]] = {}
        self._queue: asyncio.Queue[tuple[str, NDArray[np.uint8]]] = asyncio.Queue()
        self._decoders = ThreadPoolExecutor(2, thread_name_prefix="piaa-decode")
        self._network = ThreadPoolExecutor(1, thread_name_prefix="piaa-network")
        self._files = ThreadPoolExecutor(1, thread_name_prefix="piaa-cache")
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to take images; belongs to the running event loop."""
        self._start(self._batches())

    async def stop(self) -> None:
        """Drop what waits; to be called when no request is left."""
        for task in self._tasks:
            task.cancel()
        for pool in (self._decoders, self._network, self._files):
            pool.shutdown(wait=True, cancel_futures=True)

    async def warm_up(self) -> None:
        """Build the network before the first request, and try which sizes of a call will do."""
        await asyncio.get_running_loop().run_in_executor(self._network, self._choose_sizes)

    def _choose_sizes(self) -> None:
        side = self._model.size
        probe = stream(0, "serve", "probe").integers(0, 256, (BATCH, side, side, 3), np.uint8)
        full = self._model.forward(probe)
        same = [n for n in SMALLER if np.array_equal(self._model.forward(probe[:n], batch=n), full[:n])]
        self._sizes = (*same, BATCH)

    async def known(self, digests: Sequence[str]) -> dict[str, Features]:
        """The remembered vectors among these content hashes; what is no hash is not known."""
        found = {digest: self._recent.get(digest) for digest in digests if _SHA256.fullmatch(digest)}
        missing = [digest for digest, vector in found.items() if vector is None]
        if missing:
            loop = asyncio.get_running_loop()
            stored = await loop.run_in_executor(self._files, self._cache.get_many, missing, self._model.hash)
            for digest, vector in stored.items():
                self._recent.put(digest, vector, vector.nbytes)
            found |= stored
        return {digest: vector for digest, vector in found.items() if vector is not None}

    async def embed(self, images: Sequence[tuple[str, bytes]]) -> list[tuple[str, Outcome]]:
        """Content hash and vector, or error, of each (name, content).

        Raises:
            Problem: 503, too many images wait already. None of these was taken.
        """
        digests = [hashlib.sha256(content).hexdigest() for _, content in images]
        outcomes: dict[str, Outcome] = dict(await self.known(list(dict.fromkeys(digests))))
        metrics.IMAGES.labels("cache").inc(len(outcomes))
        fresh = {d: image for d, image in zip(digests, images, strict=True) if d not in outcomes}
        new = [digest for digest in fresh if digest not in self._pending]
        if new and len(self._pending) + len(new) > max(self._settings.max_waiting, len(new)):
            raise Problem(
                503,
                f"{len(self._pending)} images wait already, at most {self._settings.max_waiting} may; "
                "try again in a second",
                retry_after_s=1,
            )
        for digest in new:
            self._pending[digest] = asyncio.get_running_loop().create_future()
            self._start(self._decode(digest, *fresh[digest]))
        metrics.WAITING.set(len(self._pending))
        waited = {digest: self._pending[digest] for digest in fresh}
        for digest, future in waited.items():
            outcomes[digest] = await asyncio.shield(future)
        return [(digest, outcomes[digest]) for digest in digests]

    async def pixels(self, name: str, content: bytes) -> NDArray[np.uint8]:
        """An image as the network takes it.

        Raises:
            ImageError: it cannot be read.
        """

        def load() -> NDArray[np.uint8]:
            return load_pixels(
                io.BytesIO(content), self._model.size, max_pixels=self._settings.max_pixels, name=name
            )

        return await asyncio.get_running_loop().run_in_executor(self._decoders, load)

    async def on_network(self, call: Callable[[], T]) -> T:
        """Make a call in the one thread that uses the network."""
        return await asyncio.get_running_loop().run_in_executor(self._network, call)

    async def _decode(self, digest: str, name: str, content: bytes) -> None:
        try:
            pixels = await self.pixels(name, content)
        except ImageError as error:
            metrics.IMAGES.labels("refused").inc()
            self._settle(digest, error)
        except Exception as error:  # Whatever it is, somebody waits for an answer.
            self._pending.pop(digest).set_exception(error)
        else:
            self._queue.put_nowait((digest, pixels))

    async def _batches(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._queue.get()]
            deadline = loop.time() + self._settings.wait_ms / 1000
            while len(batch) < BATCH:
                try:
                    wait = max(0.0, deadline - loop.time())
                    batch.append(await asyncio.wait_for(self._queue.get(), wait))
                except TimeoutError:
                    break
            metrics.BATCHES.observe(len(batch))
            pixels = np.stack([pixels for _, pixels in batch])
            try:
                vectors = await loop.run_in_executor(self._network, self._forward, pixels)
            except Exception as error:  # The next batch may fare better.
                for digest, _ in batch:
                    self._pending.pop(digest).set_exception(error)
                continue
            fresh = {digest: vector for (digest, _), vector in zip(batch, vectors, strict=True)}
            metrics.IMAGES.labels("network").inc(len(batch))
            for digest, vector in fresh.items():
                self._recent.put(digest, vector, vector.nbytes)
                self._settle(digest, vector)
            self._files.submit(self._cache.put_many, fresh, self._model.hash)

    def _forward(self, pixels: NDArray[np.uint8]) -> Features:
        size = next(size for size in self._sizes if size >= len(pixels))
        return self._model.forward(pixels, batch=size)

    def _settle(self, digest: str, outcome: Outcome) -> None:
        self._pending.pop(digest).set_result(outcome)
        metrics.WAITING.set(len(self._pending))

    def _start(self, coroutine: object) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
