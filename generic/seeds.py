"""Named random streams: the same names give the same numbers, on every machine and in any order."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A generator that depends on its names alone, never on what was drawn elsewhere.

    Args:
        seed: the experiment's seed.
        names: what the stream is for, for example ``"kshot", dataset, user, repeat``.

    Returns:
        a fresh ``numpy.random.Generator``; calling again starts it anew.

    Example:
        >>> bool(stream(0, "kshot", "ana").random() == stream(0, "kshot", "ana").random())
        True
    """
    # repr keeps 1 and "1" apart, and the separator keeps ("a", "b") from ("ab",). Names out of an
    # array are made plain first: the repr of a NumPy number names its type.
    plain = (str(part) if isinstance(part, str) else int(part) for part in (seed, *names))
    text = "\x1f".join(repr(part) for part in plain)
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(int.from_bytes(digest, "big")))
