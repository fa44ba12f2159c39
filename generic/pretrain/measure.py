"""How well a network agrees with raters: the figures of the field's tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generic.losses import emd, official_emd
from generic.metrics import pearson, spearman
from generic.pretrain.objective import Targets, unit_scores


def measure(
    outputs: NDArray[np.float32],
    targets: Targets,
    *,
    bins: tuple[float, ...],
    softmax: bool,
    threshold: float,
) -> dict[str, float]:
    """Figures of n images.

    Args:
        outputs: raw, shape (n, t), or (n, 1) for scores.
        targets: what raters said.
        bins: score of each output; empty for scores.
        softmax: outputs are logits.
        threshold: unit score above which an image counts as good.

    Returns:
        ``srcc`` and ``plcc`` (NaN for a constant side), ``accuracy`` of the two classes in [0, 1], ``ratio``
        of SRCC and accuracy as in the EAT paper's Table 1, ``mse`` of unit scores, and, where distributions
        are known on both sides, ``emd`` (order 2; of the released loss where there is no softmax). Of logits
        also ``emd1``, of order 1, and ``plcc_std``, the linear correlation of the two distributions' standard
        deviations.
    """
    raw = torch.from_numpy(outputs)
    predicted = unit_scores(raw, torch.tensor(bins), softmax=softmax).double().numpy()
    scores = targets.scores.reshape(len(targets), -1)[:, 0]
    rated = scores.double().numpy()
    figures = {"srcc": spearman(predicted, rated), "plcc": pearson(predicted, rated)}
    # Not in float64, where a mean of 5 is not the float32 threshold 4/9 any more.
    good = scores.numpy() > np.float32(threshold)
    figures["accuracy"] = float(np.mean((predicted.astype(np.float32) > np.float32(threshold)) == good))
    figures["ratio"] = figures["srcc"] / figures["accuracy"] if figures["accuracy"] else float("nan")
    figures["mse"] = float(np.mean((predicted - rated) ** 2))
    if bins and targets.shares is not None:
        distance = emd if softmax else official_emd
        figures["emd"] = float(distance(raw, targets.shares))
        if softmax:
            figures["emd1"] = float(emd(raw, targets.shares, r=1))
            spreads = [deviations(shares, bins) for shares in (raw.double().softmax(1), targets.shares)]
            figures["plcc_std"] = pearson(*spreads)
    return figures


def deviations(shares: Tensor, bins: Sequence[float]) -> NDArray[np.float64]:
    """Standard deviation of each distribution, in units of the bins, shape (n,).

    Args:
        shares: shape (n, t), each row sums to 1.
        bins: score of each bin, t of them.

    Example:
        >>> deviations(torch.tensor([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]), (1.0, 2.0, 3.0)).tolist()
        [1.0, 0.0]
    """
    exact, scores = shares.double(), torch.tensor(bins, dtype=torch.float64)
    means = exact @ scores
    variances = (exact * (scores - means[:, None]) ** 2).sum(1)
    found: NDArray[np.float64] = variances.sqrt().numpy()
    return found
