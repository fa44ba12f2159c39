"""Learning on: ratings added to what a person said, or withdrawn; always equal to a fit of what remains."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from generic.errors import PiaaError
from piaa.adapters.base import Adapter
from piaa.adapters.registry import DEFAULT, adapter_class
from piaa.ratings.scale import Scale
from piaa.store.records import SeenPhoto, StoredComparison, StoredRating
from piaa.store.said import Said, said
from piaa.store.store import Store

Rated = tuple[SeenPhoto, float]


class _Seen:
    """Photos that were seen now, found by what a store knows of them: it may not know the image data yet."""

    def __init__(self, photos: Sequence[SeenPhoto]) -> None:
        self._photos = {photo.sha256: photo.identity for photo in photos if photo.sha256}
        self._photos |= {photo.identity: photo.identity for photo in photos}
        self._names = {photo.image: photo.identity for photo in photos}

    def of(self, rating: StoredRating) -> str | None:
        """Identity of the photo that was rated; None if it is none of these."""
        named = None if rating.sha256 else self._names.get(rating.image)
        return self._photos.get(rating.photo, named)


def said_with(before: Said, fresh: Sequence[Rated], scale: Scale) -> Said:
    """What somebody said, with further ratings; of a photo rated again the new score counts."""
    ends = (scale.low, scale.high)
    more = tuple(
        StoredRating(image=photo.image, sha256=photo.sha256, score=score, photo=photo.identity, scale=ends)
        for photo, score in fresh
    )
    vectors = {photo.identity: photo.vector for photo, _ in fresh if photo.vector is not None}
    known = _Seen([photo for photo, _ in fresh])
    kept = tuple(one for one in before.ratings if known.of(one) is None)
    return said(ends, (*kept, *more), before.comparisons, {**vectors, **before.vectors})


def said_with_pairs(before: Said, compared: Sequence[tuple[SeenPhoto, SeenPhoto, str]]) -> Said:
    """What somebody said, with further comparisons; one that she gave before counts once."""
    given = {(one.a_photo, one.b_photo, one.outcome) for one in before.comparisons}
    comparisons = tuple(
        StoredComparison(a=a.image, b=b.image, outcome=outcome, a_photo=a.identity, b_photo=b.identity)
        for a, b, outcome in compared
        if (a.identity, b.identity, outcome) not in given
    )
    sides = [side for a, b, _ in compared for side in (a, b)]
    vectors = {side.identity: side.vector for side in sides if side.vector is not None}
    return said(
        before.scale, before.ratings, (*before.comparisons, *comparisons), {**vectors, **before.vectors}
    )


def said_without(before: Said, photos: set[str]) -> Said:
    """What somebody said, without all that concerns some photos, by identity."""
    return said(
        before.scale,
        tuple(one for one in before.ratings if one.photo not in photos),
        tuple(one for one in before.comparisons if photos.isdisjoint((one.a_photo, one.b_photo))),
        {photo: vector for photo, vector in before.vectors.items() if photo not in photos},
    )


def last_adapter(store: Store, user: str) -> str:
    """Name of the adapter of the version that counts; the usual one if that learned from no rating."""
    active = store.active(user)
    found = [one.adapter for one in store.versions(user) if one.version == active and one.n_ratings]
    return found[0] if found else DEFAULT


def adapter_of_what_is_kept(store: Store, user: str) -> str:
    """As :func:`last_adapter`, but the usual one too if that needs more than what a store keeps."""
    name = last_adapter(store, user)
    with suppress(PiaaError):  # one of another package that is gone
        kind = adapter_class(name)
        return DEFAULT if kind.needs_pixels or kind.needs_start else name
    return DEFAULT


def check_learns_on(user: str, adapter: Adapter) -> None:
    """Make sure that a person's adapter can be fitted again from vectors alone.

    Raises:
        PiaaError: it needs the photos' files, or a start of ``piaa meta-train``, which a person has not.
    """
    if adapter.needs_pixels or adapter.needs_start:
        raise PiaaError(
            f"user {user!r} was learned by adapter {adapter.name!r}, which learns from more than what is "
            "kept of her; fit again with the photos: piaa fit-user --user NAME --images DIR"
        )
