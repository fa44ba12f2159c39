"""Which contents files had when they were last read, and which picture each content is; remembered."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from generic.cache.contents import (
    Content,
    Memos,
    Place,
    identify,
    picture_row,
    read_content,
    recall,
    recall_picture,
    unreadable,
)
from generic.errors import ImageError

Fetch = Callable[..., list[tuple[Any, ...]]]
Store = Callable[[str, Sequence[tuple[object, ...]]], None]

# CAST makes sure of the type, however damaged a row is.
_FIND_FILES = """
    SELECT asked.value, CAST(stamp AS BLOB), CAST(contents AS BLOB) FROM json_each(?) AS asked
    CROSS JOIN known ON inode = asked.value"""
_KEEP_FILES = "INSERT OR REPLACE INTO known (inode, stamp, contents) VALUES (?, ?, ?)"
_FIND_PICTURES = """
    SELECT CAST(digest || identity AS BLOB), CAST(checksum AS INTEGER)
    FROM json_each(?) AS asked CROSS JOIN pictures ON {column} = asked.value"""
_FIND_NAMES = """
    SELECT CAST(digest || identity AS BLOB), CAST(checksum AS INTEGER)
    FROM pictures WHERE digest >= ? AND digest < ?"""
_KEEP_PICTURES = "INSERT OR REPLACE INTO pictures (digest, identity, checksum) VALUES (?, ?, ?)"


class KnownFiles:
    """The tables ``known`` and ``pictures`` of the feature cache.

    Args:
        fetch: the rows of a query, with its values.
        store: writes rows by a query.
    """

    def __init__(self, fetch: Fetch, store: Store) -> None:
        self._fetch, self._store = fetch, store

    def read(self, paths: Sequence[Path]) -> tuple[dict[Path, Content], dict[Path, ImageError]]:
        """What :meth:`generic.cache.features.FeatureCache.digest_many` answers."""
        places: list[tuple[Path, Place]] = []
        contents: dict[Path, Content] = {}
        errors: dict[Path, ImageError] = {}
        for path in dict.fromkeys(paths):
            try:
                places.append((path, identify(path)))
            except (OSError, ValueError) as error:
                errors[path] = unreadable(path, error)
        rows = self._fetch(_FIND_FILES, json.dumps([inode for _, (inode, _) in places]))
        known = {inode: (stamp, digests) for inode, stamp, digests in rows}
        fresh = Memos()
        for path, place in places:
            memo = known.get(place[0])
            try:
                contents[path] = (memo and recall(place, memo)) or read_content(path, fresh)
            except OSError as error:
                errors[path] = unreadable(path, error)
        self._store(_KEEP_FILES, fresh.files)
        self._store(_KEEP_PICTURES, fresh.pictures)
        return contents, errors

    def recall(self, paths: Sequence[Path]) -> dict[Path, Content]:
        """What :meth:`generic.cache.features.FeatureCache.recall_many` answers."""
        places: list[tuple[Path, Place]] = []
        for path in paths:
            with suppress(OSError, ValueError):
                places.append((path, identify(path)))
        rows = self._fetch(_FIND_FILES, json.dumps([inode for _, (inode, _) in places]))
        known = {inode: (stamp, digests) for inode, stamp, digests in rows}
        found = {path: recall(place, known[place[0]]) for path, place in places if place[0] in known}
        return {path: content for path, content in found.items() if content is not None}

    def remember(self, contents: Collection[Content]) -> None:
        """Remember which picture each content is."""
        self._store(_KEEP_PICTURES, [picture_row(content) for content in contents])

    def pictures(self, digests: Collection[str]) -> list[Content]:
        """What is remembered of contents, by their sha256."""
        return self._contents("digest", digests)

    def twins(self, identities: Collection[str]) -> list[Content]:
        """All contents that are remembered to hold one of these pictures."""
        return self._contents("identity", identities)

    def beginning_with(self, prefix: str) -> list[Content]:
        """All contents under names that begin so."""
        rows = self._fetch(_FIND_NAMES, prefix, prefix + "\x7f")
        return [content for row in rows if (content := recall_picture(*row))]

    def _contents(self, column: str, values: Collection[str]) -> list[Content]:
        if not values:
            return []
        rows = self._fetch(_FIND_PICTURES.format(column=column), json.dumps(list(values)))
        return [content for row in rows if (content := recall_picture(*row))]
