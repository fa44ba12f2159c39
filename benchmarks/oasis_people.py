"""What benchmarks share that test single people of OASIS: vectors of the photos, and figures over people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from oasis import Oasis
from scipy.stats import wilcoxon

from generic.cache.features import FeatureCache
from generic.model.generic_model import GenericModel
from generic.seeds import stream

SHOTS = (1, 3, 10, 30, 100)
DRAWS = 2_000


def vectors(model: GenericModel, data: Oasis, cache: Path) -> NDArray[np.float32]:
    """Model vectors of all photos, shape (n, 1 + d)."""
    with FeatureCache.open(cache) as features:
        results = list(model.embed(data.paths, cache=features))
    return np.stack([item.vector for item in results if item.vector is not None])


def bootstrap(values: NDArray[np.float64], *names: str | int) -> tuple[float, float]:
    """95 % interval over users of a mean, values of shape (users,)."""
    draws = stream(0, "bootstrap", *names).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.nanpercentile(np.nanmean(values[draws], axis=1), [2.5, 97.5])
    return float(low), float(high)


def compare(people: NDArray[np.float64], other: NDArray[np.float64]) -> dict[str, float]:
    """Mean difference over users and the p-value of Wilcoxon's signed-rank test."""
    gap = people - np.nanmean(other, axis=0)
    gap = gap[~np.isnan(gap)]
    return {"gain": float(gap.mean()), "p": float(wilcoxon(gap).pvalue) if np.any(gap) else 1.0}
