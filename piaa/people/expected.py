"""What a number of ratings is worth, in words: of her own ratings, and of people who were measured.

The table beside this file is made by ``benchmarks/expected.py`` from the results of the few-shot tests:
people whose photos and ratings the model had not seen, learned from some of their ratings, asked about the
rest.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from generic.words import counted
from piaa.people.estimate import RankEstimate

TABLE = Path(__file__).with_name("expected.json")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came of so many ratings, on average over people."""

    k: int
    """Ratings that each of them was learned from."""
    users: int
    """How many people."""
    pairwise: float
    """Share of the pairs of photos with different ratings that are predicted in their order, in [0, 1]."""
    pairwise_generic: float
    """The same of the generic score."""
    worse: float
    """Share of the people who are ranked worse than by the generic score."""


def measured_with(k: int, adapter: str, model_hash: str) -> Measured | None:
    """What was measured with at most so many ratings.

    Args:
        k: ratings of a person, at least 1.
        adapter: that she is learned by.
        model_hash: of the model that she is learned on.

    Returns:
        None if this adapter was not measured on this model.
    """
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    rows = [Measured(**row) for row in table["rows"] if row["k"] <= k]
    same = (adapter, model_hash) == (table["adapter"], table["model_hash"])
    return max(rows, key=lambda row: row.k) if same and rows else None


def gain_of(k: int, more: int, adapter: str, model_hash: str) -> float | None:
    """Share of pairs that further ratings bring into order, on average over the people who were measured.

    Between two numbers of ratings that were measured it is read off the line through both, over the logarithm
    of the number; beyond the last of them nothing is known, and nothing promised.

    Args:
        k: ratings of a person; 0 counts as 1.
        more: further ratings, 1 or more.
        adapter: that she is learned by.
        model_hash: of the model that she is learned on.

    Returns:
        None if this adapter was not measured on this model.
    """
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    if (adapter, model_hash) != (table["adapter"], table["model_hash"]):
        return None
    at = [math.log(row["k"]) for row in table["rows"]]
    share = [row["pairwise"] for row in table["rows"]]
    before, after = (float(np.interp(math.log(max(n, 1)), at, share)) for n in (k, k + more))
    return after - before


def in_words(estimate: RankEstimate | None, measured: Measured | None) -> list[str]:
    """What a person can expect, a sentence each.

    Args:
        estimate: from her own ratings, if there are enough.
        measured: what came of about as many ratings of others, if that is known.
    """
    told = []
    if estimate is not None:
        told.append(
            f"of 100 pairs of your photos it puts about {100 * estimate.pairwise:.0f} in your order, the "
            f"crowd's ranking about {100 * estimate.pairwise_generic:.0f}"
        )
    if measured is not None:
        ratings = counted(measured.k, "rating")
        pairs = (
            f"of 1,000 pairs of photos it puts {1000 * measured.pairwise:.0f} in their order, the crowd's "
            f"ranking {1000 * measured.pairwise_generic:.0f}; "
        ) * (estimate is None)
        told.append(
            f"measured on {measured.users} people with {ratings}: {pairs}{100 * measured.worse:.0f} of 100 "
            "people are still ranked worse than by the crowd's ranking"
        )
    return told
