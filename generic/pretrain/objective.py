"""What is made small, and what score a network's outputs stand for.

Notation: b images, t score bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from generic.errors import ShapeError
from generic.losses import emd, expected_score, mse, official_emd
from generic.pretrain.config import Loss


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What raters said of b images."""

    scores: Tensor
    """Unit scores, shape (b,); with more columns, (b, m), further numbers to learn beside them."""
    shares: Tensor | None = None
    """Shares of raters in each bin, shape (b, t); None where only means are known."""

    def take(self, rows: Tensor) -> Targets:
        """Some of the images."""
        return Targets(scores=self.scores[rows], shares=None if self.shares is None else self.shares[rows])

    def to(self, device: torch.device) -> Targets:
        """The same on a device."""
        return Targets(
            scores=self.scores.to(device), shares=None if self.shares is None else self.shares.to(device)
        )

    def __len__(self) -> int:
        return len(self.scores)


def unit_scores(outputs: Tensor, bins: Tensor, *, softmax: bool) -> Tensor:
    """Unit scores (b,) of raw outputs: the expected score between the first and the last bin, or the output.

    Args:
        outputs: shape (b, t), or (b, 1 or more) without bins: the first is the score.
        bins: shape (t,), rising; empty for networks that give scores.
        softmax: outputs are logits.
    """
    if len(bins) == 0:
        return outputs[:, 0].float()
    return (expected_score(outputs, bins=bins, softmax=softmax) - bins[0]) / (bins[-1] - bins[0])


def loss_of(outputs: Tensor, targets: Targets, bins: Tensor, loss: Loss) -> Tensor:
    """The mean loss of b images, shape ().

    Args:
        outputs: raw, shape (b, t), or (b, m) with ``mse``.
        targets: of the same images; ``mse`` alone needs no shares.
        bins: shape (t,).
        loss: see :class:`generic.pretrain.config.Settings`.

    Raises:
        ShapeError: shapes that do not fit each other.
    """
    if loss == "mse":
        return mse(outputs.reshape(-1), targets.scores.reshape(-1))
    if targets.shares is None:
        raise ShapeError(f"the loss {loss!r} needs distributions, but only means are known; choose mse")
    if loss == "official-emd":
        return official_emd(outputs, targets.shares)
    distance = emd(outputs, targets.shares)
    if loss == "emd":
        return distance
    return distance + mse(unit_scores(outputs, bins, softmax=True), targets.scores)
