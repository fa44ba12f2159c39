"""What a photo's file holds, by sha256 and by picture, and whether it is still the file that was read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
import zlib
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from generic.errors import ImageError
from generic.photos.identity import photo_identity

Place = tuple[str, str]
"""Which file it is, and a stamp that changes with every change of its content."""

_HEX = 64
_ANEW = b"piaa pixels 2\0"
_RACY_NS = 2_000_000_000
_LARGEST = 1 << 30
"""Bytes of a file above which it is read piece by piece, and counts as a whole."""


class Content(NamedTuple):
    """What a photo's file holds."""

    sha256: str
    """Of the file, 64 hex digits."""
    identity: str
    """Of the picture, 64 hex digits: the same whatever is told about it in the file, see
    :mod:`generic.photos.identity`."""
    decoded_anew: bool = False
    """Whether releases before made other pixels of it, see :mod:`generic.photos.revision`."""

    @property
    def key(self) -> str:
        """Under which vectors are remembered: the identity, unless those of before are of other pixels."""
        if not self.decoded_anew:
            return self.identity
        return hashlib.sha256(_ANEW + self.identity.encode()).hexdigest()


@dataclass(frozen=True)
class Memos:
    """Rows for the cache, of files that were read."""

    files: list[tuple[str, str, str]] = field(default_factory=list)
    """(inode, stamp, digests), if they can be relied on."""
    pictures: list[tuple[str, str, int]] = field(default_factory=list)
    """(sha256, identity, checksum)."""


def identify(path: Path) -> Place:
    """Which regular file it is, and its stamp, without reading it.

    Raises:
        OSError, ValueError: there is none; opening a named pipe would wait for ever.
    """
    status = path.stat()
    if stat.S_ISREG(status.st_mode):
        return _place(status)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    raise OSError(errno.EINVAL, "it is not a regular file")


def read_content(path: Path, memos: Memos) -> Content:
    """What a file holds, read once; added to ``memos``.

    The stamp is only as fine as the file system's clock: milliseconds on most, 2 s on FAT. A file
    that changes after we read it, within the same tick and at the same size, keeps its stamp, and
    the memo would be wrong for ever. Git calls such entries "racily clean". So a digest is memorised
    only if the last change lies more than 2 s before the reading: any later change then shows. A
    change while we read shows as a difference between the status before and after.

    Raises:
        OSError: the file cannot be read.
    """
    started = time.time_ns()
    with path.open("rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        content = _digest(file, before.st_size)
        after = os.fstat(file.fileno())
    settled = max(before.st_mtime_ns, before.st_ctime_ns) + _RACY_NS < started
    if settled and before.st_ino and _place(after) == _place(before):
        inode, stamp = _place(before)
        digests = _digests(content).decode()
        memos.files.append((inode, _checked(stamp.encode(), content).decode(), digests))
    memos.pictures.append(picture_row(content))
    return content


def _digest(file: FileIO, size: int) -> Content:
    if size > _LARGEST:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Content(digest, digest)
    return content_of(file.read())


def content_of(content: bytes) -> Content:
    """What all bytes of a file hold."""
    from generic.photos.revision import decoded_anew

    digest = hashlib.sha256(content).hexdigest()
    return Content(digest, photo_identity(content, sha256=digest), decoded_anew(content))


def recall(place: Place, memo: tuple[bytes | None, bytes | None]) -> Content | None:
    """The content in a memo's (stamp, digests); None if the file has changed since or the memo is damaged."""
    stamp, digests = memo
    found = (it for it in _contents(digests) if stamp == _checked(place[1].encode(), it))
    return next(found, None)


def picture_row(content: Content) -> tuple[str, str, int]:
    """sha256, identity and checksum, as the cache keeps them."""
    return content.sha256, content.identity, _checksum(content)


def recall_picture(digests: bytes | None, checksum: int | None) -> Content | None:
    """The content with these digests, sha256 before identity; None if there is none or it is damaged."""
    return next((it for it in _contents(digests) if checksum == _checksum(it)), None)


def unreadable(path: Path, error: OSError | ValueError) -> ImageError:
    """The error for a person of a file that could not be identified or read."""
    if isinstance(error, FileNotFoundError):
        reason = "there is no such file; check its name and folder"
    elif isinstance(error, PermissionError):
        reason = "no permission to read it; change its permissions (chmod u+r)"
    elif isinstance(error, OSError):
        reason = f"{error.strerror}; name an image file"
    else:
        reason = f"{error}; name an image file"
    return ImageError(f"cannot read image {str(path)!r}: {reason}")


def _place(status: os.stat_result) -> Place:
    inode = f"{status.st_dev}:{status.st_ino}"
    return inode, f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def _checked(stamp: bytes, content: Content) -> bytes:
    return b"%s:%08x" % (stamp, _checksum(content))


def _checksum(content: Content) -> int:
    """Of a row; by it alone a row says whether the picture is decoded anew, and older rows are damaged."""
    return zlib.crc32(_digests(content) + (b"2" if content.decoded_anew else b"1"))


def _digests(content: Content) -> bytes:
    return (content.sha256 + content.identity).encode()


def _contents(digests: bytes | None) -> list[Content]:
    """Both contents that a row may mean."""
    try:
        text = (digests or b"").decode()
    except UnicodeDecodeError:
        return []
    return [Content(text[:_HEX], text[_HEX:], anew) for anew in (False, True)]
