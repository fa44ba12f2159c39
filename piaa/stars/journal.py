"""What is about to be written into sidecars, noted before the first byte, so that it can be taken back.

A journal is a hidden file in the folder of the photos, ``.piaa-xmp-1.json``; later ones count on, and the
last one is taken back first. Of each sidecar it holds the bytes that were replaced, where, and the SHA-256
before and after. A sidecar is put back only if it is to the byte what was written; a new one is removed
only then. Where another program wrote since, what is ours is taken out of it, and the rest stays.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from generic.atomic import write_bytes
from generic.errors import StarsError
from generic.photos.find import printable
from generic.photos.formats.source import Part

_NAME = re.compile(r"\.piaa-xmp-([0-9]{1,9})\.json")
_FORMAT, _VERSION = "piaa-xmp", 1
_MOST_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is done to one sidecar."""

    file: str
    """Its path below the folder, with ``/`` between the parts."""
    before: str | None
    """SHA-256 of what was there, 64 hex digits; None if there was no file."""
    after: str
    """SHA-256 of what is written."""
    start: int
    """Where the two begin to differ."""
    removed: str
    """The bytes that were there, in base64."""
    inserted: int
    """How many bytes are there instead."""

    def undone(self, content: bytes) -> bytes:
        """What was there, from what was written."""
        removed = base64.b64decode(self.removed, validate=True)
        return content[: self.start] + removed + content[self.start + self.inserted :]


@dataclass(frozen=True, kw_only=True)
class Journal:
    """All that one command writes."""

    user: str
    changes: tuple[Change, ...]

    def to_bytes(self) -> bytes:
        """As a file holds it: in ASCII, which has a place for names that are not UTF-8."""
        content = {"format": _FORMAT, "version": _VERSION, "user": self.user}
        return json.dumps({**content, "changes": [asdict(one) for one in self.changes]}).encode()


def digest(content: Part) -> str:
    """SHA-256, 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def change_of(file: str, before: bytes | None, after: bytes) -> Change:
    """What becomes of one sidecar.

    Example:
        >>> change = change_of("a.xmp", b"<a>1</a>", b"<a>22</a>")
        >>> change.undone(b"<a>22</a>")
        b'<a>1</a>'
    """
    old = before or b""
    start = _n_alike(old, after)
    end = _n_alike(old[start:][::-1], after[start:][::-1])
    return Change(
        file=file,
        before=None if before is None else digest(before),
        after=digest(after),
        start=start,
        removed=base64.b64encode(old[start : len(old) - end]).decode(),
        inserted=len(after) - end - start,
    )


def _n_alike(one: bytes, other: bytes) -> int:
    """How many bytes two begin with together."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def journals_of(root: Path) -> list[Path]:
    """The journals of a folder, the oldest first."""
    found = {int(match[1]): path for path in root.iterdir() if (match := _NAME.fullmatch(path.name))}
    return [found[number] for number in sorted(found)]


def write_journal(root: Path, journal: Journal) -> Path:
    """Note what is about to be written; the file.

    Raises:
        OutputError: it cannot be written.
    """
    last = journals_of(root)[-1:]
    number = 1 + (int(match[1]) if last and (match := _NAME.fullmatch(last[0].name)) else 0)
    path = root / f".piaa-xmp-{number}.json"
    write_bytes(path, journal.to_bytes())
    return path


def read_journal(path: Path) -> Journal:
    """A journal, checked in every value: it may have come with photos of others.

    Raises:
        StarsError: it is none, or names a file that no command of ours would write.
    """
    try:
        if path.is_symlink() or path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is a link, or too large")
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or (content["format"], content["version"]) != (_FORMAT, _VERSION):
            raise ValueError("it is none of version 1")
        changes = tuple(_checked(one) for one in content["changes"])
        return Journal(user=str(content["user"]), changes=changes)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StarsError(
            f"the journal {printable(str(path))} cannot be used: {str(error)[:200]}; take it away if it is "
            "not yours (nothing was changed)"
        ) from None


def _checked(values: dict[str, Any]) -> Change:
    change = Change(**values)
    path = Path(change.file)
    if path.is_absolute() or path.drive or ".." in path.parts or "\0" in change.file:
        raise ValueError(f"{change.file!r} leads out of the folder")
    if not change.file.lower().endswith(".xmp"):
        raise ValueError(f"{change.file!r} is no sidecar")
    base64.b64decode(change.removed, validate=True)
    numbers = isinstance(change.start, int) and isinstance(change.inserted, int)
    if not numbers or change.start < 0 or change.inserted < 0 or not isinstance(change.after, str):
        raise ValueError(f"the values of {change.file!r}")
    return change
