"""Training of the tuned branch of ``piaa-lite``: late stages, EAT stages and their heads, together.

A few hundred photos are little, so much holds the branch back: everything before the stride-16 map stays as
it is, and so do the depthwise filters and, folded away, the norms; the rate is low and the passes are few;
features drop out; and the mean score is not the only target: directions in which raters differ are others,
so that the features learn what people see and not only what they agree on. Several runs from the same start,
each with its own order, end near each other: the mean of their weights is one network that does better than
a run (Wortsman et al., "Model soups", ICML 2022).
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from generic.eat.points import set_progress
from generic.lite.piaa_lite import TunedBranch
from generic.lite.stems import Late
from generic.seeds import stream

log = logging.getLogger(__name__)
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """Settings of the tuned branch."""

    eat_dims: tuple[int, int] = (64, 96)
    """Widths of the EAT stages."""
    k_in: int = 8
    """Interest kernel of the stride-16 stage."""
    epochs: int = 6
    """Passes over the photos."""
    batch: int = 16
    """Photos in a step."""
    rate: float = 1e-4
    """Highest learning rate of the late stages (AdamW, one cycle)."""
    head_rate: float = 1e-3
    """The same of the EAT stages and the heads, which begin at random and at zero."""
    decay: float = 0.05
    """Weight decay."""
    dropout: float = 0.5
    """On the pooled and the attended features."""
    taste_weight: float = 0.3
    """Of the directions of taste together, the mean score counting 1."""
    runs: int = 3
    """Whose weights are averaged."""


class Tuner:
    """Trains branches that all begin as the same one.

    Args:
        late: the stages to begin from, norms folded; they are copied.
        size: side of the photos, pixels.
        config: settings.
        seed: names every random stream.
    """

    def __init__(self, late: Late, *, size: int, config: TuneConfig, seed: int) -> None:
        self._late, self._size, self._config, self._seed = late, size, config, seed

    def start(self, n_out: int) -> TunedBranch:
        """The branch before training, with ``n_out`` outputs that are zero."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(stream(self._seed, "lite", "start").integers(2**31)))
            branch = TunedBranch(
                size=self._size, eat_dims=self._config.eat_dims, k_in=self._config.k_in, n_out=n_out
            )
        branch.late = copy.deepcopy(self._late).requires_grad_(requires_grad=True)
        for block in branch.late.tapped():
            # A weight gradient of these takes five times as long as all the rest of their training.
            cast("nn.Module", block.conv_dw).requires_grad_(requires_grad=False)
        for head in (branch.out, branch.eat_out):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        return branch.eval().to(memory_format=torch.channels_last)

    def train(self, middle: Tensor, targets: Array, name: str, *, runs: int) -> TunedBranch:
        """The mean of some runs.

        Args:
            middle: stride-16 maps of photos, bfloat16, shape (n, 2, c, h, w), as they are and mirrored.
            targets: shape (n, 1 + t): scores, then directions of taste of variance 1, NaN where unknown.
            name: of the random streams.
            runs: how many.

        Returns:
            a branch with one output, the score, in evaluation mode.
        """
        ends = []
        for run in range(runs):
            started = time.perf_counter()
            ends.append(self._run(middle, targets, f"{name}, run {run}"))
            log.info("tuned %s, run %d: %.0f s", name, run + 1, time.perf_counter() - started)
        return self._finished(ends, targets[:, 0])

    def _run(self, middle: Tensor, targets: Array, name: str) -> TunedBranch:
        config, (n, n_out) = self._config, targets.shape
        goals, weights = _goals(targets, config.taste_weight)
        branch, rng = self.start(n_out), stream(self._seed, "lite", "order", name)
        optimiser, schedule = self._optimiser(branch, config.epochs * math.ceil(n / config.batch))
        learning = [parameter for parameter in branch.parameters() if parameter.requires_grad]
        branch.eat.train()
        with torch.random.fork_rng(devices=[]), _float32_depthwise(branch.late):
            torch.manual_seed(int(rng.integers(2**31)))
            for epoch in range(config.epochs):
                set_progress(branch.eat, epoch / config.epochs)
                order = rng.permutation(n)
                for first in range(0, n, config.batch):
                    rows = torch.from_numpy(order[first : first + config.batch])
                    sides = torch.from_numpy(rng.integers(0, 2, len(rows)))
                    with torch.autocast("cpu", torch.bfloat16):
                        pooled, attended = branch.features(_channels_last(middle[rows, sides]))
                    out = branch.out(nn.functional.dropout(pooled.float(), config.dropout))
                    out = out + branch.eat_out(nn.functional.dropout(attended.float(), config.dropout))
                    loss = (weights[rows] * (out - goals[rows]) ** 2).sum(1).mean()
                    optimiser.zero_grad()
                    loss.backward()
                    nn.utils.clip_grad_norm_(learning, 1.0)
                    optimiser.step()
                    schedule.step()
        return branch.eval()

    def _optimiser(
        self, branch: TunedBranch, steps: int
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        config = self._config
        tuned = [parameter for parameter in branch.late.parameters() if parameter.requires_grad]
        fresh = [p for part in (branch.eat, branch.out, branch.eat_out) for p in part.parameters()]
        optimiser = torch.optim.AdamW(
            [{"params": tuned, "lr": config.rate}, {"params": fresh, "lr": config.head_rate}],
            weight_decay=config.decay,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, [config.rate, config.head_rate], total_steps=steps, pct_start=0.2
        )
        return optimiser, schedule

    def _finished(self, branches: Sequence[TunedBranch], scores: Array) -> TunedBranch:
        """The mean of the branches' weights, with the score alone, in units of ``scores``."""
        mean = mean_weights(branches)
        unit = _unit(scores)
        for key in ("out.weight", "out.bias", "eat_out.weight", "eat_out.bias"):
            mean[key] = unit * mean[key][:1]
        mean["out.bias"] += float(scores.mean())
        branch = self.start(1).requires_grad_(requires_grad=False)
        branch.load_state_dict(mean)
        return branch


def mean_weights(branches: Sequence[TunedBranch]) -> dict[str, Tensor]:
    """The mean over branches of every tensor of their states."""
    states = [branch.state_dict() for branch in branches]
    return {
        key: torch.stack([state[key] for state in states]).mean(0) if value.is_floating_point() else value
        for key, value in states[0].items()
    }


def predict(branch: TunedBranch, middle: Tensor) -> Array:
    """Scores of photos, shape (n,), the mean of both sides, of maps of shape (n, 2, c, h, w)."""
    parts = []
    with torch.inference_mode():
        for first in range(0, len(middle), 32):
            sides = middle[first : first + 32].float().unbind(1)
            parts.append(torch.stack([branch(_channels_last(side))[:, 0] for side in sides]).mean(0))
    return torch.cat(parts).double().numpy()


def _goals(targets: Array, taste_weight: float) -> tuple[Tensor, Tensor]:
    """Targets with scores of variance 1, and what each counts, both of shape (n, 1 + t)."""
    scores = targets[:, :1]
    goals = np.concatenate(((scores - scores.mean()) / _unit(scores), targets[:, 1:]), 1)
    known = ~np.isnan(goals)
    weights = known.astype(float)
    weights[:, 1:] *= taste_weight / np.maximum(known[:, 1:].sum(1, keepdims=True), 1)
    return torch.from_numpy(np.where(known, goals, 0.0)).float(), torch.from_numpy(weights).float()


def _unit(scores: Array) -> float:
    deviation = float(np.std(scores))
    return deviation if deviation > 1e-9 else 1.0  # equal scores round to a deviation that is not zero


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


class _Float32(nn.Module):
    """A convolution that autocast leaves alone."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            mapped: Tensor = self.conv(x.float())
        return mapped


@contextmanager
def _float32_depthwise(late: Late) -> Iterator[None]:
    """Keep depthwise convolutions in float32: of stride 2, the bfloat16 gradient takes 60 times as long."""
    blocks = late.tapped()
    for block in blocks:
        block.conv_dw = _Float32(block.conv_dw)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for block in blocks:
            block.conv_dw = block.conv_dw.conv  # type: ignore[union-attr]
