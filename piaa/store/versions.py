"""Rows of the adapter store, read and written inside one transaction of its caller."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from piaa.store.records import AdapterRecord, StoredAdapter, StoredRating, VersionSummary
from piaa.store.transaction import Sql

SUMMARY = (
    "version, adapters.created, adapter, model_name, model_hash, adapters.scale_low, adapters.scale_high,"
    " n_ratings, extra, length(state)"
)
"""Columns of a version without its arrays, as :func:`summary_of` takes them."""


def now() -> str:
    """The time as the store writes it: ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def user_id(sql: Sql, user: str) -> int:
    """The user's number, who is created if new; her rows are this transaction's alone from here on."""
    sql.run(
        "INSERT INTO users (name, created) VALUES (:user, :now) ON CONFLICT (name) DO NOTHING",
        user=user,
        now=now(),
    )
    return int(sql.run(f"SELECT id FROM users WHERE name = :user{sql.for_update}", user=user)[0][0])  # noqa: S608


def add_version(sql: Sql, user: int, record: AdapterRecord, linear_form: bytes | None = None) -> int:
    """Add a user's next version and make it the active one.

    Args:
        sql: a transaction that holds the user's rows, see :func:`user_id`.
        user: the user's number.
        record: the fitted adapter.
        linear_form: the adapter's, packed, if it has one; see :mod:`piaa.adapters.linear_form`.

    Returns:
        the new version.
    """
    newest = sql.run("SELECT max(version) FROM adapters WHERE user_id = :user", user=user)
    version = int(newest[0][0] or 0) + 1
    insert_version(sql, user, version, now(), record, linear_form)
    activate(sql, user, version)
    return version


def withdraw(sql: Sql, user: int, rating: StoredRating, kept: int) -> None:
    """Delete a rating given, and what was fitted on it, but for version ``kept``."""
    photo = {"user": user, "image": rating.image, "sha256": rating.sha256}
    sql.run("DELETE FROM given WHERE user_id = :user AND (image = :image OR sha256 = :sha256)", **photo)
    sql.run(
        "DELETE FROM adapters WHERE user_id = :user AND version <> :kept AND id IN"
        " (SELECT adapter_id FROM ratings WHERE image = :image OR sha256 = :sha256)",
        kept=kept,
        **photo,
    )


def activate(sql: Sql, user: int, version: int) -> None:
    """Make a version the user's active one."""
    sql.run("UPDATE users SET active = :version WHERE id = :user", version=version, user=user)


def active_version(sql: Sql, user: str) -> int:
    """The user's active version; 0 if there is none yet."""
    return int(sql.run("SELECT active FROM users WHERE name = :user", user=user)[0][0] or 0)


def exists(sql: Sql, user: str) -> bool:
    """Whether there is such a user."""
    return bool(sql.run("SELECT 1 FROM users WHERE name = :user", user=user))


def insert_version(
    sql: Sql, user: int, version: int, created: str, record: AdapterRecord, linear_form: bytes | None = None
) -> None:
    """Write a version as it is; :func:`add_version` numbers and activates it."""
    values: dict[str, object] = {
        "user_id": user,
        "version": version,
        "created": created,
        "adapter": record.adapter,
        "model_name": record.model_name,
        "model_hash": record.model_hash,
        "scale_low": float(record.scale_low),
        "scale_high": float(record.scale_high),
        "n_ratings": record.n_ratings,
        "extra": json.dumps(dict(record.extra), ensure_ascii=False, allow_nan=False),
        "state": record.state,
        "digest": hashlib.sha256(record.state).hexdigest(),
        "head": linear_form,
    }
    columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    adapter_id = sql.run(
        f"INSERT INTO adapters ({columns}) VALUES ({marks}) RETURNING id",  # noqa: S608  (our own names only)
        **values,
    )[0][0]
    sql.run_many(
        "INSERT INTO ratings (adapter_id, position, image, sha256, score)"
        " VALUES (:adapter_id, :position, :image, :sha256, :score)",
        [
            {
                "adapter_id": adapter_id,
                "position": position,
                "image": rating.image,
                "sha256": rating.sha256,
                "score": float(rating.score),
            }
            for position, rating in enumerate(record.ratings)
        ],
    )


def load_version(sql: Sql, user: str, version: int) -> StoredAdapter:
    """One version of a user, which there is."""
    adapter_id, state, *values = sql.run(
        f"SELECT adapters.id, state, {SUMMARY} FROM adapters JOIN users ON users.id = user_id"  # noqa: S608
        " WHERE name = :user AND version = :version",
        user=user,
        version=version,
    )[0]
    ratings = sql.run(
        "SELECT image, sha256, score FROM ratings WHERE adapter_id = :id ORDER BY position", id=adapter_id
    )
    summary = summary_of(values)
    return StoredAdapter(
        user=user,
        version=version,
        created=summary.created,
        adapter=summary.adapter,
        model_name=summary.model_name,
        model_hash=summary.model_hash,
        scale_low=summary.scale_low,
        scale_high=summary.scale_high,
        state=state,
        ratings=tuple(
            StoredRating(image=image, sha256=sha256, score=score) for image, sha256, score in ratings
        ),
        extra=summary.extra,
    )


def all_ratings(sql: Sql, user: str) -> list[StoredRating]:
    """What any version of a user was fitted on, each rating once, oldest first."""
    rows = sql.run(
        "SELECT image, sha256, score FROM ratings JOIN adapters ON adapters.id = adapter_id"
        " JOIN users ON users.id = user_id WHERE name = :user ORDER BY version, position",
        user=user,
    )
    every = (StoredRating(image=image, sha256=sha256, score=score) for image, sha256, score in rows)
    return list(dict.fromkeys(every))


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
