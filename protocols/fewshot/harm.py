"""Whom an adapter serves worse than no adapter does: a mean that rises may hide people who lose."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Harm:
    """Gains of people over a baseline, from the side of those who lose; in SRCC."""

    n_users: int
    """People with a number from both."""
    below: float
    """Share of them who are below the baseline, in [0, 1]; NaN without people."""
    one_in_twenty: float
    """The gain that one in twenty is below: the fifth percentile."""
    worst: float
    """The smallest gain."""


def harm(users: Mapping[str, float], baseline: Mapping[str, float]) -> Harm:
    """Who ranks below the baseline, and how far.

    Args:
        users: user -> SRCC by an adapter, mean over repeats.
        baseline: the same by what it is compared with.

    Example:
        >>> harm({"ana": 0.5, "bo": 0.25}, {"ana": 0.25, "bo": 0.5}).below
        0.5
    """
    gains = np.array([value - baseline[user] for user, value in users.items() if user in baseline])
    if not len(gains):
        return Harm(n_users=0, below=math.nan, one_in_twenty=math.nan, worst=math.nan)
    return Harm(
        n_users=len(gains),
        below=float((gains < 0).mean()),
        one_in_twenty=float(np.quantile(gains, 0.05)),
        worst=float(gains.min()),
    )
