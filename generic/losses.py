"""Losses that train generic models: on distributions of ratings, and on unit scores.

Notation: b images, t score bins. A target distribution holds the share of raters in each bin, from the
lowest score to the highest. :func:`check_distributions` looks at such numbers once, where they are
loaded; the losses look at shapes only, because a look at numbers in a training loop makes the
accelerator stop and wait.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from generic.errors import ShapeError

TOLERANCE = 1e-3
"""How far from 1 the sum of a target distribution may be: shares rounded to four digits pass."""


def check_distributions(target: Tensor) -> None:
    """Every row is a distribution; call it once when data are loaded, since it waits for the device.

    Args:
        target: shape (b, t), shares of raters.

    Raises:
        ShapeError: not (b, t) with t of at least 2, or a row that is negative somewhere, does not sum to
            1 within 1e-3, or is not finite; the first such row is named, counted from 0.

    Example:
        >>> check_distributions(torch.tensor([[0.5, 0.5], [0.0, 1.0]]))
    """
    _check_bins("target distributions", target)
    sums = target.double().sum(1)
    negative = (target < 0).any(1)
    # Written so that a sum which is not a number is bad, too.
    bad = negative | ~((sums - 1).abs() <= TOLERANCE)
    if not bad.any():
        return
    row = int(bad.nonzero()[0])
    if negative[row]:
        column = int(target[row].argmin())
        raise ShapeError(
            f"row {row} of the target distributions is negative: {float(target[row, column]):g} in bin "
            f"{column}, expected shares of at least 0; give the share of raters in each bin"
        )
    raise ShapeError(
        f"row {row} of the target distributions sums to {float(sums[row]):.6g}, expected 1; divide its "
        f"counts by their sum, and leave out images that nobody rated"
    )


def emd(outputs: Tensor, target: Tensor, *, r: float = 2) -> Tensor:
    """Earth mover's distance of each image, averaged over images (Hou et al. 2017; NIMA, 2018).

    For one image it is (1/t * sum over k of |P(k) - Q(k)|^r)^(1/r) with P and Q the cumulated prediction
    and target. It is a norm of P - Q. A norm has no derivative at 0; there the subgradient 0 is used,
    which PyTorch's vector norm gives exactly, so that neither the value nor any other gradient is bent
    by a small constant under the root.

    Args:
        outputs: logits, shape (b, t); the softmax is taken here, in float32 at least.
        target: shape (b, t), shares of raters, see :func:`check_distributions`.
        r: at least 1; 2 trains, 1 is the distance usually reported.

    Returns:
        shape (), from 0 to ((t - 1) / t)^(1/r), where raters and model agree on opposite ends of the scale.

    Raises:
        ShapeError: shapes differ or are not (b, t), fewer than 2 bins, no image, or r below 1.

    Example:
        >>> sure_of_the_lowest = torch.tensor([[0.0, -100.0, -100.0, -100.0]])
        >>> emd(sure_of_the_lowest, torch.tensor([[0.0, 1.0, 0.0, 0.0]])).item()
        0.5
    """
    if r < 1:
        raise ShapeError(
            f"the earth mover's distance of order r={r:g} is no distance; choose r of at least 1"
        )
    _check_pair(outputs, target)
    difference = _cumulated_difference(_exact(outputs).softmax(1), target)
    distances: Tensor = torch.linalg.vector_norm(difference, ord=r, dim=1) / difference.shape[1] ** (1 / r)
    return distances.mean()


def official_emd(outputs: Tensor, target: Tensor) -> Tensor:
    """The released EAT's loss: one root of one mean, over the whole batch and all bins.

    Only for comparison with that code; :func:`emd` is the default, for three reasons. There is no
    softmax, so outputs that are no distribution can have a small loss. The root comes after the mean over
    images, so it is not a mean of distances: an image's pull depends on the others in its batch, and the
    loss of a data set depends on how it is cut into batches. And the last bin's difference is no longer 0:
    it is a penalty on the sum of the outputs.

    Args:
        outputs: shape (b, t), taken as the distribution as they stand.
        target: shape (b, t).

    Returns:
        shape (). The gradient at an exact fit is 0, where the released code's is not a number.

    Raises:
        ShapeError: shapes differ or are not (b, t), fewer than 2 bins, or no image.
    """
    _check_pair(outputs, target)
    difference = _cumulated_difference(_exact(outputs), target)
    root: Tensor = torch.linalg.vector_norm(difference) / difference.numel() ** 0.5
    return root


def mse(outputs: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of unit scores; never broadcasts.

    Args:
        outputs: shape (b,) or (b, 1), unit scores.
        target: shape (b,), unit scores.

    Returns:
        shape ().

    Raises:
        ShapeError: any other shapes, or no image.

    Example:
        >>> mse(torch.tensor([[0.0], [1.0]]), torch.tensor([0.0, 0.5])).item()
        0.125
    """
    b = len(target) if target.ndim == 1 else 0
    if b == 0 or tuple(outputs.shape) not in {(b,), (b, 1)}:
        raise ShapeError(
            f"the squared error of scores needs outputs of shape (b,) or (b, 1) and a target of shape (b,), "
            f"got {tuple(outputs.shape)} and {tuple(target.shape)}; build the model with num_classes=1, and "
            f"give one score an image"
        )
    exact = _exact(outputs).reshape(b)
    return F.mse_loss(exact, target.to(exact.dtype))


def expected_score(outputs: Tensor, *, bins: Tensor | None = None, softmax: bool = True) -> Tensor:
    """Mean of the predicted distribution, in units of the bins.

    Args:
        outputs: logits, shape (b, t).
        bins: score of each bin, shape (t,); None: 1 to t.
        softmax: False sums the outputs as they stand, weighted by the bins, as the released EAT does; the
            result may then lie outside of the scale.

    Returns:
        scores, shape (b,).

    Raises:
        ShapeError: outputs are not (b, t) with t of at least 2, or ``bins`` has not t entries.

    Example:
        >>> expected_score(torch.zeros(1, 10))
        tensor([5.5000])
    """
    _check_bins("outputs", outputs)
    t = outputs.shape[1]
    exact = _exact(outputs)
    if bins is None:
        bins = torch.arange(1, t + 1, device=exact.device)
    if tuple(bins.shape) != (t,):
        raise ShapeError(
            f"bins have shape {tuple(bins.shape)}, but outputs of shape {tuple(outputs.shape)} need one "
            f"score for each of {t} bins; give bins of shape ({t},)"
        )
    # A sum of products, not a matrix product: autocast would round the latter to half precision.
    return ((exact.softmax(1) if softmax else exact) * bins.to(exact.dtype)).sum(1)


def _exact(x: Tensor) -> Tensor:
    """In float32 at least: half precision cannot cumulate ten bins to three digits."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _cumulated_difference(predicted: Tensor, target: Tensor) -> Tensor:
    return (predicted - target.to(predicted.dtype)).cumsum(1)


def _check_bins(what: str, x: Tensor) -> None:
    if x.ndim != 2 or x.shape[0] < 1 or x.shape[1] < 2:
        raise ShapeError(
            f"{what} have shape {tuple(x.shape)}, expected (b, t) with at least 1 image and 2 score bins; "
            f"give one row an image"
        )


def _check_pair(outputs: Tensor, target: Tensor) -> None:
    if outputs.shape != target.shape:
        raise ShapeError(
            f"outputs have shape {tuple(outputs.shape)}, but target distributions {tuple(target.shape)}; "
            f"build the model with as many outputs as there are score bins"
        )
    _check_bins("outputs", outputs)
