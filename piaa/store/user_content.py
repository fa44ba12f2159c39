"""All that a store keeps of one user, and how it goes into another store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as unpack

from piaa.adapters.vectors import FEATURES
from piaa.store.changes import begin
from piaa.store.learned_from import learned_from
from piaa.store.photos import keep_photos, keep_vectors, name_identity, vectors_of
from piaa.store.records import MAPPED, SeenPhoto, StoredAdapter, StoredComparison, StoredRating
from piaa.store.sql import Sql, insert
from piaa.store.user_rows import NAMES, SaidRow, VectorRow
from piaa.store.versions import activate, insert_version, user_id

_COLUMNS = {
    "ratings": "image, photos.identity, sha256, score, scale_low, scale_high, given, source",
    "comparisons": "image, photos.identity, other_image, other.identity, outcome, given, source",
    "flags": "image, photos.identity, sha256, flag, given, source",
}


@dataclass(frozen=True, kw_only=True)
class UserContent:
    """All that is kept of a user."""

    user: str
    versions: tuple[StoredAdapter, ...]
    """Oldest first."""
    scale: tuple[float, float] | None = None
    ratings: tuple[SaidRow, ...] = ()
    comparisons: tuple[SaidRow, ...] = ()
    flags: tuple[SaidRow, ...] = ()
    vectors: tuple[VectorRow, ...] = field(default=(), repr=False)
    skipped: tuple[str, ...] = ()
    """Versions that are damaged, with the reason."""


def read_content(sql: Sql, number: int, user: str, versions: Sequence[StoredAdapter]) -> UserContent:
    """What is kept of a user.

    Args:
        sql: a transaction.
        number: the user's.
        user: her name.
        versions: those of hers that are wanted.
    """
    low, high = sql.run("SELECT scale_low, scale_high FROM users WHERE id = :id", id=number)[0]
    rows = {}
    for kind, columns in _COLUMNS.items():
        other = " JOIN photos AS other ON other.id = other_id" if kind == "comparisons" else ""
        found = sql.run(
            f"SELECT {columns}, ended_by FROM {kind} JOIN photos ON photos.id = photo_id{other}"  # noqa: S608
            f" WHERE user_id = :id ORDER BY {kind}.id",
            id=number,
        )
        rows[kind] = tuple(
            SaidRow(values=dict(zip(NAMES[kind], row, strict=True)), counts=ended is None)
            for *row, ended in found
        )
    vectors = sql.run(
        "SELECT identity, hash, vector FROM vectors JOIN photos ON photos.id = photo_id"
        " JOIN models ON models.id = model_id WHERE mapped = 0 AND photo_id IN"
        " (SELECT photo_id FROM ratings WHERE user_id = :id"
        " UNION SELECT photo_id FROM comparisons WHERE user_id = :id"
        " UNION SELECT other_id FROM comparisons WHERE user_id = :id) ORDER BY identity, hash",
        id=number,
    )
    return UserContent(
        user=user,
        versions=tuple(versions),
        scale=None if low is None else (float(low), float(high)),
        vectors=tuple(
            VectorRow(photo=photo, model_hash=one, vector=bytes(vector)) for photo, one, vector in vectors
        ),
        ratings=rows["ratings"],
        comparisons=rows["comparisons"],
        flags=rows["flags"],
    )


def import_user(sql: Sql, content: UserContent) -> None:
    """Add a user who is not in the store; what a file of an earlier release says is merged by time."""
    _Import(sql, content).run()


class _Import:
    """One user on her way into a store."""

    def __init__(self, sql: Sql, content: UserContent) -> None:
        self._sql, self._content = sql, content
        self._user = user_id(sql, content.user)
        self._ids: dict[str, int] = {}  # identity in the file -> photo
        self._change = begin(sql, self._user, "import", "file")
        self._ratings: dict[tuple[Any, ...], int] = {}
        self._compared: dict[tuple[int, int], int] = {}
        self._names: dict[str, int] = {}  # what she compared, by name

    def run(self) -> None:
        self._say()
        for adapter in self._content.versions:
            self._add(adapter)
            activate(self._sql, self._user, adapter.version)
        scale = self._content.scale
        if scale is None and self._content.versions:
            scale = (self._content.versions[-1].scale_low, self._content.versions[-1].scale_high)
        if scale is not None:
            self._sql.run(
                "UPDATE users SET scale_low = :low, scale_high = :high WHERE id = :id",
                low=scale[0],
                high=scale[1],
                id=self._user,
            )

    def _say(self) -> None:
        for row in (*self._content.ratings, *self._content.comparisons, *self._content.flags):
            self._photo(row.values["photo"], row.values.get("sha256"), row.values["image"])
            if "other_photo" in row.values:
                self._photo(row.values["other_photo"], None, row.values["other_image"])
        for one in self._content.vectors:
            if one.photo in self._ids:
                vector = np.frombuffer(one.vector, "<f4")
                keep_vectors(self._sql, {self._ids[one.photo]: vector}, one.model_hash)
        for kind in _COLUMNS:
            for row in getattr(self._content, kind):
                values = dict(row.values)
                values["photo_id"] = self._ids[values.pop("photo")]
                if kind == "comparisons":
                    values["other_id"] = self._ids[values.pop("other_photo")]
                number = self._insert(kind, values, counts=row.counts)
                if kind == "ratings":
                    self._ratings[_key(values)] = number
                elif kind == "comparisons":
                    photos = (values["photo_id"], values["other_id"])
                    self._compared[photos] = number
                    self._names |= dict(zip((values["image"], values["other_image"]), photos, strict=True))

    def _insert(self, kind: str, values: Mapping[str, Any], *, counts: bool) -> int:
        ended = None if counts else self._change
        if counts and kind != "comparisons":
            # Of a photo the last one counts: here two photos of the file may be known as one.
            self._sql.run(
                f"UPDATE {kind} SET ended_by = :change WHERE user_id = :user"  # noqa: S608
                " AND photo_id = :photo AND ended_by IS NULL",
                change=self._change,
                user=self._user,
                photo=values["photo_id"],
            )
        return insert(
            self._sql, kind, {**values, "user_id": self._user, "added_by": self._change, "ended_by": ended}
        )

    def _photo(self, identity: str, sha256: str | None, image: str) -> int:
        if identity not in self._ids:
            seen = SeenPhoto(identity=identity, sha256=sha256, image=image)
            known = self._sql.run("SELECT photo_id FROM file_digests WHERE sha256 = :sha256", sha256=sha256)
            if known and identity == sha256:  # known better here than by its file
                self._ids[identity] = int(known[0][0])
            else:
                self._ids |= keep_photos(self._sql, self._user, [seen], "")
        return self._ids[identity]

    def _add(self, adapter: StoredAdapter) -> None:
        photos = [self._rated_photo(rating) for rating in adapter.ratings]
        sides = [[self._compared_photo(image) for image in one.pair] for one in adapter.comparisons]
        order = photos or [one[0] for one in sides] + [one[1] for one in sides]
        self._keep_support(adapter, order)
        ratings = [
            replace(rating, id=self._rating(rating, photo, adapter))
            for rating, photo in zip(adapter.ratings, photos, strict=True)
        ]
        comparisons = [
            replace(one, id=self._comparison(one, better, worse, adapter))
            for one, (better, worse) in zip(adapter.comparisons, sides, strict=True)
        ]
        _, sums, _ = vectors_of(self._sql, order, adapter.model_hash)
        scale = (adapter.scale_low, adapter.scale_high)
        digest = learned_from(
            [(sums.get(p, ""), one.score, *scale) for p, one in zip(photos, ratings, strict=True)],
            [(sums.get(a, ""), sums.get(b, ""), "a") for a, b in sides],
        )
        record = replace(adapter, ratings=tuple(ratings), comparisons=tuple(comparisons))
        insert_version(self._sql, self._user, adapter.version, adapter.created, record, digest)

    def _rated_photo(self, rating: StoredRating) -> int:
        """Of a version's rating: by what the file says of it, or by the file's sha256, or by its name."""
        for row in self._content.ratings:
            if (row.values["sha256"], row.values["image"]) == (rating.sha256, rating.image):
                return self._ids[row.values["photo"]]
        identity = rating.sha256 or name_identity(self._user, rating.image)
        return self._photo(identity, rating.sha256, rating.image)

    def _compared_photo(self, image: str) -> int:
        if image not in self._names:
            self._names[image] = self._photo(name_identity(self._user, image), None, image)
        return self._names[image]

    def _keep_support(self, adapter: StoredAdapter, photos: Sequence[int]) -> None:
        if adapter.extra.get(MAPPED):  # which no model has seen
            return
        try:
            features = unpack(adapter.state).get(FEATURES)
        except (SafetensorError, ValueError):  # a state of another kind; the store does not look into it
            return
        if features is not None and features.dtype == np.float32 and features.shape[:1] == (len(photos),):
            keep_vectors(self._sql, dict(zip(photos, features, strict=True)), adapter.model_hash)

    def _rating(self, rating: StoredRating, photo: int, adapter: StoredAdapter) -> int:
        values = {
            "photo_id": photo,
            "image": rating.image,
            "sha256": rating.sha256,
            "score": float(rating.score),
            "scale_low": float(adapter.scale_low),
            "scale_high": float(adapter.scale_high),
        }
        if _key(values) not in self._ratings:
            counts = not self._content.ratings  # else what counts is in the file
            row = {**values, "given": adapter.created, "source": "table"}
            self._ratings[_key(values)] = self._insert("ratings", row, counts=counts)
        return self._ratings[_key(values)]

    def _comparison(self, one: StoredComparison, better: int, worse: int, adapter: StoredAdapter) -> int:
        for pair in ((better, worse), (worse, better)):
            if pair in self._compared:
                return self._compared[pair]
        self._compared[better, worse] = self._insert(
            "comparisons",
            {
                "photo_id": better,
                "image": one.pair[0],
                "other_id": worse,
                "other_image": one.pair[1],
                "outcome": "a",
                "given": adapter.created,
                "source": "table",
            },
            counts=not self._content.comparisons,
        )
        return self._compared[better, worse]


def _key(values: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("photo_id", "image", "sha256", "score", "scale_low", "scale_high")
    return tuple(values[name] for name in names)
