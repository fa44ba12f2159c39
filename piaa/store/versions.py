"""Rows of versions: what was learned from what a person said."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import StoreError
from piaa.adapters.comparing import outcome_scores
from piaa.store.changes import SAID, begin, none_counts
from piaa.store.clock import now
from piaa.store.photos import mapped_among, model_id, vectors_of
from piaa.store.records import AdapterRecord, StoredAdapter, StoredRating, VersionSummary
from piaa.store.said import comparisons_of_version, ratings_of_version, read_said
from piaa.store.sql import Rows, Sql, insert, insert_many, run_in
from piaa.store.states import attach, checksum, detach

SUMMARY = (
    "number, versions.created, adapter, model_name, models.hash, versions.scale_low, versions.scale_high,"
    " n_ratings, extra, length(state)"
)
"""Columns of a version without its arrays, as :func:`summary_of` takes them."""
FROM = "FROM versions JOIN users ON users.id = versions.user_id JOIN models ON models.id = versions.model_id"


def user_id(sql: Sql, user: str) -> int:
    """The user's number, who is created if new; her rows are this transaction's alone from here on."""
    found: Rows = []
    while not found:  # between the two statements another transaction may delete her
        sql.run(
            "INSERT INTO users (name, created) VALUES (:user, :now) ON CONFLICT (name) DO NOTHING",
            user=user,
            now=now(),
        )
        found = sql.run(f"SELECT id FROM users WHERE name = :user{sql.for_update}", user=user)  # noqa: S608
    return int(found[0][0])


def add_version(
    sql: Sql, user: int, record: AdapterRecord, learned_from: str, linear_form: bytes | None = None
) -> int:
    """Add a user's next version, which counts from now on.

    Args:
        sql: a transaction that holds the user's rows, see :func:`user_id`.
        user: the user's number.
        record: the fitted adapter; its ratings and comparisons are rows of this user.
        learned_from: digest of them, see :mod:`piaa.store.learned_from`.
        linear_form: the adapter's, packed, if it has one; see :mod:`piaa.adapters.linear_form`.

    Returns:
        the new version's number.
    """
    number = int(sql.run("SELECT last_version FROM users WHERE id = :user", user=user)[0][0]) + 1
    insert_version(sql, user, number, now(), record, learned_from, linear_form)
    activate(sql, user, number)
    return number


def activate(sql: Sql, user: int, number: int) -> None:
    """Have a version count among those of its model."""
    sql.run(
        "INSERT INTO active (user_id, model_id, version_id, at)"
        " SELECT user_id, model_id, id, CAST(:now AS TEXT) FROM versions"
        " WHERE user_id = :user AND number = :number"
        " ON CONFLICT (user_id, model_id) DO UPDATE SET version_id = excluded.version_id, at = excluded.at",
        user=user,
        number=number,
        now=now(),
    )


def active_number(sql: Sql, user: int, model_hash: str | None = None) -> int:
    """The version that counts for a model, or the one that was made to count last; 0 if there is none."""
    rows = sql.run(
        "SELECT number, models.hash FROM active JOIN versions ON versions.id = version_id"
        " JOIN models ON models.id = active.model_id WHERE active.user_id = :user"
        " ORDER BY at DESC, number DESC",
        user=user,
    )
    of_model = [number for number, found in rows if found == model_hash]
    return int((of_model or [number for number, _ in rows] or [0])[0])


def insert_version(
    sql: Sql,
    user: int,
    number: int,
    created: str,
    record: AdapterRecord,
    learned_from: str,
    linear_form: bytes | None = None,
) -> None:
    """Write a version as it is; :func:`add_version` numbers it and has it count."""
    ratings = [rating.id for rating in record.ratings]
    compared = [one.id for one in record.comparisons]
    features, scores = _support(sql, record)
    less = detach(record.state, features, scores)
    version = insert(
        sql,
        "versions",
        {
            "user_id": user,
            "number": number,
            "created": created,
            "adapter": record.adapter,
            "model_id": model_id(sql, record.model_hash),
            "model_name": record.model_name,
            "scale_low": float(record.scale_low),
            "scale_high": float(record.scale_high),
            "n_ratings": record.n_ratings,
            "extra": json.dumps(dict(record.extra), ensure_ascii=False, allow_nan=False),
            "state": less,
            "checksum": checksum(less),
            "digest": hashlib.sha256(record.state).hexdigest(),
            "learned_from": learned_from,
            "linear_form": linear_form,
            "form_checksum": checksum(linear_form) if linear_form else "",
        },
    )
    sql.run(
        "UPDATE users SET last_version = :number WHERE id = :user AND last_version < :number",
        number=number,
        user=user,
    )
    for table, column, ids in (
        ("version_ratings", "rating_id", ratings),
        ("version_comparisons", "comparison_id", compared),
    ):
        rows = [{"version_id": version, "position": i, column: one} for i, one in enumerate(ids)]
        insert_many(sql, table, rows)


def load_version(sql: Sql, user: str, number: int, store: str) -> StoredAdapter:
    """One version of a user, which there is.

    Raises:
        StoreError: its row is damaged; the others are not touched by that.
    """
    row = sql.run(
        f"SELECT versions.id, state, checksum, digest, {SUMMARY} {FROM}"
        " WHERE users.name = :user AND number = :number",
        user=user,
        number=number,
    )[0]
    version, state, kept, digest, *values = row
    check_state(state, kept, user, number, store)
    summary = summary_of(values)
    rated, compared = ratings_of_version(sql, version), comparisons_of_version(sql, version)
    ratings = tuple(rating for _, rating in rated)
    comparisons = tuple(one for _, _, one in compared)
    if hashlib.sha256(state).hexdigest() != digest:
        photos = [photo for photo, _ in rated]
        pairs = [_sides(a, b, one.outcome) for a, b, one in compared]
        scale = (summary.scale_low, summary.scale_high)
        state = attach(state, *_arrays(sql, photos, pairs, ratings, scale, summary.model_hash))
    return StoredAdapter(
        user=user,
        version=number,
        created=summary.created,
        adapter=summary.adapter,
        model_name=summary.model_name,
        model_hash=summary.model_hash,
        scale_low=summary.scale_low,
        scale_high=summary.scale_high,
        state=state,
        ratings=ratings,
        comparisons=comparisons,
        extra=summary.extra,
    )


def check_state(state: bytes, kept: str, user: str, number: int, store: str) -> None:
    """Raises StoreError unless a state is as it was written."""
    if checksum(state) != kept:
        name = shlex.quote(user)
        raise StoreError(
            f"version {number} of user {user!r} in store {store!r} is damaged (checksum {checksum(state)}, "
            f"expected {kept}); restore another one: piaa users restore {name} NUMBER, or learn again "
            f"from what she said: piaa fit-user --user {name}"
        )


def _support(sql: Sql, record: AdapterRecord) -> tuple[NDArray[np.float32] | None, NDArray[np.float64]]:
    """Vectors and unit scores as they will be put back into the state."""
    photos: dict[int, int] = dict(
        run_in(
            sql,
            "SELECT id, photo_id FROM ratings WHERE id IN {chosen}",
            [rating.id for rating in record.ratings],
        )
    )
    sides = {
        number: _sides(a, b, outcome)
        for number, a, b, outcome in run_in(
            sql,
            "SELECT id, photo_id, other_id, outcome FROM comparisons WHERE id IN {chosen}",
            [one.id for one in record.comparisons],
        )
    }
    pairs = [sides[one.id] for one in record.comparisons]
    rated = [photos[rating.id] for rating in record.ratings]
    scale = (record.scale_low, record.scale_high)
    return _arrays(sql, rated, pairs, record.ratings, scale, record.model_hash, whole=True)


def _arrays(
    sql: Sql,
    photos: Sequence[int],
    pairs: Sequence[tuple[int, int, bool]],
    ratings: Sequence[StoredRating],
    scale: tuple[float, float],
    model_hash: str,
    *,
    whole: bool = False,
) -> tuple[NDArray[np.float32] | None, NDArray[np.float64]]:
    """Vectors and unit scores of a version's support; a damaged vector is NaN unless all must be whole."""
    photos = [*photos, *(one for one, _, _ in pairs), *(other for _, other, _ in pairs)]
    outcomes = outcome_scores(np.array([equal for _, _, equal in pairs], bool))
    scores = np.concatenate([unit_scores(ratings, scale), outcomes])
    vectors, _, _ = vectors_of(sql, photos, model_hash)
    # A mapped vector goes once the photo is seen: a version that needs it keeps it.
    if not vectors or (whole and (not set(photos) <= set(vectors) or mapped_among(sql, photos, model_hash))):
        return None, scores
    blank = np.full_like(next(iter(vectors.values())), np.nan)
    return np.stack([vectors.get(photo, blank) for photo in photos]), scores


def _sides(a: int, b: int, outcome: str) -> tuple[int, int, bool]:
    """The preferred photo, the other, and whether they are equals: in the order of an adapter's state."""
    return (b, a, False) if outcome == "b" else (a, b, outcome == "equal")


def unit_scores(ratings: Sequence[StoredRating], scale: tuple[float, float]) -> NDArray[np.float64]:
    """Unit scores of ratings, each on its own scale."""
    ends = np.array([rating.scale or scale for rating in ratings], dtype=np.float64).reshape(-1, 2)
    scores = np.array([rating.score for rating in ratings], dtype=np.float64)
    return (scores - ends[:, 0]) / (ends[:, 1] - ends[:, 0])


def restore(sql: Sql, user: int, number: int, source: str) -> None:
    """Have an earlier version count, and what she had said when it was made; what she said since is history.

    Args:
        sql: a transaction that holds the user's rows.
        user: the user's number.
        number: of a version that there is.
        source: where it is asked for.
    """
    version, model, low, high = sql.run(
        "SELECT id, model_id, scale_low, scale_high FROM versions WHERE user_id = :user AND number = :number",
        user=user,
        number=number,
    )[0]
    before = sql.run(
        "SELECT number FROM active JOIN versions ON versions.id = version_id"
        " WHERE active.user_id = :user AND active.model_id = :model",
        user=user,
        model=model,
    )
    change = begin(sql, user, "restore", source)
    for table, links, link in (
        ("ratings", "version_ratings", "rating_id"),
        ("comparisons", "version_comparisons", "comparison_id"),
    ):
        chosen = f"SELECT {link} FROM {links} WHERE version_id = :version"  # noqa: S608  (our own names)
        _only(sql, table, chosen, user, change, version)
    sql.run(
        "UPDATE changes SET version_before = :before, version_after = :after, model_id = :model"
        " WHERE id = :id",
        before=before[0][0] if before else None,
        after=number,
        model=model,
        id=change,
    )
    sql.run(
        "UPDATE users SET scale_low = :low, scale_high = :high WHERE id = :id", low=low, high=high, id=user
    )
    activate(sql, user, number)


def _only(sql: Sql, table: str, chosen: str, user: int, change: int, version: int) -> None:
    """Let just these rows of a table count: those that do not any more are added again."""
    sql.run(
        f"UPDATE {table} SET ended_by = :change WHERE user_id = :user AND ended_by IS NULL"  # noqa: S608
        f" AND id NOT IN ({chosen})",
        change=change,
        user=user,
        version=version,
    )
    columns = SAID[table]
    # Of a photo that she had rated under two names the last one counts, as it did then.
    last = f" AND id IN (SELECT max(id) FROM {table} WHERE id IN ({chosen}) GROUP BY photo_id)"  # noqa: S608
    sql.run(
        f"INSERT INTO {table} (user_id, {columns}, added_by)"  # noqa: S608  (our own names)
        f" SELECT user_id, {columns}, CAST(:change AS BIGINT) FROM {table}"
        f" WHERE ended_by IS NOT NULL AND id IN ({chosen})"
        f"{last if table == 'ratings' else ''}{none_counts(table)} ORDER BY id",
        change=change,
        version=version,
    )


def matching(sql: Sql, user: int) -> list[int]:
    """The newest version of each model that was learned from what counts now."""
    found = []
    rows = sql.run(
        "SELECT models.hash, number, learned_from FROM versions JOIN models ON models.id = model_id"
        " WHERE user_id = :user ORDER BY number DESC",
        user=user,
    )
    for model_hash in dict.fromkeys(row[0] for row in rows):
        digest = read_said(sql, user, model_hash).digest
        found += [number for one, number, learned in rows if one == model_hash and learned == digest][:1]
    return found


def summary_of(row: Sequence[Any]) -> VersionSummary:
    """A version from the values of the columns ``SUMMARY``."""
    version, created, adapter, model_name, model_hash, low, high, n_ratings, extra, n_bytes = row
    return VersionSummary(
        version=version,
        created=created,
        adapter=adapter,
        model_name=model_name,
        model_hash=model_hash,
        scale_low=low,
        scale_high=high,
        n_ratings=n_ratings,
        n_bytes=n_bytes,
        extra=json.loads(extra),
    )
