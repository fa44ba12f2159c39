"""Many pooled features in fewer numbers, so that photos stay about as far from one another as they were.

Each feature, standardised, is added with a sign to one of the numbers, both drawn at random once (a count
sketch: Charikar, Chen & Farach-Colton, "Finding frequent items in data streams", ICALP 2002; as a projection
of features: Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009). Unlike
principal directions of a few hundred photos it keeps what other photos need, and it holds three numbers for
each feature, where a dense projection would hold thousands.

Notation: n photos, t features, r numbers of a sketch.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from generic.seeds import stream

FLAT = 1e-3
"""A feature that varies less over the training photos is left out: what a filter that never answered there
says of another photo, or an engine's rounding, would otherwise count for thousands of deviations."""


class Sketch(nn.Module):
    """From t features to r numbers, each of about unit variance over the training photos.

    Args:
        t: features.
        r: numbers.
    """

    def __init__(self, t: int, r: int) -> None:
        super().__init__()
        self.r, whole = r, -(-t // r) * r
        self.register_buffer("order", torch.zeros(whole, dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(whole))
        self.register_buffer("scale", torch.zeros(whole))

    def forward(self, features: Tensor) -> Tensor:
        """Sketches (b, r) of features (b, t)."""
        order, mean, scale = (cast("Tensor", each) for each in (self.order, self.mean, self.scale))
        terms = (features[:, order] - mean) * scale
        return terms.reshape(len(terms), -1, self.r).sum(1)


def fit_sketch(features: NDArray[Any], r: int, seed: int) -> dict[str, NDArray[Any]]:
    """The tensors of a :class:`Sketch`.

    Args:
        features: of the training photos, shape (n, t).
        r: numbers of a sketch.
        seed: names the random stream of places and signs.
    """
    t, rng = features.shape[1], stream(seed, "lite", "sketch", r)
    whole = -(-t // r) * r
    order = rng.permutation(whole)
    signs = rng.choice((-1.0, 1.0), whole)
    there = order < t  # the others fill up the last row
    order = np.where(there, order, 0)
    deviation = features.std(0, dtype=np.float64)[order]
    there &= deviation > FLAT
    deviation = np.maximum(deviation, FLAT)
    return {
        "order": order.astype(np.int64),
        "mean": features.mean(0, dtype=np.float64)[order].astype(np.float32),
        "scale": np.where(there, signs / deviation / np.sqrt(t / r), 0.0).astype(np.float32),
    }
