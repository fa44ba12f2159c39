"""The sha256 of a photo's file, and whether the file is still the one that was read."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import time
import zlib
from pathlib import Path

from generic.errors import ImageError

Identity = tuple[str, str]
"""Which file it is, and a stamp that changes with every change of its content."""

_SHA256 = re.compile(rb"[0-9a-f]{64}")
_RACY_NS = 2_000_000_000


def identify(path: Path) -> Identity:
    """The identity of a regular file, without reading it.

    Raises:
        OSError, ValueError: there is none; opening a named pipe would wait for ever.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return _identity(status)


def read_digest(path: Path, memos: list[tuple[str, str, str]]) -> str:
    """The sha256 of a file, 64 hex digits; adds (inode, stamp, digest) to ``memos`` if it can be relied on.

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
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        after = os.fstat(file.fileno())
    settled = max(before.st_mtime_ns, before.st_ctime_ns) + _RACY_NS < started
    if settled and before.st_ino and _identity(after) == _identity(before):
        inode, stamp = _identity(before)
        memos.append((inode, _checked(stamp.encode(), digest.encode()).decode(), digest))
    return digest


def recall(identity: Identity, memo: tuple[bytes | None, bytes | None]) -> str | None:
    """The digest in a memo's (stamp, digest); None if the file has changed since or the memo is damaged."""
    kept, digest = memo
    stamp = identity[1].encode()
    # Releases before stored no checksum.
    if digest and (kept == _checked(stamp, digest) or (kept == stamp and _SHA256.fullmatch(digest))):
        return digest.decode()
    return None


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


def _identity(status: os.stat_result) -> Identity:
    inode = f"{status.st_dev}:{status.st_ino}"
    return inode, f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def _checked(stamp: bytes, digest: bytes) -> bytes:
    return b"%s:%08x" % (stamp, zlib.crc32(digest))
