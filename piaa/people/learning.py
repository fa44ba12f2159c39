"""Learning on: ratings added to a fitted person, or withdrawn; always equal to a fit of what remains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from generic.errors import PiaaError, RatingsError
from piaa.adapters.base import Adapter
from piaa.adapters.prior import Prior
from piaa.adapters.registry import make_adapter
from piaa.ratings.table import Duplicates
from piaa.store.records import StoredRating


def merge_ratings(
    user: str, old: Sequence[StoredRating], fresh: Sequence[StoredRating], duplicates: Duplicates
) -> tuple[list[int], tuple[StoredRating, ...]]:
    """Which ratings of before stay, and what the new ones become beside them.

    Args:
        user: whose ratings they are, for the message.
        old: what she was fitted on.
        fresh: what is added, each photo once.
        duplicates: what to do with a photo that she rated before; see :meth:`piaa.people.person.Person.add`.

    Returns:
        rows of ``old`` that stay, and the new ratings.

    Raises:
        RatingsError: a photo was rated before and ``duplicates`` is ``error``.
    """
    known = _rows_of(old)
    again = [rating for rating in fresh if _key(rating) in known]
    if again and duplicates == "error":
        first = old[known[_key(again[0])][0]]
        raise RatingsError(
            f"user {user!r} has rated {len(again)} of these {len(fresh)} photos before, the first "
            f"{first.image!r} as {first.score:g}; leave them out, or pass --duplicates last or "
            "--duplicates mean"
        )
    if duplicates == "mean":
        fresh = [_mean(rating, [old[row] for row in known.get(_key(rating), [])]) for rating in fresh]
    replaced = {row for rating in again for row in known[_key(rating)]}
    return [row for row in range(len(old)) if row not in replaced], tuple(fresh)


def ratings_of(user: str, images: Sequence[str], ratings: Sequence[StoredRating]) -> tuple[StoredRating, ...]:
    """Every rating under one of the names, and of the same photo under another one.

    Args:
        user: whose ratings they are, for the message.
        images: names of photos as she rated them.
        ratings: those of one version, or of several.

    Raises:
        RatingsError: there is no rating under one of the names.
    """
    names = {rating.image for rating in ratings}
    for name in images:
        if name not in names:
            close = get_close_matches(name, sorted(names), n=3)
            cure = f"did you mean {' or '.join(map(repr, close))}?" if close else "see: piaa users show NAME"
            raise RatingsError(f"user {user!r} has no rating of {name!r} among {len(names)}; {cure}")
    photos = {_key(rating) for rating in ratings if rating.image in images}
    return tuple(one for one in ratings if one.image in images or _key(one) in photos)


def learner(user: str, adapter: Adapter, prior: Prior | None, *, pairs: Sequence[object] = ()) -> Adapter:
    """A person's adapter once more, to learn on with, so that the person herself stays as she is.

    Args:
        user: whose adapter it is, for the message.
        adapter: fitted.
        prior: of the model.
        pairs: the comparisons that it was fitted on instead of ratings.

    Raises:
        PiaaError: it cannot learn on.
    """
    # A stored person has no meta-learned start, only what was learned from it.
    if not adapter.keeps_support or adapter.needs_start or pairs:
        what = "comparisons" if pairs else f"adapter {adapter.name!r}"
        raise PiaaError(
            f"user {user!r} was learned by {what}, to which no rating can be added and of which "
            "none can be taken; fit again with the whole table (piaa fit-user), and where a rating is "
            "withdrawn delete the person before (piaa users delete)"
        )
    return make_adapter(adapter.name, prior).restore(adapter.state())


def _key(rating: StoredRating) -> str:
    """What makes two ratings those of one photo: its content, or its name where that is unknown."""
    return rating.sha256 or rating.image


def _rows_of(ratings: Sequence[StoredRating]) -> dict[str, list[int]]:
    """The ratings of each photo, which may have been rated under several names."""
    rows: dict[str, list[int]] = {}
    for row, rating in enumerate(ratings):
        rows.setdefault(_key(rating), []).append(row)
    return rows


def _mean(fresh: StoredRating, old: Sequence[StoredRating]) -> StoredRating:
    return replace(fresh, score=(fresh.score + sum(one.score for one in old)) / (1 + len(old)))
