"""A generic model: preprocessing, network and score scale in one file; turns photos into vectors.

The network itself is built when the first photo needs it. Until then a model is a header: an
album whose features are cached is scored without loading torch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import FeatureCache, Features
from generic.errors import CheckpointError, ImageError
from generic.model.checkpoint import load_checkpoint, load_tensors, read_header
from generic.photos.find import printable
from generic.progress import Progress, no_progress

if TYPE_CHECKING:
    from torch import Tensor, nn

    from generic.photos.open import Fit

NETWORK = "network."
"""Prefix of the network's tensors in a model file; other prefixes belong to higher layers."""

BATCH = 16
"""Photos in one call of the network. Every call has exactly this many, the last one filled up, so that
a photo meets the same arithmetic whatever is scored with it. 16 is as quick as more on a CPU."""

_CHUNK = 512
_WORKERS = 2


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """What became of one photo."""

    path: Path
    digest: str = ""
    """SHA-256 of the file, 64 hex digits; empty if the file could not be read."""
    vector: Features | None = None
    """Shape (1 + d,): the generic unit score, then the embedding. None if unreadable."""
    error: ImageError | None = None
    """Why the photo could not be read."""


class GenericModel:
    """What people on average think of a photo, and the features that say why.

    Args:
        path: a model file, see :mod:`generic.model.checkpoint`.

    Raises:
        CheckpointError: the file is missing, is no model file, or is a start that was never trained.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = read_header(path)
        if self.header.architecture.get("head") == "fresh":
            raise CheckpointError(
                f"model file {path} is a start for `piaa pretrain`, not a trained model: its head is fresh; "
                f"train it first, or name a trained model"
            )

    @property
    def name(self) -> str:
        """Short name, for example ``piaa-lite``."""
        return self.header.name

    @property
    def hash(self) -> str:
        """The model's identity, 64 hex digits."""
        return self.header.hash

    @property
    def size(self) -> int:
        """Side of the square that a photo is resized to, in pixels."""
        return int(self.header.architecture["size"])

    @property
    def fit(self) -> Fit:
        """How a photo becomes that square, see :func:`generic.photos.open.load_pixels`."""
        return cast("Fit", self.header.architecture.get("fit", "squash"))

    def tensors(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The file's tensors under ``prefix``, as numpy arrays; does not build the network."""
        return load_tensors(self.path, prefix)

    @cached_property
    def network(self) -> nn.Module:
        """The network in evaluation mode, built and checked on first use.

        Raises:
            CheckpointError: the file's content does not match its hash, or this piaa cannot build it.
        """
        from generic.model.networks import build

        header, tensors = load_checkpoint(self.path)
        state = {k.removeprefix(NETWORK): v for k, v in tensors.items() if k.startswith(NETWORK)}
        return build(header.architecture, state)

    def forward(self, pixels: NDArray[np.uint8], *, batch: int = BATCH) -> Features:
        """Vectors of photos that are in memory.

        Args:
            pixels: shape (n, size, size, 3), RGB, [0, 255]; n at most ``batch``.
            batch: how many photos the network is given, the missing ones as black.

        Returns:
            float32, shape (n, 1 + d): generic unit score, embedding.
        """
        # Built outside of inference mode: its tensors know gradients.
        return forward(self.network, pixels, batch)

    def embed(
        self,
        paths: Sequence[Path],
        *,
        cache: FeatureCache,
        max_pixels: int | None = None,
        progress: Progress = no_progress,
    ) -> Iterator[Embedded]:
        """Vectors of photo files, in order; decoding overlaps the network; memory does not grow with n.

        Args:
            paths: photo files.
            cache: vectors known to it are not computed again; new ones are added.
            max_pixels: photos with more pixels are refused; None is the default of
                :mod:`generic.photos.open`.
            progress: called with the number of photos newly done.

        Yields:
            one result per path; a photo that cannot be read yields its error, the others go on.
        """
        for start in range(0, len(paths), _CHUNK):
            chunk = paths[start : start + _CHUNK]
            digests, errors = cache.digest_many(chunk)
            vectors = cache.get_many(list(dict.fromkeys(digests.values())), self.hash)
            missing: dict[str, Path] = {}
            for path, digest in digests.items():
                if digest not in vectors:
                    missing.setdefault(digest, path)
            # Known, unreadable and duplicate photos are done; the rest reports itself.
            progress(len(chunk) - len(missing))
            if missing:
                broken = self._compute(missing, vectors, cache, max_pixels, progress)
                errors.update({p: broken[d] for p, d in digests.items() if d in broken})
            for path in chunk:
                if path in errors:
                    yield Embedded(
                        path=path, digest=digests.get(path, ""), error=_renamed(errors[path], path)
                    )
                else:
                    yield Embedded(path=path, digest=digests[path], vector=vectors[digests[path]])

    def _compute(
        self,
        missing: dict[str, Path],
        vectors: dict[str, Features],
        cache: FeatureCache,
        max_pixels: int | None,
        progress: Progress,
    ) -> dict[str, ImageError]:
        """Fill ``vectors`` for the missing digests; returns what could not be read."""
        broken: dict[str, ImageError] = {}
        batch: list[tuple[str, NDArray[np.uint8]]] = []

        def flush() -> None:
            if not batch:
                return
            rows = self.forward(np.stack([pixels for _, pixels in batch]))
            fresh = {digest: row for (digest, _), row in zip(batch, rows, strict=True)}
            cache.put_many(fresh, self.hash)
            vectors.update(fresh)
            progress(len(batch))
            batch.clear()

        for digest, result in self._decode(missing, max_pixels):
            if isinstance(result, ImageError):
                broken[digest] = result
                progress(1)
                continue
            batch.append((digest, result))
            if len(batch) == BATCH:
                flush()
        flush()
        return broken

    def _decode(
        self, missing: dict[str, Path], max_pixels: int | None
    ) -> Iterator[tuple[str, NDArray[np.uint8] | ImageError]]:
        """Decode in threads, at most two batches ahead of the network."""
        from generic.photos.open import MAX_PIXELS, load_pixels

        limit = MAX_PIXELS if max_pixels is None else max_pixels

        def load(path: Path) -> NDArray[np.uint8] | ImageError:
            try:
                return load_pixels(path, self.size, fit=self.fit, max_pixels=limit)
            except ImageError as error:
                return error

        ahead: deque[tuple[str, Future[NDArray[np.uint8] | ImageError]]] = deque()
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="piaa-decode") as pool:
            waiting = iter(missing.items())
            for digest, path in waiting:
                ahead.append((digest, pool.submit(load, path)))
                if len(ahead) == 2 * BATCH:
                    break
            while ahead:
                digest, future = ahead.popleft()
                result = future.result()
                if not isinstance(result, ImageError):
                    # While the next photos decode, this thread imports torch and builds the network, once;
                    # never for an album whose only unknown photos are broken.
                    _ = self.network
                yield digest, result
                following = next(waiting, None)
                if following is not None:
                    ahead.append((following[0], pool.submit(load, following[1])))


def as_input(pixels: NDArray[np.uint8]) -> Tensor:
    """What a network is given: shape (b, 3, size, size), RGB in [-1, 1], of pixels (b, size, size, 3)."""
    import torch

    # NHWC memory is channels-last already: no copy but the one to float.
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def forward(network: nn.Module, pixels: NDArray[np.uint8], batch: int = BATCH) -> Features:
    """As :meth:`GenericModel.forward`, for any network of :mod:`generic.model.networks`."""
    import torch

    full = pixels
    if len(pixels) < batch:
        full = np.zeros((batch, *pixels.shape[1:]), np.uint8)
        full[: len(pixels)] = pixels
    with torch.inference_mode():
        score, embedding = network(as_input(full))
        vectors = torch.cat([score[:, None], embedding], 1)[: len(pixels)]
    return np.ascontiguousarray(vectors.float().numpy())


def _renamed(error: ImageError, path: Path) -> ImageError:
    """The error, for a copy of the broken photo under another name."""
    return (
        error
        if printable(str(path)) in str(error)
        else ImageError(f"{printable(str(path))} has the same content as a broken photo: {error}")
    )
