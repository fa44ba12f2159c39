"""How well a saliency map says where people look: AUC-Judd, NSS, CC and SIM.

Definitions are those of Bylinskii, Judd, Oliva, Torralba and Durand, "What do different evaluation
metrics tell us about saliency models?", TPAMI 2019, section 3. The first two compare with the pixels that
were fixated, the other two with a smooth fixation map. Where their released code differs from the
text (it draws noise to break ties, and stretches maps to [0, 1] for SIM), the text is followed: a metric
here has no random part. All arithmetic is float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generic.errors import ShapeError
from generic.metrics import pearson
from protocols.gaze.maps import Map


def auc_judd(saliency: ArrayLike, fixated: ArrayLike) -> float:
    """Area under the ROC curve of saliency as a classifier of fixated pixels, by Judd et al., ICCV 2009.

    Every saliency at a fixated pixel is a threshold. True positives are the share of fixated pixels at or
    above it, false positives the share of all other pixels; straight lines join the points, from (0, 0) to
    (1, 1). A pixel fixated twice counts once.

    Args:
        saliency: shape (h, w), any unit: only the order matters.
        fixated: shape (h, w), true where somebody looked.

    Returns:
        in [0, 1]; 0.5 for a constant map; NaN if no pixel or every pixel is fixated.

    Raises:
        ShapeError: shapes differ, or a value is not finite.

    Example:
        >>> auc_judd([[4.0, 3.0], [2.0, 1.0]], [[True, False], [True, False]])
        0.875
    """
    predicted, looked = _with_pixels(saliency, fixated)
    inside, outside = predicted[looked], np.sort(predicted[~looked])
    if not len(inside) or not len(outside):
        return float("nan")
    thresholds, counts = np.unique(inside, return_counts=True)
    hits = np.cumsum(counts[::-1]) / len(inside)
    alarms = 1 - np.searchsorted(outside, thresholds[::-1], side="left") / len(outside)
    x, y = np.concatenate([[0.0], alarms, [1.0]]), np.concatenate([[0.0], hits, [1.0]])
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def nss(saliency: ArrayLike, fixated: ArrayLike) -> float:
    """Normalised scanpath saliency, by Peters et al., Vision Research 2005.

    The mean, over fixated pixels, of the map less its mean, over its standard deviation (of all pixels,
    divided by their number). A pixel fixated twice counts once.

    Args:
        saliency: shape (h, w), any unit.
        fixated: shape (h, w), true where somebody looked.

    Returns:
        in standard deviations, 0 at chance; NaN for a constant map, or if no pixel is fixated.

    Raises:
        ShapeError: shapes differ, or a value is not finite.

    Example:
        >>> nss([[3.0, 1.0], [1.0, 3.0]], [[True, False], [False, False]])
        1.0
    """
    predicted, looked = _with_pixels(saliency, fixated)
    if not looked.any() or (predicted == predicted.flat[0]).all():
        return float("nan")
    return float((predicted[looked].mean() - predicted.mean()) / predicted.std())


def correlation(saliency: ArrayLike, seen: ArrayLike) -> float:
    """CC: Pearson's correlation of the pixels of a saliency map and a fixation map.

    Args:
        saliency: shape (h, w), any unit.
        seen: shape (h, w), any unit.

    Returns:
        in [-1, 1]; NaN if a map is constant.

    Raises:
        ShapeError: shapes differ, or a value is not finite.

    Example:
        >>> correlation([[0.0, 1.0], [2.0, 3.0]], [[3.0, 2.0], [1.0, 0.0]])
        -1.0
    """
    a, b = _same_shape(saliency, seen)
    return pearson(a.ravel(), b.ravel())


def similarity(saliency: ArrayLike, seen: ArrayLike) -> float:
    """SIM: what two maps have in common, each divided by its sum (Swain and Ballard, IJCV 1991).

    Args:
        saliency: shape (h, w), at least 0.
        seen: shape (h, w), at least 0.

    Returns:
        the sum over pixels of the lesser of the two, in [0, 1]; NaN if a map is all 0.

    Raises:
        ShapeError: shapes differ, or a value is negative or not finite.

    Example:
        >>> similarity([[3.0, 1.0]], [[1.0, 1.0]])
        0.75
    """
    a, b = _same_shape(saliency, seen)
    lowest = min(a.min(), b.min())
    if lowest < 0:
        raise ShapeError(f"similarity of maps with values down to {lowest:g}; they must be 0 or more")
    if not a.any() or not b.any():
        return float("nan")
    return float(np.minimum(a / a.sum(), b / b.sum()).sum())


def _same_shape(saliency: ArrayLike, other: ArrayLike) -> tuple[Map, Map]:
    a, b = np.asarray(saliency, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2 or not a.size:
        raise ShapeError(
            f"saliency of shape {a.shape} against gaze of shape {b.shape}; give two maps of one size, (h, w)"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ShapeError("a saliency or gaze map has values that are not finite; repair the model or the map")
    return a, b


def _with_pixels(saliency: ArrayLike, fixated: ArrayLike) -> tuple[Map, NDArray[np.bool_]]:
    predicted, looked = _same_shape(saliency, fixated)
    return predicted, looked != 0
