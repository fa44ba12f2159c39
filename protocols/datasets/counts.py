"""Counts that papers and released files state, to be shown beside what was found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedCount:
    """One stated count; the same quantity may be stated twice, where sources disagree."""

    what: str
    """The quantity, by the name that ``protocols.datasets.check`` gives it: "users", "train images", ..."""

    value: int | str
    """A count, or "min/median/max"."""

    source: str
    """Who states it."""
