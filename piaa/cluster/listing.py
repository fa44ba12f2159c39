"""The photos of a folder, a list or a bucket, one after the other: how many there are makes no difference.

They come in the order of their names' characters, so that one source is always listed alike; those of a list
in the order of the list.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from generic.errors import ClusterError
from generic.photos.find import SUFFIXES, printable, without_pairs
from piaa.cluster.bucket_listing import list_bucket
from piaa.cluster.folder import file_system, is_bucket, local_path, patiently, place_of, unreachable
from piaa.cluster.found import Found

LISTS = (".txt", ".list")
"""Endings of files that are taken for lists: a photo's path or URL in each line."""


def list_photos(source: str) -> Iterator[Found]:
    """The photos of a source.

    As everywhere, names that begin with a dot are left out, and so is a raw photo beside the JPEG of the same
    name. Links to folders are not followed.

    Args:
        source: a folder, a file of ``LISTS``, or a URL that fsspec knows.

    Raises:
        ClusterError: the source, a folder in it or a photo of a list cannot be read, or a list names a photo
            twice.
    """
    if is_bucket(source):
        yield from _once(list_bucket(source))
        return
    path = local_path(source)
    if path.is_file() and path.suffix.lower() in LISTS:
        yield from _of_list(path)
        return
    if not path.is_dir():
        raise ClusterError(
            f"{printable(source)} is no folder and no list of photos; give a folder, a list that ends in "
            f"{' or '.join(LISTS)}, or a URL such as s3://bucket/photos"
        )
    yield from _once(_walk(Path(os.path.abspath(path))))  # noqa: PTH100 - a link stays a link


def _walk(folder: Path) -> Iterator[Found]:
    """Files of a folder in the order of their whole paths; in memory is one folder on each level."""
    try:
        with os.scandir(folder) as entries:
            rows = [
                (entry.name + "/" * entry.is_dir(follow_symlinks=False), entry)
                for entry in entries
                if not entry.name.startswith(".")
            ]
    except OSError as error:
        raise unreachable(f"the folder {folder}", "listed", error) from None
    for name, entry in sorted(rows, key=lambda row: os.fsencode(row[0])):
        if name.endswith("/"):
            yield from _walk(folder / entry.name)
        elif _is_photo(name) and entry.is_file():
            status = entry.stat()
            yield Found(place_of(folder / name), status.st_size, str(status.st_mtime_ns))


class _Named(NamedTuple):
    """A photo and its path, for :func:`without_pairs`."""

    path: Path
    found: Found


def _once(files: Iterable[Found]) -> Iterator[Found]:
    """Photos among files; of a raw one and its JPEG, which follow one another, the JPEG."""
    photos = (_Named(Path(file.uri), file) for file in files if _is_photo(file.uri))
    for _, same in groupby(photos, key=lambda it: (it.path.parent, it.path.name.partition(".")[0])):
        group = list(same)
        kept = set(without_pairs([it.path for it in group]))
        yield from (it.found for it in group if it.path in kept)


def _is_photo(name: str) -> bool:
    return name[name.rfind(".") :].lower() in SUFFIXES


def _of_list(path: Path) -> Iterator[Found]:
    """The photos of a list, each looked at once; empty lines and those that begin with # say nothing."""
    seen: set[int] = set()
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            place = line.strip()
            if place and not place.startswith("#"):
                found = _looked_at(place, path, number)
                if (digest := _digest(found.uri)) in seen:
                    raise ClusterError(
                        f"line {number} of {printable(str(path))} names {printable(found.uri)}, which an "
                        "earlier line names, expected each photo once; take the line out"
                    )
                seen.add(digest)
                yield found


def _digest(uri: str) -> int:
    """What is remembered of a photo: its name is longer, and no two photos of a list have one digest."""
    return int.from_bytes(hashlib.blake2b(uri.encode(errors="surrogateescape"), digest_size=16).digest())


def _looked_at(place: str, path: Path, number: int) -> Found:
    try:
        if is_bucket(place):
            facts = patiently(lambda: file_system(place).info(place))
            return Found(place, int(facts["size"] or 0), str(facts.get("ETag") or facts.get("mtime") or ""))
        # Relative to the list, so that it means the same from wherever it is read.
        photo = path.parent / local_path(place)
        status = photo.stat()
    except OSError as error:
        raise unreachable(f"line {number} of {path}: {place}", "read", error) from None
    return Found(place_of(photo), status.st_size, str(status.st_mtime_ns))
