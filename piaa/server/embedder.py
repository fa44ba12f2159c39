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

from generic.cache.features import FeatureCache, Features
from generic.errors import ImageError
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels
from piaa.server import telemetry
from piaa.server.calls import Calls
from piaa.server.problems import Problem
from piaa.server.recent import Recent
from piaa.server.settings import ServeSettings

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
        self._calls = Calls(model, settings.wait_ms / 1000)
        self._pending: dict[str, asyncio.Future[Outcome]] = {}
        self._decoders = ThreadPoolExecutor(2, thread_name_prefix="piaa-decode")
        self._network = ThreadPoolExecutor(1, thread_name_prefix="piaa-network")
        self._files = ThreadPoolExecutor(1, thread_name_prefix="piaa-cache")
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to take images; belongs to the running event loop."""
        self._start(self._run())

    async def stop(self) -> None:
        """Drop what waits; to be called when no request is left."""
        for task in self._tasks:
            task.cancel()
        for pool in (self._decoders, self._network, self._files):
            pool.shutdown(wait=True, cancel_futures=True)

    async def warm_up(self) -> None:
        """Build the network before the first request, and try which sizes of a call will do."""
        await asyncio.get_running_loop().run_in_executor(self._network, self._calls.choose_sizes)

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
        telemetry.IMAGES.labels("cache").inc(len(outcomes))
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
        telemetry.WAITING.set(len(self._pending))
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
                io.BytesIO(content),
                self._model.size,
                fit=self._model.fit,
                max_pixels=self._settings.max_pixels,
                name=name,
            )

        return await asyncio.get_running_loop().run_in_executor(self._decoders, load)

    async def on_network(self, call: Callable[[], T]) -> T:
        """Make a call in the one thread that uses the network."""
        return await asyncio.get_running_loop().run_in_executor(self._network, call)

    async def _decode(self, digest: str, name: str, content: bytes) -> None:
        self._calls.expect()
        try:
            pixels = await self.pixels(name, content)
        except ImageError as error:
            self._calls.give_up()
            telemetry.IMAGES.labels("refused").inc()
            self._settle(digest, error)
        except Exception as error:  # Whatever it is, somebody waits for an answer.
            self._calls.give_up()
            self._pending.pop(digest).set_exception(error)
        else:
            self._calls.add(digest, pixels)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            call = await self._calls.next()
            telemetry.BATCHES.observe(len(call))
            pixels = np.stack([pixels for _, pixels in call])
            try:
                vectors = await loop.run_in_executor(self._network, self._calls.forward, pixels)
            except Exception as error:  # The next call may fare better.
                for digest, _ in call:
                    self._pending.pop(digest).set_exception(error)
                continue
            fresh = {digest: vector for (digest, _), vector in zip(call, vectors, strict=True)}
            telemetry.IMAGES.labels("network").inc(len(call))
            for digest, vector in fresh.items():
                self._recent.put(digest, vector, vector.nbytes)
                self._settle(digest, vector)
            self._files.submit(self._cache.put_many, fresh, self._model.hash)

    def _settle(self, digest: str, outcome: Outcome) -> None:
        self._pending.pop(digest).set_result(outcome)
        telemetry.WAITING.set(len(self._pending))

    def _start(self, coroutine: object) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
