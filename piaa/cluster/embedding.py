"""One shard's photos become vectors: read, decoded and run, several at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from itertools import islice
from types import MappingProxyType

from generic.cache.contents import content_of
from generic.errors import ImageError
from generic.model.generic_model import GenericModel
from generic.photos.facts import photo_facts
from generic.photos.open import MAX_PIXELS, load_pixels
from generic.progress import Progress, no_progress
from piaa.cluster.found import Found
from piaa.cluster.reading import read_photo
from piaa.cluster.vectors import Seen, VectorFolder

_AHEAD = 4
"""Photos for each thread that are read or wait: a bucket may take as long for one as a core does."""
Result = Seen | tuple[str, str]
"""A photo that was read; of a broken one its URI and why."""


class Embedder:
    """Makes vectors of shards; kept, with its network loaded, from one shard to the next.

    Args:
        model: makes the vectors.
        into: where they are kept.
        threads: photos that are worked on at once; each takes one core.
        max_pixels: photos with more are broken.
        width: so many leading numbers of a vector are kept; None: all.
    """

    def __init__(
        self,
        model: GenericModel,
        into: VectorFolder,
        *,
        threads: int,
        max_pixels: int = MAX_PIXELS,
        width: int | None = None,
    ) -> None:
        self._model = model
        self._into = into
        self._threads = threads
        self._max_pixels = max_pixels
        self._width = width

    def embed(
        self,
        shard: str,
        photos: Sequence[Found],
        progress: Progress = no_progress,
        known: Mapping[str, Seen] = MappingProxyType({}),
    ) -> int:
        """Write a shard's vectors; how many photos are broken.

        Args:
            shard: its name.
            photos: all of it, in order.
            progress: called with the number of photos newly done.
            known: by URI, those photos of it that were read before, and are the same.

        Raises:
            ClusterError, OutputError: a disk or a bucket fails; nothing half is written.
        """
        results = []
        for result in self._results(photos, known):
            results.append(result)
            progress(1)
        self._into.keep(shard, results)
        return sum(not isinstance(it, Seen) for it in results)

    def _results(self, photos: Sequence[Found], known: Mapping[str, Seen]) -> Iterator[Result]:
        """One result a photo, in order."""
        waiting = (it.uri for it in photos)
        n_ahead = _AHEAD * self._threads
        with (
            ThreadPoolExecutor(n_ahead, thread_name_prefix="piaa-read") as readers,
            ThreadPoolExecutor(self._threads, thread_name_prefix="piaa-shard") as pool,
        ):

            def begin(uri: str) -> Future[Result]:
                if uri in known:
                    return _done(known[uri])
                return pool.submit(self._one, uri, readers.submit(read_photo, uri))

            ahead = deque(map(begin, islice(waiting, n_ahead)))
            try:
                while ahead:
                    yield ahead.popleft().result()
                    ahead.extend(map(begin, islice(waiting, 1)))
            finally:
                for future in ahead:
                    future.cancel()

    def _one(self, uri: str, reading: Future[bytes]) -> Result:
        try:
            content = reading.result()
            pixels = load_pixels(
                BytesIO(content),
                self._model.size,
                fit=self._model.fit,
                max_pixels=self._max_pixels,
                name=uri,
            )
        except ImageError as error:
            return uri, str(error)
        held = content_of(content)
        return Seen(
            uri=uri,
            sha256=held.sha256,
            identity=held.identity,
            taken=photo_facts(content).taken,
            vector=self._model.vector(pixels)[: self._width],
        )


def _done(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future
