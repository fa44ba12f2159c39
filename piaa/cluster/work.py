"""A worker: takes shards of a manifest, one after the other, whoever hands them out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from generic.engine.engine import usable_cores
from generic.errors import ClusterError, EngineError, OutputError
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from generic.parts import Parts
from generic.photos.open import MAX_PIXELS
from generic.progress import Progress, no_progress
from piaa.cluster.before import read_before
from piaa.cluster.embedding import Embedder
from piaa.cluster.folder import Folder
from piaa.cluster.found import Found
from piaa.cluster.manifest import Manifest, Shard, photos_of_shard, read_manifest, read_photos
from piaa.cluster.notes import Beat, Notes
from piaa.cluster.vectors import FULL, SMALL, Seen, VectorFolder

_STARTS = 10
"""So many workers may be killed while they work on one shard before it is given up."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Which vectors are made of what, in words that go to another machine."""

    manifest: str
    """Its folder: a path or a URL."""
    out: str
    """Folder of the vectors: a path or a URL."""
    model: str
    """An embedded model's name, or a model file."""
    max_pixels: int = MAX_PIXELS
    """Photos with more are broken."""
    vectors: str = FULL
    """Which form of them: of a model without a richer part both are the same."""
    gpu: bool = False
    """Whether a GPU runs the network."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What became of a shard; all that goes back to who handed it out."""

    shard: str
    photos: int
    """Of the shard."""
    broken: int = 0
    """Photos of it that cannot be read."""
    error: str = ""
    """Why it failed; empty if it is done."""
    hopeless: bool = False
    """Whether the next shard would fail in the same way: the disk is full, or there is no GPU."""


class Worker:
    """Makes shards' vectors in this process.

    Args:
        job: which.
        threads: photos that are worked on at once; None: as many as there are cores.
    """

    def __init__(self, job: Job, threads: int | None = None) -> None:
        self.job = job
        self.threads = threads or usable_cores()
        self._manifest_folder = Folder(job.manifest)
        self.model = GenericModel(find_model(job.model), gpu=job.gpu)
        self._width = Parts.small_of(self.model.header.architecture) if job.vectors == SMALL else None
        self.vectors = VectorFolder(Folder(job.out), self.model.hash)
        self.notes = Notes(self.vectors.folder, self.vectors.mark)

    @property
    def form(self) -> str:
        """Which form of vectors it makes."""
        return FULL if self._width is None else SMALL

    @cached_property
    def manifest(self) -> Manifest:
        """What there is to do.

        Raises:
            ClusterError: there is no manifest.
        """
        return read_manifest(self._manifest_folder)

    @cached_property
    def _embedder(self) -> Embedder:
        if self.model.header.engine.get("name") != "onnx":
            import torch

            torch.set_num_threads(self.threads)  # one caller, whose threads share each photo
        return Embedder(
            self.model,
            self.vectors,
            threads=self.threads,
            max_pixels=self.job.max_pixels,
            width=self._width,
        )

    def left(self) -> list[Shard]:
        """The shards that are not done, in their order; what kills left of the others goes.

        Raises:
            ClusterError: there is no manifest, or the vectors cannot be listed.
        """
        done = self.vectors.done()
        self.vectors.folder.sweep_all()
        self.notes.forget(done)
        return [shard for shard in self.manifest.shards if shard.name not in done]

    def run(self, shard: Shard, progress: Progress = no_progress) -> Receipt:
        """Make one shard's vectors. Never raises what concerns this shard alone: the receipt says it."""
        beat = Beat(self.notes, shard.name)

        def told(done: int) -> None:
            beat(done)
            progress(done)

        if beat.starts > _STARTS:
            error = f"{_STARTS} workers were killed while they worked on it, perhaps for want of memory"
            beat.failed(error)
            return Receipt(shard=shard.name, photos=shard.n_photos, error=error)
        told(0)
        try:
            photos = read_photos(self._manifest_folder, shard)
            broken = self._embedder.embed(shard.name, photos, told, self._known(shard, photos))
        except (ClusterError, EngineError, OutputError) as error:
            beat.failed(str(error))
            hopeless = not isinstance(error, ClusterError)
            return Receipt(shard=shard.name, photos=shard.n_photos, error=str(error), hopeless=hopeless)
        beat.done()
        return Receipt(shard=shard.name, photos=shard.n_photos, broken=broken)

    @cached_property
    def _before(self) -> dict[str, Sequence[str]]:
        return read_before(self._manifest_folder)

    def _known(self, shard: Shard, photos: Sequence[Found]) -> dict[str, Seen]:
        """Those photos of a shard that another shard had before, just as they are, by their URIs."""
        mine, known = set(photos), dict[str, Seen]()
        for name in self._before.get(shard.name, ()):
            with suppress(ClusterError):  # what is not to be had is read anew
                if len(known) < len(mine) and self.vectors.has(name):
                    there = photos_of_shard(self._manifest_folder, name)
                    same = {photo.uri for photo in there if photo in mine}
                    known |= {photo.uri: photo for photo in self.vectors.seen(name, same)}
        return known
