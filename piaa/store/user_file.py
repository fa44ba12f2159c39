"""One user's adapters as a file that can be sent: JSON with a format name, a version and a checksum.

The checksum notices a damaged or hand-edited file. It is no signature: whoever edits the file on
purpose can compute it anew, so a file is as trustworthy as the person who sent it. Nothing in it is
ever executed.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from generic.atomic import write_bytes
from generic.errors import StoreError
from piaa.store.records import StoredAdapter, StoredRating, check_user

_FORMAT = "piaa-user"
_FORMAT_VERSION = 1


def write_user_file(path: Path, adapters: Sequence[StoredAdapter]) -> None:
    """Write one user's adapters; the file is whole or untouched.

    Args:
        path: the file to create or to replace.
        adapters: one or more versions of one user's adapter.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(user_content(adapters), ensure_ascii=False, indent=1)
    write_bytes(path, text.encode() + b"\n")


def user_content(adapters: Sequence[StoredAdapter]) -> dict[str, Any]:
    """What such a file holds, for JSON: one or more versions of one user's adapter, and their checksum."""
    content = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "user": adapters[0].user,
        "versions": [_to_json(adapter) for adapter in adapters],
    }
    return {**content, "sha256": _checksum(content)}


def read_user_file(path: Path, *, user: str | None = None) -> list[StoredAdapter]:
    """The adapters in a file, checked in every value.

    Args:
        path: a file that ``write_user_file`` wrote.
        user: the name to give the user; None keeps the one in the file.

    Returns:
        one or more versions of one user's adapter, oldest first.

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
        adapters = [_from_json(name, version) for version in content["versions"]]
    except (ArithmeticError, KeyError, TypeError, ValueError, AttributeError, StoreError) as error:
        _refuse(path, f"it holds a value that cannot be ({_describe(error)})", "export it again")
    versions = [adapter.version for adapter in adapters]
    if not versions or len(set(versions)) < len(versions):
        _refuse(path, f"it holds the versions {versions}, expected one or more, each once", "export it again")
    return sorted(adapters, key=lambda adapter: adapter.version)


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


def _to_json(adapter: StoredAdapter) -> dict[str, Any]:
    values = {field.name: getattr(adapter, field.name) for field in dataclasses.fields(adapter)}
    del values["user"]
    values["extra"] = dict(adapter.extra)
    values["state"] = base64.b64encode(adapter.state).decode("ascii")
    values["ratings"] = [[rating.image, rating.sha256, float(rating.score)] for rating in adapter.ratings]
    return values


def _from_json(user: str, values: dict[str, Any]) -> StoredAdapter:
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
    return StoredAdapter(user=user, **values)
