"""Uploaded images become model vectors, each by itself, as many at once as there are cores."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from generic.cache.contents import Content, content_of
from generic.cache.features import FeatureCache, Features
from generic.engine.engine import usable_cores
from generic.errors import ImageError
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels
from piaa.server import telemetry
from piaa.server.allocator import give_back
from piaa.server.problems import Problem
from piaa.server.recent import Recent
from piaa.server.settings import ServeSettings

_REMEMBERED = 2**27
_GIVE_BACK_EVERY = 256
"""Images after which free memory is given back: some seconds of load, so that it costs less than 1 %."""
_SHA256 = re.compile("[0-9a-f]{64}")

T = TypeVar("T")
Outcome = Features | ImageError


class Known(NamedTuple):
    """A photo that was seen before."""

    identity: str
    """Of the picture; the hash of the file if only that is known."""
    vector: Features


class Embedder:
    """Vectors of images by content: remembered ones at once, others by the engine.

    Args:
        model: the generic model.
        cache: where vectors are kept between runs.
        settings: the server's.
    """

    def __init__(self, model: GenericModel, cache: FeatureCache, settings: ServeSettings) -> None:
        self._model, self._cache, self._settings = model, cache, settings
        self._recent = Recent(_REMEMBERED)
        self._pending: dict[str, asyncio.Future[Outcome]] = {}
        self._workers = ThreadPoolExecutor(usable_cores(), thread_name_prefix="piaa-photo")
        self._network = ThreadPoolExecutor(1, thread_name_prefix="piaa-network")
        self._since_given_back = 0
        self._files = ThreadPoolExecutor(1, thread_name_prefix="piaa-cache")
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Drop what waits; to be called when no request is left."""
        for task in self._tasks:
            task.cancel()
        for pool in (self._workers, self._network, self._files):
            pool.shutdown(wait=True, cancel_futures=True)

    async def warm_up(self) -> None:
        """Load the engine before the first request, and run it once."""
        side = self._model.size
        black = np.zeros((side, side, 3), np.uint8)
        await asyncio.get_running_loop().run_in_executor(self._workers, self._model.vector, black)

    async def known(self, digests: Sequence[str]) -> dict[str, Known]:
        """The photos seen before among these hashes of files; what is no hash is not known."""
        found: dict[str, Known | None] = {
            digest: self._recent.get(digest) for digest in digests if _SHA256.fullmatch(digest)
        }
        missing = [digest for digest, one in found.items() if one is None]
        if missing:
            found |= await self._off_loop(self._stored, missing)
        return {digest: self._remembered(digest, one) for digest, one in found.items() if one is not None}

    def _stored(self, digests: Sequence[str]) -> dict[str, Known]:
        vectors = self._cache.get_many(digests, self._model.hash)
        contents = self._cache.contents_of(vectors)
        return {
            digest: Known(contents[digest].identity if digest in contents else digest, vector)
            for digest, vector in vectors.items()
        }

    def _pictures(self, contents: Sequence[Content]) -> dict[str, Features]:
        """Vectors, by key, of those pictures that were seen before, in whatever file."""
        found = self._cache.find_many(contents, self._model.hash)
        self._cache.remember([one for one in contents if one.key in found])
        return found

    def _keep(self, content: Content, vector: Features) -> None:
        self._cache.put_many({content.key: vector}, self._model.hash)
        self._cache.remember([content])

    def _remembered(self, digest: str, one: Known) -> Known:
        self._recent.put(digest, one, one.vector.nbytes)
        return one

    async def _off_loop(self, call: Callable[..., T], *values: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._files, call, *values)

    async def embed(self, images: Sequence[tuple[str, bytes]]) -> list[tuple[Content, Outcome]]:
        """Hashes, and vector or error, of each (name, content).

        Raises:
            Problem: 503, too many images wait already. None of these was taken.
        """
        contents = await self._off_loop(_contents, [content for _, content in images])
        # So that a vector of before, known by the sha256 alone, is not taken for theirs.
        if anew := [one for one in contents if one.decoded_anew]:
            await self._off_loop(self._cache.remember, anew)
        digests = [content.sha256 for content in contents]
        known = await self.known(list(dict.fromkeys(digests)))
        outcomes: dict[str, Outcome] = {digest: one.vector for digest, one in known.items()}
        unknown = [one for one in contents if one.sha256 not in outcomes]
        pictures = await self._off_loop(self._pictures, unknown) if unknown else {}
        for one in unknown:
            if one.key in pictures:
                seen = self._remembered(one.sha256, Known(one.identity, pictures[one.key]))
                outcomes[one.sha256] = seen.vector
        telemetry.IMAGES.labels("cache").inc(len(outcomes))
        fresh = {d: image for d, image in zip(digests, images, strict=True) if d not in outcomes}
        by_digest = {one.sha256: one for one in contents}
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
            self._start(self._compute(by_digest[digest], *fresh[digest]))
        telemetry.WAITING.set(len(self._pending))
        waited = {digest: self._pending[digest] for digest in fresh}
        for digest, future in waited.items():
            outcomes[digest] = await asyncio.shield(future)
        return [(one, outcomes[one.sha256]) for one in contents]

    async def pixels(self, name: str, content: bytes) -> NDArray[np.uint8]:
        """An image as the network takes it.

        Raises:
            ImageError: it cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._workers, self._load, name, content)

    def _load(self, name: str, content: bytes) -> NDArray[np.uint8]:
        return load_pixels(
            io.BytesIO(content),
            self._model.size,
            fit=self._model.fit,
            max_pixels=self._settings.max_pixels,
            name=name,
        )

    async def on_network(self, call: Callable[[], T]) -> T:
        """Make a call in the one thread that uses torch."""
        return await asyncio.get_running_loop().run_in_executor(self._network, call)

    async def _compute(self, photo: Content, name: str, content: bytes) -> None:
        loop, digest = asyncio.get_running_loop(), photo.sha256
        try:
            vector = await loop.run_in_executor(self._workers, self._vector, name, content)
        except ImageError as error:
            telemetry.IMAGES.labels("refused").inc()
            self._settle(digest, error)
        except Exception as error:  # Whatever it is, somebody waits for an answer.
            self._pending.pop(digest).set_exception(error)
        else:
            telemetry.IMAGES.labels("network").inc()
            self._remembered(digest, Known(photo.identity, vector))
            self._settle(digest, vector)
            self._files.submit(self._keep, photo, vector)
            self._give_back()

    def _vector(self, name: str, content: bytes) -> Features:
        return self._model.vector(self._load(name, content))

    def _give_back(self) -> None:
        self._since_given_back += 1
        if self._since_given_back >= _GIVE_BACK_EVERY:
            self._since_given_back = 0
            self._files.submit(give_back)

    def _settle(self, digest: str, outcome: Outcome) -> None:
        self._pending.pop(digest).set_result(outcome)
        telemetry.WAITING.set(len(self._pending))

    def _start(self, coroutine: object) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _contents(images: Sequence[bytes]) -> list[Content]:
    return [content_of(image) for image in images]
