"""A photo as a listing has it, before anybody read it."""

from __future__ import annotations

from typing import NamedTuple


class Found(NamedTuple):
    """A photo of a source."""

    uri: str
    """Its absolute path, or a URL."""
    size: int
    """In bytes."""
    mark: str
    """What changes with its content: the etag of a bucket, the time of a file in nanoseconds."""
