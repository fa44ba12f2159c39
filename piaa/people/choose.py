"""Which photos a person means by their names, or by their hashes."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from generic.errors import RatingsError


def choose_photos(user: str, named: Sequence[str], known: Sequence[tuple[str, str, str | None]]) -> set[str]:
    """Identities of the photos of which she gave ratings or comparisons under these names.

    Args:
        user: who, for the message.
        named: names of photos as she rated them, or hashes of their files or image data.
        known: name, identity and sha256 of all that she judged.

    Raises:
        RatingsError: she judged no photo of one of the names.
    """
    found: set[str] = set()
    for name in named:
        photos = {photo for image, photo, sha256 in known if name in (image, photo, sha256)}
        if not photos:
            names = sorted({image for image, _, _ in known})
            close = get_close_matches(name, names, n=3)
            cure = f"did you mean {' or '.join(map(repr, close))}?" if close else "see: piaa users show NAME"
            raise RatingsError(f"user {user!r} has no rating of {name!r} among {len(names)}; {cure}")
        found |= photos
    return found
