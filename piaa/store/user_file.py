"""One user as a file that can be sent: JSON with a format name, a version and a checksum.

The versions stand in it as releases before wrote them, each with its whole state, so that these read the file
too; beside them is all that the user said. The checksum notices a damaged or hand-edited file. It is no
signature: whoever edits the file on purpose can compute it anew, so a file is as trustworthy as the person
who sent it. Nothing in it is ever executed.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import json
import math
from pathlib import Path
from typing import Any, NoReturn

from generic.atomic import write_bytes
from generic.errors import OutputError, StoreError
from piaa.store.records import StoredAdapter, StoredComparison, StoredRating, check_user
from piaa.store.user_content import UserContent
from piaa.store.user_rows import NAMES, SaidRow, VectorRow

_FORMAT = "piaa-user"
_FORMAT_VERSION = 1


def write_user_file(path: Path, content: UserContent) -> None:
    """Write one user; the file is whole or untouched.

    Args:
        path: the file to create or to replace.
        content: what is kept of the user.

    Raises:
        OutputError: the file cannot be written, or is there and no such file.
    """
    if path.is_file() and path.stat().st_size and _FORMAT.encode() not in _beginning(path):
        raise OutputError(
            f"cannot write {str(path)!r}: it is there, and no file that piaa users export wrote; name "
            "another file"
        )
    text = json.dumps(to_json(content), ensure_ascii=False, indent=1)
    write_bytes(path, text.encode() + b"\n")


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError:
        return b""


def to_json(content: UserContent) -> dict[str, Any]:
    """What such a file holds, with its checksum."""
    found = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "user": content.user,
        "versions": [_version_to_json(adapter) for adapter in content.versions],
        "said": {
            "scale": list(content.scale) if content.scale else None,
            **{
                kind: [{**row.values, "counts": row.counts} for row in getattr(content, kind)]
                for kind in NAMES
            },
            "vectors": [
                {**row.__dict__, "vector": base64.b64encode(row.vector).decode("ascii")}
                for row in content.vectors
            ],
        },
    }
    return {**found, "sha256": _checksum(found)}


def read_user_file(path: Path, *, user: str | None = None) -> UserContent:
    """The user in a file, checked in every value.

    Args:
        path: a file that ``write_user_file`` wrote, or an earlier release.
        user: the name to give the user; None keeps the one in the file.

    Returns:
        the versions oldest first; a file of an earlier release holds nothing else.

    Raises:
        StoreError: the file is missing, damaged or not of this format; the message names it.
    """
    content = _parse(path)
    if content.get("format") != _FORMAT:
        _refuse(path, "it is not a file that piaa users export wrote", "name such a file")
    version = content.get("format_version")
    if version != _FORMAT_VERSION:
        _refuse(
            path,
            f"it has format version {version!r}, but this piaa knows version {_FORMAT_VERSION}",
            "upgrade piaa: pip install --upgrade piaa",
        )
    checksum = content.pop("sha256", None)
    if checksum != _checksum(content):
        _refuse(path, "its content does not fit its checksum", "it was damaged or edited, export it again")
    try:
        name = content["user"] if user is None else user
        check_user(name)
        found = _from_json(name, content)
    except (ArithmeticError, KeyError, TypeError, ValueError, AttributeError, StoreError) as error:
        _refuse(path, f"it holds a value that cannot be ({_describe(error)})", "export it again")
    versions = [adapter.version for adapter in found.versions]
    if (not versions and "said" not in content) or len(set(versions)) < len(versions):
        _refuse(path, f"it holds the versions {versions}, expected one or more, each once", "export it again")
    return found


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes().decode("utf-8"), parse_constant=_no_constant)
    except OSError as error:
        _refuse(path, f"it cannot be read: {error.strerror}", "name a file that piaa users export wrote")
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        _refuse(path, "it is not a file that piaa users export wrote", "name such a file")
    return content


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse(path: Path, reason: str, cure: str) -> NoReturn:
    raise StoreError(f"cannot import {str(path)!r}: {reason}; {cure} (the store is unchanged)")


def _describe(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _version_to_json(adapter: StoredAdapter) -> dict[str, Any]:
    values = {field.name: getattr(adapter, field.name) for field in dataclasses.fields(adapter)}
    del values["user"], values["comparisons"]
    pairs = {"pairs": [list(one.pair) for one in adapter.comparisons]} if adapter.comparisons else {}
    values["extra"] = {**adapter.extra, **pairs}
    values["state"] = base64.b64encode(adapter.state).decode("ascii")
    values["ratings"] = [[rating.image, rating.sha256, float(rating.score)] for rating in adapter.ratings]
    return values


def _from_json(user: str, content: dict[str, Any]) -> UserContent:
    said = content.get("said") or {}
    versions = [_version_from_json(user, version) for version in content["versions"]]
    rows = {kind: tuple(SaidRow.checked(kind, row) for row in said.get(kind, ())) for kind in NAMES}
    return UserContent(
        user=user,
        versions=tuple(sorted(versions, key=lambda adapter: adapter.version)),
        scale=_scale(said.get("scale")),
        vectors=_vectors(said.get("vectors", ())),
        ratings=rows["ratings"],
        comparisons=rows["comparisons"],
        flags=rows["flags"],
    )


def _scale(ends: Any) -> tuple[float, float] | None:  # noqa: ANN401  (refused if it is something else)
    if ends is None:
        return None
    low, high = map(float, ends)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"scale {ends}")
    return low, high


def _vectors(rows: Any) -> tuple[VectorRow, ...]:  # noqa: ANN401  (refused if it is something else)
    found = tuple(VectorRow.checked(row) for row in rows)
    widths: dict[str, int] = {}
    for one in found:
        if widths.setdefault(one.model_hash, len(one.vector)) != len(one.vector):
            raise ValueError(
                f"vectors of {widths[one.model_hash]} and of {len(one.vector)} bytes by one model"
            )
    return found


def _version_from_json(user: str, values: dict[str, Any]) -> StoredAdapter:
    values = dict(values)
    version, created = values["version"], values["created"]
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version < 2**31:
        raise ValueError(f"version {version!r}")
    if datetime.datetime.fromisoformat(created).utcoffset() != datetime.timedelta(0):
        raise ValueError(f"created {created!r} is not in UTC")
    values["state"] = base64.b64decode(values["state"], validate=True)
    values["ratings"] = tuple(
        StoredRating(image=image, sha256=sha256, score=score) for image, sha256, score in values["ratings"]
    )
    extra = dict(values["extra"])
    pairs = extra.pop("pairs", ())
    values["comparisons"] = tuple(StoredComparison(a=better, b=worse) for better, worse in pairs)
    return StoredAdapter(user=user, **{**values, "extra": extra})
