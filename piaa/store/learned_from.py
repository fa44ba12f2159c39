"""The digest of what a version was learned from: two sets with one digest teach the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def learned_from(
    ratings: Iterable[tuple[str, float, float, float]], comparisons: Iterable[tuple[str, str, str]]
) -> str:
    """64 hex digits that do not depend on the order, nor on what the photos are called.

    Args:
        ratings: of each its vector's checksum, its score, and the ends of its scale.
        comparisons: of each the checksums of the two vectors, and the outcome.
    """
    lines = [
        f"r {vector} {float(score)!r} {float(low)!r} {float(high)!r}" for vector, score, low, high in ratings
    ]
    lines += [f"c {a} {b} {outcome}" for a, b, outcome in comparisons]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
