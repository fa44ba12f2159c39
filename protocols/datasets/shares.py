"""Images of each part where only the parts' sizes are published: by the hash of their names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping


def shares_of_images(
    dataset: str, names: Iterable[str], shares: Mapping[str, float]
) -> dict[str, tuple[str, ...]]:
    """Images in the order of the SHA-256 of ``piaa/<dataset>/<name>``, cut into parts.

    There is no seed, and the order of rows does not matter.

    Args:
        dataset: its name.
        names: of the images.
        shares: part -> its share of the images; they sum to 1. The last part gets what rounding leaves.

    Returns:
        part -> its images, sorted by name.

    Example:
        >>> {part: len(found) for part, found in
        ...  shares_of_images("ava1", map(str, range(25)), {"train": 0.9, "test": 0.1}).items()}
        {'train': 22, 'test': 3}
    """
    ordered = sorted(set(names), key=lambda name: (_digest(dataset, name), name))
    found, start, upto = {}, 0, 0.0
    for number, (part, share) in enumerate(shares.items(), 1):
        upto += share
        end = len(ordered) if number == len(shares) else round(upto * len(ordered))
        found[part] = tuple(sorted(ordered[start:end]))
        start = end
    return found


def _digest(dataset: str, name: str) -> bytes:
    return hashlib.sha256(f"piaa/{dataset}/{name}".encode("utf-8", "surrogatepass")).digest()
