"""The time as the store writes it."""

from __future__ import annotations

import datetime


def now() -> str:
    """ISO 8601, UTC, to the microsecond: of two ratings of a photo the later one counts."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
