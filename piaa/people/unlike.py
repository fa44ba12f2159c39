"""Whether rated photos are unlike those that the model was trained on, so that it knows less of them.

Photos like those of training lie around their centre: the squared length of the mean of k of them is that of
one over k, whatever they show. Photos of another kind lie on one side of it together. So the ratio

    k |mean|^2 / mean |x|^2,

over the prior's directions, which have their centre at 0, is about 1 at home and grows with k elsewhere. It
is a statement on the photos as a whole: an album of mountains alone is unlike a mixed one too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.base import Adapter
from piaa.adapters.prior import Prior

ENOUGH = 10
"""Fewest photos that can tell."""
LIMIT = 1.5
"""Of the ratio. Of draws of 10 to 50 photos of an OASIS list that a model has not seen at most one in 100 is
above it, of AI-made pictures more than half of those of 10 and all of 20 (``benchmarks/unlike.py``)."""


def unlikeness(features: NDArray[Any], prior: Prior) -> float:
    """The ratio of photos with these model vectors, shape (k, 1 + d); about 1 of such as in training.

    Example:
        >>> import numpy as np
        >>> from piaa import load_model
        >>> unlikeness(np.ones((10, 130)), load_model().prior)
        10.0
    """
    directions = prior.basis(features)[:, 2:]
    squares = float((directions**2).sum(axis=1).mean())
    return len(directions) * float((directions.mean(axis=0) ** 2).sum()) / max(squares, 1e-12)


def describe_unlike(adapter: Adapter, prior: Prior | None) -> str:
    """What to tell a person whose photos are unlike those of training; empty if they are not, or it is open.

    Args:
        adapter: what was learned of her.
        prior: of the model.
    """
    if prior is None or not adapter.keeps_support:
        return ""
    features, compared = adapter.support[0], adapter.compared
    if compared is not None:
        features = np.unique(np.concatenate([features, compared.photos]), axis=0)
    found = unlikeness(features, prior) if len(features) >= ENOUGH else 0.0
    if found <= LIMIT:
        return ""
    return (
        f"these {len(features)} photos are unlike those that the model was trained on (distance {found:.1f}, "
        f"usual 1.0, limit {LIMIT}): it ranks them less well, and more ratings than usual are needed"
    )
