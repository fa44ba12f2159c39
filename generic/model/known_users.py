"""How a model file knows whom it learned from, without naming them."""

from __future__ import annotations

import hashlib


def user_digest(dataset: str, user: str) -> str:
    """By which a header knows a user of a dataset, in hex: SHA-256 of both names."""
    return hashlib.sha256(f"{dataset}\n{user}".encode()).hexdigest()
