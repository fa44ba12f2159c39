"""API keys: made, listed, given a new secret, revoked; the store keeps hashes of their secrets only."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from generic.errors import StoreError
from piaa.store.audit import note
from piaa.store.clock import now
from piaa.store.records import check_user
from piaa.store.sql import Database, Sql

SCOPES = ("score", "rate", "admin", "metrics")
"""What a key may be for."""
OF_ROLES = {"admin": SCOPES, "user": ("score", "rate"), "service": ()}
"""What a key may do of whom no scopes were named; a service has those that were."""
_LABEL = 100
_COLUMNS = "id, role, user_name, scopes, label, created, expires, revoked, last_used, old_until"


@dataclass(frozen=True, kw_only=True)
class Key:
    """One API key, without its secret."""

    id: str
    role: str
    """``admin``; ``user``, for one user alone; or ``service``, for all users, within its scopes."""
    user: str | None
    scopes: tuple[str, ...]
    """Of ``SCOPES``, in their order."""
    label: str | None
    """What it is for, in the words of whoever made it."""
    created: str
    """ISO 8601, UTC; likewise below."""
    expires: str | None
    revoked: str | None
    last_used: str | None
    """About: it is noted once an hour."""
    old_until: str | None
    """Until when the secret before the last rotation is valid as well."""


def check_new(
    role: str, user: str | None = None, scopes: Sequence[str] = (), label: str | None = None
) -> tuple[str, ...]:
    """The scopes of a key that is to be made, in their order.

    Args:
        role: see :class:`Key`.
        user: whose key it is.
        scopes: what it is for; none: all that the role may.
        label: what it is for, in words.

    Raises:
        StoreError: these do not go together.
    """
    if role not in OF_ROLES or (role == "user") != (user is not None):
        raise StoreError("a key has the role admin, or service, or user with the name of that user")
    if user is not None:
        check_user(user)
    wrong = sorted(set(scopes) - set(OF_ROLES[role] or SCOPES))
    if wrong:
        raise StoreError(f"a key of the role {role} has no scope {wrong[0]!r}; choose of {_of(role)}")
    if role == "service" and not scopes:
        raise StoreError(f"a service's key needs scopes; choose of {_of(role)}")
    if label is not None and not (label.isprintable() and 0 < len(label) <= _LABEL):
        raise StoreError(f"a key's label is one line of 1 to {_LABEL} characters; give another one")
    return tuple(one for one in SCOPES if one in (scopes or OF_ROLES[role]))


def _of(role: str) -> str:
    return ", ".join(OF_ROLES[role] or SCOPES)


class KeyStore:
    """The keys of a store.

    Args:
        database: where it lies.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def create_key(
        self,
        role: str,
        user: str | None = None,
        *,
        scopes: Sequence[str] = (),
        label: str | None = None,
        expires: str | None = None,
        who: str = "terminal",
    ) -> tuple[Key, str]:
        """A new key and its secret, which is not kept and cannot be shown again.

        Args:
            role: see :class:`Key`.
            user: whose key it is.
            scopes: what it is for; none: all that the role may.
            label: what it is for, in words.
            expires: from when on it is refused, as :mod:`piaa.store.clock` writes it; None: never.
            who: a key's id, or where it was asked for.

        Raises:
            StoreError: these do not go together.
        """
        secret, key = _secret(), uuid.uuid4().hex[:12]
        chosen = check_new(role, user, scopes, label)
        with self.database.writing() as sql:
            sql.run(
                "INSERT INTO api_keys (id, hash, role, user_name, scopes, label, created, expires)"
                " VALUES (:id, :hash, :role, :user, :scopes, :label, :created, :expires)",
                id=key,
                hash=_hash(secret),
                role=role,
                user=user,
                scopes=" ".join(chosen),
                label=label,
                created=now(),
                expires=expires,
            )
            note(sql, who, f"create key {key}", user)
            return _found(sql, key), secret

    def rotate(self, key: str, *, old_until: str | None = None, who: str = "terminal") -> tuple[Key, str]:
        """Give a key a new secret, which is not kept and cannot be shown again.

        Args:
            key: its id.
            old_until: how long the secret of before is valid as well; None: no longer.
            who: a key's id, or where it was asked for.

        Raises:
            StoreError: there is no such key, or it was revoked.
        """
        secret = _secret()
        with self.database.writing() as sql:
            if _found(sql, key).revoked is not None:
                raise StoreError(f"key {key!r} was revoked; make another one: piaa keys create")
            sql.run(
                "UPDATE api_keys SET old_hash = hash, old_until = :until, hash = :hash WHERE id = :id",
                until=old_until,
                hash=_hash(secret),
                id=key,
            )
            note(sql, who, f"rotate key {key}")
            return _found(sql, key), secret

    def keys(self) -> list[Key]:
        """All keys, oldest first."""
        with self.database.reading() as sql:
            rows = sql.run(f"SELECT {_COLUMNS} FROM api_keys ORDER BY created, id")  # noqa: S608
        return [_key(row) for row in rows]

    def revoke(self, key: str, *, who: str = "terminal") -> Key:
        """Refuse a key from now on.

        Args:
            key: its id.
            who: a key's id, or where it was asked for.

        Raises:
            StoreError: there is no such key.
        """
        with self.database.writing() as sql:
            if _found(sql, key).revoked is None:
                sql.run("UPDATE api_keys SET revoked = :now WHERE id = :id", now=now(), id=key)
                note(sql, who, f"revoke key {key}")
            return _found(sql, key)

    def key_of(self, secret: str) -> Key | None:
        """The key of a secret; None if there is none, or it was revoked, or has expired."""
        with self.database.reading() as sql:
            rows = sql.run(
                f"SELECT {_COLUMNS} FROM api_keys WHERE"  # noqa: S608  (our own names)
                " (hash = :hash OR (old_hash = :hash AND old_until > :now))"
                " AND revoked IS NULL AND (expires IS NULL OR expires > :now)",
                hash=_hash(secret),
                now=now(),
            )
        return _key(rows[0]) if rows else None

    def note_use(self, key: str) -> None:
        """Note that a key is used now."""
        with self.database.writing() as sql:
            sql.run("UPDATE api_keys SET last_used = :now WHERE id = :id", now=now(), id=key)


def revoke_keys_of(sql: Sql, user: str, instead: str, who: str) -> int:
    """Refuse a deleted user's keys from now on, in this transaction, and forget her name.

    Args:
        sql: the transaction.
        user: her name.
        instead: what the keys are listed under.
        who: a key's id, or where it was asked for.

    Returns:
        how many of them were not revoked before.
    """
    rows = sql.run("SELECT id FROM api_keys WHERE user_name = :user AND revoked IS NULL", user=user)
    for (key,) in rows:
        sql.run("UPDATE api_keys SET revoked = :now WHERE id = :key", now=now(), key=key)
        note(sql, who, f"revoke key {key}", instead)
    # A label may name her as well.
    sql.run(
        "UPDATE api_keys SET user_name = :instead, label = NULL WHERE user_name = :user",
        instead=instead,
        user=user,
    )
    return len(rows)


def _secret() -> str:
    return f"piaa_{secrets.token_urlsafe(32)}"


def _hash(secret: str) -> str:
    # The secret has 256 random bits: there is nothing to guess that a slow hash could slow down.
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _found(sql: Sql, key: str) -> Key:
    rows = sql.run(f"SELECT {_COLUMNS} FROM api_keys WHERE id = :id{sql.for_update}", id=key)  # noqa: S608
    if not rows:
        raise StoreError(f"there is no key {key!r}; see all keys with: piaa keys list")
    return _key(rows[0])


def _key(row: tuple[Any, ...]) -> Key:
    names = _COLUMNS.replace("user_name", "user").split(", ")
    values = dict(zip(names, row, strict=True))
    return Key(**{**values, "scopes": tuple(values["scopes"].split())})
