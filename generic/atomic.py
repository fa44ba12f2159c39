"""Files that are replaced whole or not at all, whatever stops the program in between.

A result is written to a hidden temporary file in the target's own folder, flushed to the disk,
and only then renamed over the target; the rename is one step for every reader. After a crash or
a kill the target is the old file or the new one, never a mix. What may stay behind after a kill
is the hidden temporary, named ``.piaa-*``.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from generic.errors import OutputError


def write_bytes(path: str | os.PathLike[str], data: bytes, *, mark: str = "") -> None:
    """The file at ``path`` holds exactly ``data`` afterwards, or is untouched if an error is raised.

    Args:
        path: the file to create or to replace; see ``atomic_path`` for links and permissions.
        data: its whole new content.
        mark: see ``atomic_path``.

    Raises:
        OutputError: the file cannot be written; one line that names the path and the cure.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_bytes(Path(folder, "a.txt"), b"whole")
        ...     Path(folder, "a.txt").read_bytes()
        b'whole'
    """
    with atomic_path(path, mark=mark) as temporary:
        temporary.write_bytes(data)


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, mark: str = "") -> Iterator[Path]:
    """A temporary path to write to, which becomes ``path`` when the block ends without an error.

    The temporary exists (empty) in the target's folder and has its suffix, so that writers which
    choose a format by suffix work. An existing file keeps its permission bits (and its owner, where
    the system allows); a new one gets what the umask says. A symbolic link stays a link: the file it
    points to is replaced. A device or a pipe (``/dev/stdout``) is handed out as it is.

    Args:
        path: the file to create or to replace. Its folder must exist.
        mark: what the temporary's name begins with after ``.piaa-``, for who clears up after a kill.

    Yields:
        the path to write to. Write all of it before the block ends and leave no handle open.

    Raises:
        OutputError: the file cannot be written. The old file is untouched and the temporary removed.
            An error of the block that is not about this file passes through unchanged.
    """
    given = Path(path)
    target = given
    temporary: Path | None = None
    try:
        old = _existing(given)
        if old is not None and not stat.S_ISREG(old.st_mode):
            # A rename would put a plain file in the place of the device.
            yield given
            return
        target = given.resolve()
        temporary = _create_beside(target, old, mark)
        yield temporary
        _publish(temporary, target, old)
    except OSError as error:
        if temporary is not None and not _concerns(error, temporary):
            raise
        raise OutputError(_explain(given, target.parent, error)) from error
    finally:
        if temporary is not None:
            with suppress(OSError):  # After a rename there is nothing left to remove.
                temporary.unlink()


def _existing(given: Path) -> os.stat_result | None:
    """What lies at the path now, links followed; None for a new file."""
    if "\0" in str(given):
        raise OutputError(f"cannot write {str(given)!r}: a file name has no zero byte; name another file")
    try:
        old = given.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(given))
    if stat.S_ISREG(old.st_mode):
        # The rename would succeed on a write-protected file too: it asks the folder, not the file.
        try:
            os.close(os.open(given, os.O_WRONLY))
        except PermissionError as error:
            raise OutputError(
                f"cannot write {str(given)!r}: the file is write-protected; "
                "make it writable (chmod u+w) or name another file"
            ) from error
    return old


def _create_beside(target: Path, old: os.stat_result | None, mark: str) -> Path:
    """A new empty file in the target's folder, never more readable than the file it will replace."""
    mode = 0o666 if old is None else (old.st_mode & 0o777) | 0o600
    # A long suffix is not one that a writer knows, and could make the name too long.
    suffix = target.suffix if len(os.fsencode(target.suffix)) <= 32 else ""
    while True:
        temporary = target.parent / f".piaa-{mark}{os.urandom(6).hex()}{suffix}"
        with suppress(FileExistsError):
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
            return temporary


def _publish(temporary: Path, target: Path, old: os.stat_result | None) -> None:
    """Bring the temporary to the disk, then rename it over the target."""
    if old is not None:
        with suppress(OSError, AttributeError):  # Only root may; there is no chown on Windows.
            os.chown(temporary, old.st_uid, old.st_gid)
        temporary.chmod(stat.S_IMODE(old.st_mode))
    # Renaming first could leave, after a power cut, the new name on a file without its content.
    _sync(temporary, os.O_RDWR if os.access(temporary, os.W_OK) else os.O_RDONLY)
    temporary.replace(target)
    # The new file is in place; a file system that cannot sync a folder is no reason to fail now.
    with suppress(OSError):
        _sync(target.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _concerns(error: OSError, temporary: Path) -> bool:
    """True if the error is about the temporary; a failed write (disk full) names no file at all."""
    return error.errno is not None and error.filename in (None, str(temporary), temporary)


def _explain(path: Path, folder: Path, error: OSError) -> str:
    where = f"cannot write {str(path)!r}"
    other = "or name a file in another folder"
    match error.errno:
        case errno.ENOENT:
            return f"{where}: the folder {str(folder)!r} does not exist; create it {other}"
        case errno.ENOTDIR:
            return f"{where}: {str(folder)!r} is not a folder; name a file in a folder"
        case errno.EISDIR:
            return f"{where}: it is a folder; name a file in it"
        case errno.ENOSPC | errno.EDQUOT:
            return f"{where}: the disk is full; free some space {other}"
        case errno.EROFS:
            return (
                f"{where}: the disk of the folder {str(folder)!r} is read-only; name a file on another disk"
            )
        case errno.EACCES | errno.EPERM:
            return f"{where}: no permission to write in the folder {str(folder)!r}; change that {other}"
        case _:
            return f"{where}: {error.strerror}; name another file"
