"""Photos in shards that stay the same where the source stays the same.

Where a shard ends is said by the photos' own names (content-defined chunking, after Muthitacharoen et al.,
"A low-bandwidth network file system", SOSP 2001), and its name by all that was listed of it. Nothing of it
depends on an earlier listing: a photo that comes or goes changes the shard that it lies in, and no other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from piaa.cluster.found import Found

_NAME = 16
"""Hex digits of a shard's name: among ten thousand shards two have one name once in 10^11 manifests."""


@dataclass(frozen=True)
class Cut:
    """Photos that are one piece of work."""

    photos: tuple[Found, ...]

    @cached_property
    def name(self) -> str:
        """16 hex digits, of everything that was listed of its photos."""
        digest = hashlib.sha256()
        for photo in self.photos:
            digest.update(json.dumps(photo).encode() + b"\n")
        return digest.hexdigest()[:_NAME]


def cut(photos: Iterable[Found], size: int) -> Iterator[Cut]:
    """Shards of about ``size`` photos: half as many at least, but for the last one, twice as many at most.

    Example:
        >>> photos = [Found(f"/photos/{n}.jpg", 1, "") for n in range(1000)]
        >>> [len(one.photos) for one in cut(photos, 300)]
        [173, 312, 151, 192, 172]
    """
    least, most = max(1, size // 2), 2 * size
    begun: list[Found] = []
    for photo in photos:
        begun.append(photo)
        if len(begun) == most or (len(begun) >= least and _ends(photo, max(1, size - least))):
            yield Cut(tuple(begun))
            begun = []
    if begun:
        yield Cut(tuple(begun))


def _ends(photo: Found, one_in: int) -> bool:
    """Whether a shard that is long enough ends with this photo."""
    digest = hashlib.blake2b(photo.uri.encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little") % one_in == 0
