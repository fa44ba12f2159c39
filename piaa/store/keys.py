"""API keys: made, listed, revoked; the store keeps hashes of their secrets only."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass

from generic.errors import StoreError
from piaa.store.audit import note
from piaa.store.clock import now
from piaa.store.sql import Database, Sql


@dataclass(frozen=True, kw_only=True)
class Key:
    """One API key, without its secret."""

    id: str
    role: str
    """``admin`` or ``user``."""
    user: str | None
    created: str
    revoked: str | None


class KeyStore:
    """The keys of a store.

    Args:
        database: where it lies.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def create_key(self, role: str, user: str | None = None) -> tuple[Key, str]:
        """A new key and its secret, which is not kept and cannot be shown again."""
        secret = f"piaa_{secrets.token_urlsafe(32)}"
        key = Key(id=uuid.uuid4().hex[:12], role=role, user=user, created=now(), revoked=None)
        with self.database.writing() as sql:
            sql.run(
                "INSERT INTO api_keys (id, hash, role, user_name, created)"
                " VALUES (:id, :hash, :role, :user, :created)",
                id=key.id,
                hash=_hash(secret),
                role=role,
                user=user,
                created=key.created,
            )
            note(sql, "terminal", f"create key {key.id}", user)
        return key, secret

    def keys(self) -> list[Key]:
        """All keys, oldest first."""
        with self.database.reading() as sql:
            rows = sql.run("SELECT id, role, user_name, created, revoked FROM api_keys ORDER BY created, id")
        return [_key(row) for row in rows]

    def revoke(self, key: str) -> None:
        """Refuse a key from now on.

        Raises:
            StoreError: there is no such key.
        """
        with self.database.writing() as sql:
            if not sql.run("SELECT 1 FROM api_keys WHERE id = :id", id=key):
                raise StoreError(f"there is no key {key!r}; see all keys with: piaa keys list")
            sql.run("UPDATE api_keys SET revoked = :now WHERE id = :id", now=now(), id=key)
            note(sql, "terminal", f"revoke key {key}")

    def key_of(self, secret: str) -> Key | None:
        """The key of a secret; None if there is none or it was revoked."""
        with self.database.reading() as sql:
            rows = sql.run(
                "SELECT id, role, user_name, created, revoked FROM api_keys"
                " WHERE hash = :hash AND revoked IS NULL",
                hash=_hash(secret),
            )
        return _key(rows[0]) if rows else None


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
    sql.run("UPDATE api_keys SET user_name = :instead WHERE user_name = :user", instead=instead, user=user)
    return len(rows)


def _hash(secret: str) -> str:
    # The secret has 256 random bits: there is nothing to guess that a slow hash could slow down.
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _key(row: tuple[object, ...]) -> Key:
    return Key(**dict(zip(("id", "role", "user", "created", "revoked"), row, strict=True)))  # type: ignore[arg-type]
