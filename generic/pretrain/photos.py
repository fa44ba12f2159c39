"""Photos with what raters said of them, and where their files are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import torch

from generic.errors import ImageError, TrainingError
from generic.losses import check_distributions
from generic.photos.find import printable
from generic.pretrain.objective import Targets
from generic.progress import Progress, no_progress

_THREADS = 4


class Source(Protocol):
    """Where photos lie: a folder, or packed shards. Used by worker processes too."""

    def open(self, name: str) -> Path | BinaryIO:
        """What :func:`generic.photos.open.load_pixels` reads; a stream belongs to the caller."""

    def sha256(self, name: str) -> str:
        """SHA-256 of the photo's file, 64 hex digits.

        Raises:
            ImageError: the file cannot be read.
        """


class FolderSource:
    """Photos as files.

    Args:
        files: name -> file.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = dict(files)

    def open(self, name: str) -> Path:
        """The photo's file."""
        return self.files[name]

    def sha256(self, name: str) -> str:
        """SHA-256 of the photo's file, 64 hex digits.

        Raises:
            ImageError: the file cannot be read.
        """
        path = self.files[name]
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ImageError(
                f"{printable(str(path))} cannot be read: {error.strerror}; check the path and its permissions"
            ) from None


@dataclass(frozen=True, kw_only=True)
class Photos:
    """Photos to train or to validate on.

    Raises:
        TrainingError: there is none, or targets do not match names.
        ShapeError: shares of raters that are no distribution.
    """

    names: Sequence[str]
    """In a fixed order, each once."""
    source: Source
    """Where their files are."""
    targets: Targets
    """Of the same photos, in their order."""

    def __post_init__(self) -> None:
        if not self.names:
            raise TrainingError("there are no photos to train or to validate on; give some with a score")
        if len(self.names) != len(self.targets):
            raise TrainingError(
                f"{len(self.names)} photos have {len(self.targets)} targets; give one target a photo"
            )
        if self.targets.shares is not None:
            check_distributions(self.targets.shares)

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: Sequence[int]) -> Photos:
        """Some of the photos, in the order of ``rows``."""
        return Photos(
            names=[self.names[row] for row in rows],
            source=self.source,
            targets=self.targets.take(torch.as_tensor(list(rows), dtype=torch.long)),
        )

    def hashes(self, progress: Progress = no_progress) -> dict[str, str]:
        """SHA-256 of every photo's file by name; photos that cannot be read are left out.

        Args:
            progress: called with the number of photos newly done.
        """

        def digest(name: str) -> str | None:
            try:
                return self.source.sha256(name)
            except ImageError:
                return None  # training names and counts it

        found: dict[str, str] = {}
        with ThreadPoolExecutor(_THREADS) as pool:
            for name, value in zip(self.names, pool.map(digest, self.names), strict=True):
                if value is not None:
                    found[name] = value
                progress(1)
        return found
