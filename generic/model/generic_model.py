"""A generic model: preprocessing, network and score scale in one file; turns photos into vectors.

The network itself is loaded when the first photo needs it. Until then a model is a header: an album whose
features are cached is scored without loading weights.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from generic.cache.contents import Content
from generic.cache.features import FeatureCache, Features
from generic.engine.calibrated import BEFORE, ORIGIN, PREFIX, CalibratedEngine, Calibration
from generic.engine.engine import Engine, usable_cores
from generic.errors import CheckpointError, ImageError
from generic.model.checkpoint import (
    NETWORK,
    fingerprint,
    load_checkpoint,
    load_tensors,
    read_graph,
    read_header,
)
from generic.model.remembered import Remembered
from generic.photos.find import printable
from generic.progress import Progress, no_progress

if TYPE_CHECKING:
    from torch import nn

    from generic.photos.open import Fit

_UNREAD = Content(sha256="", identity="")
PRIOR = "prior."
"""Of the arrays that say how people differ; nothing of them is in a vector."""
_CHUNK = 512
_WRITTEN_AT_ONCE = 16
_AHEAD = 4
"""Photos that wait for each caller of the engine: enough that none idles, few enough for a small memory."""


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """What became of one photo."""

    path: Path
    digest: str = ""
    """SHA-256 of the file, 64 hex digits; empty if the file could not be read."""
    identity: str = ""
    """Of the picture, 64 hex digits, the same after a star is set, see :mod:`generic.photos.identity`;
    empty if the file could not be read."""
    vector: Features | None = None
    """Shape (1 + d,): the generic unit score, then the embedding. None if unreadable."""
    error: ImageError | None = None
    """Why the photo could not be read."""


class GenericModel:
    """What people on average think of a photo, and the features that say why.

    Args:
        path: a model file, see :mod:`generic.model.checkpoint`.
        gpu: whether an NVIDIA GPU runs its network.

    Raises:
        CheckpointError: the file is missing, is no model file, is a start that was never trained, or is a
            stem, which has no score.
    """

    def __init__(self, path: Path, *, gpu: bool = False) -> None:
        self.path, self._gpu = path, gpu
        self._loading = threading.Lock()
        self.header = read_header(path)
        if self.header.architecture.get("head") == "fresh":
            raise CheckpointError(
                f"model file {path} is a start for `piaa pretrain`, not a trained model: its head is fresh; "
                f"train it first, or name a trained model"
            )
        if self.header.architecture.get("kind") == "stem":
            raise CheckpointError(
                f"model file {path} is a stem: it sees photos but has no score; build a model on it: piaa "
                f"models build --stem {path} --ratings FILE --images DIR --scale LOW HIGH --out FILE.onnx"
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
        """The network for torch, in evaluation mode, built and checked on first use: for gradients.

        Raises:
            CheckpointError: the file's content does not match its hash, or this piaa cannot build it.
        """
        from generic.model.networks import build

        header, tensors = load_checkpoint(self.path)
        state = {k.removeprefix(NETWORK): v for k, v in tensors.items() if k.startswith(NETWORK)}
        return build(header.architecture, state)

    @cached_property
    def engine(self) -> Engine:
        """What runs the file, loaded and checked on first use: its graph if it has one, else torch.

        Raises:
            CheckpointError: the file's content does not match its hash, or it cannot be run here.
            EngineError: a GPU is asked for, and there is none.
        """
        found = self._uncalibrated()
        return found if self.calibration is None else CalibratedEngine(found, self.calibration)

    @cached_property
    def calibration(self) -> Calibration | None:
        """What gives the generic score in place of the network, see :mod:`generic.engine.calibrated`."""
        found = self.tensors(PREFIX)
        return Calibration.from_tensors(
            {k: v for k, v in found.items() if not (PREFIX + k).startswith(BEFORE)}
        )

    @cached_property
    def network_hash(self) -> str:
        """Hash of the model without its calibration: models with one have the same vectors but for the score.

        Reckoned from the file, so that none can pass for another; a plain model's is its own.
        """
        if self.calibration is None:
            return self.hash
        header, tensors = load_checkpoint(self.path)
        before = {k.removeprefix(BEFORE): v for k, v in tensors.items() if k.startswith(BEFORE + PRIOR)}
        kept = {k: v for k, v in tensors.items() if not k.startswith(PREFIX)} | before
        plain = replace(header, training={k: v for k, v in header.training.items() if k != ORIGIN})
        return fingerprint(plain, kept)

    def check_plain(self, use: str) -> None:
        """Raises CheckpointError if the score is not the network's, for what goes by the network alone."""
        if self.calibration is not None:
            raise CheckpointError(
                f"model {self.name} {self.hash[:8]} is calibrated: its score is not its network's, and {use} "
                f"go by the network alone; use the model that it was calibrated from"
            )

    def remembered(self, cache: FeatureCache) -> Remembered:
        """A cache, as this model sees its photos."""
        return Remembered(cache, self.network_hash, self.calibration)

    def plain_vector(self, pixels: NDArray[np.uint8]) -> Features:
        """As :meth:`vector`, with the network's own score: what :class:`Remembered` takes."""
        engine = self._loaded()
        return (engine.inner if isinstance(engine, CalibratedEngine) else engine).vector(pixels)

    def _uncalibrated(self) -> Engine:
        if self.header.engine.get("name") == "onnx":
            from generic.engine.onnx_engine import OnnxEngine

            return OnnxEngine(read_graph(self.path), str(self.path), gpu=self._gpu)
        from generic.engine.torch_engine import TorchEngine

        return TorchEngine(self.network, gpu=self._gpu)

    def vector(self, pixels: NDArray[np.uint8]) -> Features:
        """The vector of one photo, float32, shape (1 + d,); may be called from several threads.

        Args:
            pixels: shape (size, size, 3), RGB in [0, 255].
        """
        return self._loaded().vector(pixels)

    def vectors(self, pixels: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> Features:
        """As :meth:`vector` for n photos in memory, float32, shape (n, 1 + d); none depends on the others."""
        return self._loaded().vectors(pixels)

    def _loaded(self) -> Engine:
        with self._loading:  # by one thread, while others wait
            return self.engine

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
        remembered = self.remembered(cache)
        for start in range(0, len(paths), _CHUNK):
            chunk = paths[start : start + _CHUNK]
            contents, errors = cache.digest_many(chunk)
            vectors = remembered.find(contents.values())
            missing: dict[str, Path] = {}
            for path, content in contents.items():
                if content.key not in vectors:
                    missing.setdefault(content.key, path)
            # Known, unreadable and duplicate photos are done; the rest reports itself.
            progress(len(chunk) - len(missing))
            if missing:
                broken = self._compute(missing, vectors, remembered, max_pixels, progress)
                errors.update({p: broken[c.key] for p, c in contents.items() if c.key in broken})
            for path in chunk:
                yield _embedded(path, contents.get(path, _UNREAD), errors.get(path), vectors)

    def _compute(
        self,
        missing: dict[str, Path],
        vectors: dict[str, Features],
        remembered: Remembered,
        max_pixels: int | None,
        progress: Progress,
    ) -> dict[str, ImageError]:
        """Fill ``vectors`` for the missing pictures, by key; returns what could not be read."""
        broken: dict[str, ImageError] = {}
        fresh: dict[str, Features] = {}
        try:
            for key, result in self._run(missing, max_pixels):
                if isinstance(result, ImageError):
                    broken[key] = result
                else:
                    fresh[key] = result
                if len(fresh) == _WRITTEN_AT_ONCE:
                    vectors.update(remembered.put(fresh))
                    fresh = {}
                progress(1)
        finally:  # nothing is lost of a run that somebody stops
            vectors.update(remembered.put(fresh))
        return broken

    def _run(
        self, missing: dict[str, Path], max_pixels: int | None
    ) -> Iterator[tuple[str, Features | ImageError]]:
        """Each photo decoded and run in one thread, as many at once as the engine has callers."""
        from generic.photos.open import MAX_PIXELS, load_pixels

        limit = MAX_PIXELS if max_pixels is None else max_pixels

        def run(path: Path) -> Features | ImageError:
            try:
                pixels = load_pixels(path, self.size, fit=self.fit, max_pixels=limit)
            except ImageError as error:
                return error
            # Never loaded for an album whose only unknown photos are broken.
            return self.plain_vector(pixels)

        callers = usable_cores()
        ahead: deque[tuple[str, Future[Features | ImageError]]] = deque()
        with ThreadPoolExecutor(callers, thread_name_prefix="piaa-photo") as pool:
            waiting = iter(missing.items())
            for key, path in islice(waiting, _AHEAD * callers):
                ahead.append((key, pool.submit(run, path)))
            while ahead:
                key, future = ahead.popleft()
                yield key, future.result()
                for following, path in islice(waiting, 1):
                    ahead.append((following, pool.submit(run, path)))


def _embedded(
    path: Path, content: Content, error: ImageError | None, vectors: dict[str, Features]
) -> Embedded:
    """One photo's result, out of those of its chunk."""
    return Embedded(
        path=path,
        digest=content.sha256,
        identity=content.identity,
        vector=None if error else vectors[content.key],
        error=error and _renamed(error, path),
    )


def _renamed(error: ImageError, path: Path) -> ImageError:
    """The error, for a copy of the broken photo under another name."""
    return (
        error
        if printable(str(path)) in str(error)
        else ImageError(f"{printable(str(path))} has the same content as a broken photo: {error}")
    )
