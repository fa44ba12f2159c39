"""Photos packed into tar files: a few large files instead of many small ones.

The layout is WebDataset's: each photo is two members of one tar, ``00000012.jpg`` and ``00000012.json``, so
that other programs stream the shards as they are. ``index.json`` says where in which shard a photo's bytes
are, so that this toolkit reads any photo at once, in the very order in which it would read a folder.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from generic.atomic import atomic_path, write_bytes
from generic.errors import DatasetError, ImageError, OutputError
from generic.photos.find import SUFFIXES, printable
from generic.photos.open import open_rgb
from generic.progress import Progress, no_progress
from generic.words import counted

INDEX = "index.json"
_FORMAT = "piaa-shards"
_HEADER = 512
_QUALITY = 95


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What was written."""

    n_photos: int
    n_shards: int
    n_bytes: int
    """Of all shards."""
    skipped: Mapping[str, str]
    """Photos that cannot be read, and why."""


def pack(
    files: Mapping[str, Path],
    folder: Path,
    *,
    labels: Mapping[str, Mapping[str, Any]],
    side: int | None = None,
    shard_bytes: int = 256 * 2**20,
    progress: Progress = no_progress,
) -> Packed:
    """Write photos and their labels as shards; the index comes last, so that a stopped packing is seen.

    Args:
        files: name -> file, in the order of the shards.
        folder: where to write; made if it is not there, and must not hold shards.
        labels: for the ``.json`` beside a photo, by name.
        side: shorter side in pixels that larger photos are reduced to, as JPEG; None: the files as they are.
        shard_bytes: size from which a shard is closed.
        progress: called with the number of photos newly done.

    Raises:
        OutputError: the folder cannot be written, or holds shards.
        DatasetError: not one photo can be read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {printable(str(folder))} cannot be made: {error.strerror}; name another with --out"
        ) from error
    if (folder / INDEX).exists():
        raise OutputError(f"the folder {printable(str(folder))} holds shards; name another with --out")
    places: dict[str, list[Any]] = {}
    skipped: dict[str, str] = {}
    n_bytes = shard = number = 0
    waiting = _read_all(files, side, skipped, progress)
    for first in waiting:
        name = f"shard-{shard:06d}.tar"
        with atomic_path(folder / name) as temporary, tarfile.open(temporary, "w") as tar:
            for photo in _until(first, waiting, tar, shard_bytes):
                about = {"image": photo.name, **labels.get(photo.name, {})}
                offset = _add(tar, f"{number:08d}{photo.suffix}", photo.content)
                _add(tar, f"{number:08d}.json", json.dumps(about, ensure_ascii=False).encode())
                places[photo.name] = [name, offset, len(photo.content), photo.sha256]
                number += 1
        n_bytes += (folder / name).stat().st_size
        shard += 1
    if not places:
        reason = f"; the first: {next(iter(skipped.values()))}" if skipped else ""
        raise DatasetError(f"not one of {counted(len(files), 'photo')} can be packed{reason}")
    content = {"format": _FORMAT, "version": 1, "side": side, "images": places}
    write_bytes(folder / INDEX, json.dumps(content).encode())
    return Packed(n_photos=number, n_shards=shard, n_bytes=n_bytes, skipped=skipped)


@dataclass(frozen=True)
class _Photo:
    name: str
    suffix: str
    content: bytes
    sha256: str
    """Of the file it was read from."""


def _read_all(
    files: Mapping[str, Path], side: int | None, skipped: dict[str, str], progress: Progress
) -> Iterator[_Photo]:
    for name, path in files.items():
        try:
            yield _read(name, path, side)
        except ImageError as error:
            skipped[name] = str(error)
        progress(1)


def _read(name: str, path: Path, side: int | None) -> _Photo:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"{printable(str(path))} cannot be read: {error.strerror}; check the path and its permissions"
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    suffix = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    # Decoded even where the bytes stay: what is packed can be read.
    # A pixel more than asked: what is no larger than ``side`` then is so in the file, and no draft of more.
    at_least = None if side is None else (side + 1, side + 1)
    image = open_rgb(io.BytesIO(content), at_least=at_least, name=str(path))
    if side is None or min(image.size) <= side:
        return _Photo(name, suffix if suffix in SUFFIXES else ".jpg", content, digest)
    scale = side / min(image.size)
    smaller = image.resize(
        (round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC, reducing_gap=3.0
    )
    stream = io.BytesIO()
    smaller.save(stream, "JPEG", quality=_QUALITY)
    return _Photo(name, ".jpg", stream.getvalue(), digest)


def _until(first: _Photo, rest: Iterator[_Photo], tar: tarfile.TarFile, most: int) -> Iterator[_Photo]:
    """Photos for one shard, at least one."""
    yield first
    while tar.offset < most:
        photo = next(rest, None)
        if photo is None:
            return
        yield photo


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Add a member; where its bytes begin."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    offset = tar.offset + _HEADER
    tar.addfile(member, io.BytesIO(content))
    return offset


class ShardSource:
    """Photos in shards, as :class:`generic.pretrain.photos.Source` asks.

    Args:
        folder: of shards and their index.

    Raises:
        DatasetError: there is no index, or it is not one of ours.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shown = printable(str(folder))
        try:
            content = json.loads((folder / INDEX).read_bytes())
        except OSError as error:
            raise DatasetError(
                f"the shards in {shown} cannot be read: {INDEX}: {error.strerror}; pass a folder that "
                f"`piaa data pack` wrote to its end"
            ) from None
        except ValueError:
            content = None
        if not isinstance(content, dict) or content.get("format") != _FORMAT or content.get("version") != 1:
            raise DatasetError(f"{INDEX} in {shown} is damaged or not of `piaa data pack`; pack again")
        self.side: int | None = content.get("side")
        """Shorter side in pixels that photos were reduced to; None: whole files."""
        self._places: dict[str, tuple[str, int, int, str]] = {
            name: tuple(place) for name, place in content["images"].items()
        }
        self._handles: dict[tuple[int, str], int] = {}

    @property
    def names(self) -> Sequence[str]:
        """Every photo, in the order of the shards."""
        return tuple(self._places)

    def open(self, name: str) -> io.BytesIO:
        """The photo's bytes.

        Raises:
            ImageError: they are not there.
        """
        shard, offset, size, _ = self._places[name]
        try:
            content = os.pread(self._handle(shard), size, offset)
        except OSError as error:
            raise ImageError(
                f"{printable(name)} in {shard} cannot be read: {error.strerror}; pack again"
            ) from None
        if len(content) != size:
            raise ImageError(f"{printable(name)} in {shard} is cut off; copy the shard again or pack again")
        return io.BytesIO(content)

    def sha256(self, name: str) -> str:
        """SHA-256 of the file that was packed, 64 hex digits."""
        return self._places[name][3]

    def _handle(self, shard: str) -> int:
        # A handle for each process: pread has no position to share, but a forked number may be closed.
        key = (os.getpid(), shard)
        if key not in self._handles:
            self._handles[key] = os.open(self.folder / shard, os.O_RDONLY)
        return self._handles[key]
