"""What a person said that counts, with the photos' vectors: all that a fit learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from piaa.store.learned_from import learned_from
from piaa.store.photos import mapped_among, vectors_of
from piaa.store.records import StoredComparison, StoredFlag, StoredRating
from piaa.store.sql import Sql, run_in
from piaa.store.states import checksum

Vector = NDArray[np.float32]
_RATINGS = (
    "SELECT ratings.id, photo_id, identity, image, sha256, score, scale_low, scale_high, given, source"
    " FROM ratings JOIN photos ON photos.id = photo_id"
)
_COMPARISONS = (
    "SELECT comparisons.id, photo_id, one.identity, image, other_id, two.identity, other_image, outcome,"
    " given, source FROM comparisons JOIN photos AS one ON one.id = photo_id"
    " JOIN photos AS two ON two.id = other_id"
)

_JUDGED = (
    ("ratings", "photo_id", "image", "sha256"),
    ("flags", "photo_id", "image", "sha256"),
    ("comparisons", "photo_id", "image", "NULL"),
    ("comparisons", "other_id", "other_image", "NULL"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Said:
    """One person's ratings and comparisons, in the order in which she gave them."""

    scale: tuple[float, float] = (1.0, 5.0)
    """Lowest and highest score that she gives."""
    ratings: tuple[StoredRating, ...] = ()
    comparisons: tuple[StoredComparison, ...] = ()
    vectors: Mapping[str, Vector] = field(default_factory=dict)
    """Of one model, shape (1 + d,) each, by identity of the photo."""
    damaged: frozenset[str] = frozenset()
    """Identities of photos whose vector in the store is damaged."""
    mapped: frozenset[str] = frozenset()
    """Identities of photos whose vector was worked out from another model's."""
    digest: str = ""
    """Of what can be learned from it; see :mod:`piaa.store.learned_from`."""
    change: int = 0
    """The last change of what she said; 0 of somebody who is in no store."""

    def with_vectors(self) -> Said:
        """What she said of photos that have a vector; all of it if there is no such photo."""
        ratings = tuple(one for one in self.ratings if one.photo in self.vectors)
        comparisons = tuple(
            one for one in self.comparisons if one.a_photo in self.vectors and one.b_photo in self.vectors
        )
        if not ratings and not comparisons:
            return self
        return replace(self, ratings=ratings, comparisons=comparisons)


def said(
    scale: tuple[float, float],
    ratings: tuple[StoredRating, ...],
    comparisons: tuple[StoredComparison, ...],
    vectors: Mapping[str, Vector],
) -> Said:
    """What somebody said who is in no store yet."""
    sums = {
        photo: checksum(np.ascontiguousarray(vector, "<f4").tobytes()) for photo, vector in vectors.items()
    }
    digest = _digest(scale, ratings, comparisons, sums)
    return Said(scale=scale, ratings=ratings, comparisons=comparisons, vectors=vectors, digest=digest)


def read_said(sql: Sql, user: int, model_hash: str) -> Said:
    """What a user said that counts, with the vectors that one model has of the photos."""
    low, high = sql.run("SELECT scale_low, scale_high FROM users WHERE id = :id", id=user)[0]
    last = sql.run("SELECT coalesce(max(id), 0) FROM changes WHERE user_id = :id", id=user)
    counts = " WHERE user_id = :user AND ended_by IS NULL ORDER BY"
    rated = sql.run(f"{_RATINGS}{counts} ratings.id", user=user)
    compared = sql.run(f"{_COMPARISONS}{counts} comparisons.id", user=user)
    identities = {row[1]: row[2] for row in rated}
    identities |= {row[1]: row[2] for row in compared} | {row[4]: row[5] for row in compared}
    vectors, sums, damaged = vectors_of(sql, identities, model_hash)
    ratings = tuple(_rating(row) for row in rated)
    comparisons = tuple(_comparison(row) for row in compared)
    scale = (1.0, 5.0) if low is None else (float(low), float(high))
    return Said(
        scale=scale,
        ratings=ratings,
        comparisons=comparisons,
        vectors={identities[photo]: vector for photo, vector in vectors.items()},
        damaged=frozenset(identities[photo] for photo in damaged),
        mapped=frozenset(identities[photo] for photo in mapped_among(sql, identities, model_hash)),
        digest=_digest(scale, ratings, comparisons, {identities[photo]: one for photo, one in sums.items()}),
        change=int(last[0][0]),
    )


def ratings_of_version(sql: Sql, version: int) -> list[tuple[int, StoredRating]]:
    """What a version was learned from, each with the number of its photo, in the order of fitting."""
    rows = sql.run(
        f"{_RATINGS} JOIN version_ratings ON rating_id = ratings.id WHERE version_id = :id ORDER BY position",
        id=version,
    )
    return [(row[1], _rating(row)) for row in rows]


def comparisons_of_version(sql: Sql, version: int) -> list[tuple[int, int, StoredComparison]]:
    """Likewise; numbers of the one photo and of the other."""
    rows = sql.run(
        f"{_COMPARISONS} JOIN version_comparisons ON comparison_id = comparisons.id"
        " WHERE version_id = :id ORDER BY position",
        id=version,
    )
    return [(row[1], row[4], _comparison(row)) for row in rows]


def all_ratings(sql: Sql, user: int) -> list[tuple[int, StoredRating]]:
    """All that a user ever rated and did not withdraw, with the numbers of the photos, oldest first."""
    return [
        (row[1], _rating(row))
        for row in sql.run(f"{_RATINGS} WHERE user_id = :user ORDER BY ratings.id", user=user)
    ]


def judged(sql: Sql, user: int) -> tuple[dict[str, int], list[tuple[str, str, str | None]]]:
    """All photos of which a user ever said anything that she did not withdraw.

    Returns:
        the number of each photo, by identity; and (name, identity, sha256) for each of her names of it and
        each file that is known to hold it.
    """
    rows: set[tuple[int, str, str, str | None]] = set()
    for table, photo, image, sha256 in _JUDGED:
        rows |= set(
            sql.run(
                f"SELECT {photo}, identity, {image}, {sha256} FROM {table}"  # noqa: S608  (our own names)
                f" JOIN photos ON photos.id = {photo} WHERE user_id = :user",
                user=user,
            )
        )
    names = [(image, identity, sha256) for _, identity, image, sha256 in rows]
    called = {number: (image, identity) for number, identity, image, _ in rows}
    files = run_in(
        sql, "SELECT photo_id, sha256 FROM file_digests WHERE photo_id IN {chosen}", sorted(called)
    )
    names += [(*called[number], sha256) for number, sha256 in files]
    return {identity: number for number, identity, _, _ in rows}, names


def flags_of(sql: Sql, user: int) -> list[StoredFlag]:
    """The flags that count."""
    rows = sql.run(
        "SELECT image, sha256, flag, identity, given, source, flags.id FROM flags"
        " JOIN photos ON photos.id = photo_id WHERE user_id = :user AND ended_by IS NULL ORDER BY flags.id",
        user=user,
    )
    return [
        StoredFlag(image=image, sha256=sha256, flag=flag, photo=photo, given=given, source=source)
        for image, sha256, flag, photo, given, source, _ in rows
    ]


def _rating(row: tuple[object, ...]) -> StoredRating:
    number, _, photo, image, sha256, score, low, high, given, source = row
    values = {"id": number, "photo": photo, "image": image, "sha256": sha256, "score": score}
    return StoredRating(**values, scale=(low, high), given=given, source=source)  # type: ignore[arg-type]


def _comparison(row: tuple[object, ...]) -> StoredComparison:
    names = ("id", "_", "a_photo", "a", "_", "b_photo", "b", "outcome", "given", "source")
    values = {name: value for name, value in zip(names, row, strict=True) if name != "_"}
    return StoredComparison(**values)  # type: ignore[arg-type]


def _digest(
    scale: tuple[float, float],
    ratings: tuple[StoredRating, ...],
    comparisons: tuple[StoredComparison, ...],
    sums: Mapping[str, str],
) -> str:
    return learned_from(
        [(sums.get(one.photo, ""), one.score, *(one.scale or scale)) for one in ratings],
        [(sums.get(one.a_photo, ""), sums.get(one.b_photo, ""), one.outcome) for one in comparisons],
    )
