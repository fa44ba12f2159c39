"""What stands in place of a value of a table that could not be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BadValue:
    """Why a value could not be read, and what to do."""

    reason: str
    cure: str
