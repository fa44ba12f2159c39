"""Which photo is in which batch, on which process; decoding in worker processes.

The order of photos and what is done to each of them are functions of (seed, epoch, photo) alone. They do
not depend on how many processes or workers there are, nor on where a run was stopped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from generic.errors import ImageError, TrainingError
from generic.photos.open import WHOLE, load_pixels
from generic.pretrain.config import Settings
from generic.pretrain.photos import Photos
from generic.seeds import stream
from generic.words import counted

_AHEAD = 4
_NO_CHANGE = -1
"""The epoch of a photo that is read as it is: for validation."""
Key = tuple[int, int]
"""(epoch, row): what a worker is asked for."""


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """Photos of one pass of the network."""

    pixels: Tensor
    """uint8, shape (b, size, size, 3); zeros for a photo that cannot be read."""
    rows: Tensor
    """Their places among the photos, shape (b,)."""
    readable: Tensor
    """bool, shape (b,)."""
    errors: dict[int, str]
    """What is wrong with the others, by their rows."""

    def pin_memory(self) -> MicroBatch:
        """The same in memory that a GPU can fetch by itself; the loader calls it."""
        return MicroBatch(
            pixels=self.pixels.pin_memory(), rows=self.rows, readable=self.readable, errors=self.errors
        )


class PhotoReader(Dataset[tuple[NDArray[np.uint8] | None, int, str]]):
    """Reads, mirrors and crops one photo.

    Args:
        photos: which.
        size: side of the square, pixels.
        settings: ``fit``, ``flip``, ``crop`` and ``seed`` are used.
    """

    def __init__(self, photos: Photos, size: int, settings: Settings) -> None:
        self.photos, self.size, self.settings = photos, size, settings

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, key: Key) -> tuple[NDArray[np.uint8] | None, int, str]:
        """Pixels (size, size, 3), the row, and an error's text or nothing."""
        epoch, row = key
        name = self.photos.names[row]
        flip, box = False, WHOLE
        if epoch != _NO_CHANGE:
            rng = stream(self.settings.seed, "pretrain", "change", epoch, row)
            flip = self.settings.flip and rng.random() < 0.5
            if self.settings.crop < 1:
                box = random_box(rng, self.settings.crop)
        try:
            opened = self.photos.source.open(name)
            try:
                pixels = load_pixels(opened, self.size, fit=self.settings.fit, box=box, name=name)
            finally:
                _close(opened)
        except ImageError as error:
            return None, row, str(error)
        return (np.ascontiguousarray(pixels[:, ::-1]) if flip else pixels), row, ""


def _close(opened: object) -> None:
    close = getattr(opened, "close", None)  # a path has none
    if close is not None:
        close()


def random_box(rng: np.random.Generator, least: float) -> tuple[float, float, float, float]:
    """A part of a photo with its aspect: left, top, right, bottom as shares.

    Args:
        rng: draws area and place.
        least: share of the area that is kept at least, in (0, 1].
    """
    side = math.sqrt(rng.uniform(least, 1.0))
    left, top = rng.uniform(0, 1 - side), rng.uniform(0, 1 - side)
    return float(left), float(top), float(min(left + side, 1.0)), float(min(top + side, 1.0))


def collate(parts: Sequence[tuple[NDArray[np.uint8] | None, int, str]], size: int) -> MicroBatch:
    """One pass of the network out of single photos of ``size`` pixels."""
    empty = np.zeros((size, size, 3), np.uint8)
    return MicroBatch(
        pixels=torch.from_numpy(np.stack([empty if pixels is None else pixels for pixels, _, _ in parts])),
        rows=torch.tensor([row for _, row, _ in parts]),
        readable=torch.tensor([pixels is not None for pixels, _, _ in parts]),
        errors={row: error for _, row, error in parts if error},
    )


class Plan(Sampler[list[Key]]):
    """The photos of every pass on one process, from one step to another.

    An epoch's photos are shuffled and cut into whole batches; what remains, fewer than a batch, waits for
    another epoch. A batch is cut into passes, and a pass into the shares of the processes.

    Args:
        n: photos.
        settings: ``batch``, ``micro_batch``, ``epochs`` and ``seed`` are used.
        process: this process, from 0.
        n_processes: how many there are.

    Raises:
        TrainingError: fewer photos than a batch, or a batch that does not divide.
    """

    def __init__(self, n: int, settings: Settings, *, process: int = 0, n_processes: int = 1) -> None:
        batch = settings.batch
        if n < batch:
            there = "there is" if n == 1 else "there are"
            raise TrainingError(
                f"{there} {counted(n, 'photo')} to train on, fewer than the {batch} of one batch; give more, "
                f"or --batch {n}"
            )
        share = batch // n_processes
        self.micro = min(settings.micro_batch or share, share)
        if batch % (n_processes * max(self.micro, 1)) or self.micro == 0:
            raise TrainingError(
                f"a batch of {batch} photos cannot be cut into {n_processes} "
                f"process{'es' * (n_processes > 1)} with passes of {settings.micro_batch or share}; choose "
                f"--batch as a multiple of their product"
            )
        self.n, self.settings = n, settings
        self.process, self.n_processes = process, n_processes
        self.steps_per_epoch = n // batch
        self.n_steps = self.steps_per_epoch * settings.epochs
        self.passes = batch // (self.micro * n_processes)
        """Passes of the network in one step, on each process."""
        self.first_step = 0

    def order(self, epoch: int) -> NDArray[np.intp]:
        """Rows of an epoch, shuffled, whole batches only."""
        shuffled = stream(self.settings.seed, "pretrain", "order", epoch).permutation(self.n)
        return shuffled[: self.steps_per_epoch * self.settings.batch]

    def __len__(self) -> int:
        return (self.n_steps - self.first_step) * self.passes

    def __iter__(self) -> Iterator[list[Key]]:
        batch, epoch, order = self.settings.batch, -1, np.zeros(0, np.intp)
        for step in range(self.first_step, self.n_steps):
            if step // self.steps_per_epoch != epoch:
                epoch = step // self.steps_per_epoch
                order = self.order(epoch)
            start = step % self.steps_per_epoch * batch
            for rows in np.split(order[start : start + batch], self.passes):
                mine = rows[self.process * self.micro : (self.process + 1) * self.micro]
                yield [(epoch, int(row)) for row in mine]


class _Collate:
    """``collate`` for worker processes, which need something that can be pickled."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, parts: Sequence[tuple[NDArray[np.uint8] | None, int, str]]) -> MicroBatch:
        return collate(parts, self.size)


def loader(
    reader: PhotoReader, batches: Sampler[list[Key]] | list[list[Key]], *, workers: int, pin: bool
) -> DataLoader[MicroBatch]:
    """Passes of the network, decoded ahead by worker processes.

    Args:
        reader: of the photos.
        batches: what is in each pass.
        workers: processes; 0 decodes in this one.
        pin: for a GPU.
    """
    loading: Any = DataLoader  # keys are pairs, not rows, and what comes out is not what goes in
    passes: DataLoader[MicroBatch] = loading(
        reader,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_Collate(reader.size),
        pin_memory=pin,
        prefetch_factor=_AHEAD if workers else None,
        # The loader draws a seed for its workers, which use none: not from the global generator.
        generator=torch.Generator(),
    )
    return passes


def in_order(n: int, micro: int, *, process: int = 0, n_processes: int = 1) -> list[list[Key]]:
    """All photos as they are, in passes of ``micro``: this process's share of them."""
    rows = range(process, n, n_processes)
    return [
        [(_NO_CHANGE, row) for row in rows[start : start + micro]] for start in range(0, len(rows), micro)
    ]
