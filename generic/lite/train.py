"""Training ``piaa-lite`` from a few hundred photos with mean scores, and what is known of single raters.

In turn are learned

1. the embedding: principal directions of the frozen network's pooled features;
2. the kernel head: kernel ridge regression on it, in closed form;
3. the tuned branch, see :mod:`generic.lite.tune`.

The score is the mean of the kernel head's and of the branch's: the shares that favour neither.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generic.lite.packaged_weights import packaged_state
from generic.lite.piaa_lite import PiaaLite, TunedBranch, fold_batch_norms
from generic.lite.pooled import Pooled, find_directions, fit_head, random_folds
from generic.lite.stems import FIRST_TAP, FROZEN, TUNED, Early, Late, Stem, fold, fold_head
from generic.lite.tune import TuneConfig, Tuner, predict
from generic.progress import Progress, no_progress

log = logging.getLogger(__name__)
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LiteConfig:
    """Settings of one training run."""

    size: int = 288
    """Side of the input square, pixels."""
    frozen_size: int = 256
    """Side of what the frozen network sees, pixels."""
    n_embedding: int = 128
    """Embedding size d."""
    gamma: float = 0.5
    """Kernel width, in units of the mean squared length of training embeddings."""
    alpha: float = 0.2
    """Penalty of kernel ridge regression."""
    tune: TuneConfig = field(default_factory=TuneConfig)
    """Settings of the tuned branch."""
    folds: int = 4
    """For out-of-fold predictions."""
    seed: int = 0
    """Names every random stream of the run."""


@dataclass(frozen=True, kw_only=True)
class Stems:
    """The ImageNet networks that training begins with, in evaluation mode, norms folded."""

    stem: Stem
    """What stays as it is."""
    late: Late
    """What the tuned branch begins with."""


@dataclass(frozen=True, kw_only=True)
class Maps:
    """What the stem says of n photos, each as it is and mirrored (axis 1)."""

    taps: Tensor
    """Pooled features of the frozen network, shape (n, 2, taps)."""
    middle: Tensor
    """Stride-16 maps of the network to tune, bfloat16, shape (n, 2, 120, size/16, size/16)."""

    def take(self, rows: NDArray[np.intp]) -> Maps:
        """Some of the photos."""
        index = torch.from_numpy(rows)
        return Maps(taps=self.taps[index], middle=self.middle[index])


def imagenet_stems(config: LiteConfig) -> Stems:
    """The stems with their packaged ImageNet weights (dependency group ``train``)."""
    stem, late = Stem(config.frozen_size).eval(), Late(TUNED).eval()
    _fill_parts(stem.frozen_early, stem.frozen_late, packaged_state(FROZEN))
    _fill_parts(stem.early, late, packaged_state(TUNED))
    fold_head(late)
    return Stems(stem=stem, late=late)


def _fill_parts(early: Early, late: Late, state: dict[str, Tensor]) -> None:
    """Load both parts of a network, and fold their norms."""
    own: tuple[dict[str, Tensor], dict[str, Tensor]] = {}, {}
    for key, value in state.items():
        kind, _, rest = key.partition(".")
        if kind == "blocks":
            own[int(rest.partition(".")[0]) > FIRST_TAP][f"stages.{rest}"] = value
        else:
            own[kind in ("conv_head", "bn2")][key] = value
    early.load_state_dict(own[0])
    late.load_state_dict(own[1])
    fold(early)
    fold(late)


def stem_maps(stem: Stem, photos: NDArray[np.uint8], progress: Progress = no_progress) -> Maps:
    """Run the stem once over all photos and their mirror images.

    Args:
        stem: in evaluation mode.
        photos: shape (n, size, size, 3), RGB.
        progress: called with the number of photos newly done.
    """
    parts: list[tuple[Tensor, Tensor]] = []
    with torch.inference_mode():
        for start in range(0, len(photos), 16):
            x = torch.from_numpy(photos[start : start + 16]).permute(0, 3, 1, 2).float() / 127.5 - 1
            taps, middle = (torch.stack(pair, 1) for pair in zip(stem(x), stem(x.flip(3)), strict=True))
            parts.append((taps, middle.bfloat16()))
            progress(len(x))
    # Copies, which unlike tensors of inference mode can be trained on.
    taps, middle = (torch.cat(column).clone() for column in zip(*parts, strict=True))
    return Maps(taps=taps, middle=middle)


def fit_pooled(taps: Array, scores: Array, config: LiteConfig) -> Pooled:
    """Principal directions and kernel ridge regression.

    Args:
        taps: pooled features of photos, mirror images averaged, shape (n, taps).
        scores: mean unit scores, shape (n,).
        config: ``n_embedding``, ``gamma`` and ``alpha`` are used.
    """
    directions = find_directions(taps, config.n_embedding)
    return fit_head(directions, directions.embed(taps), scores, gamma=config.gamma, alpha=config.alpha)


def split_folds(n: int, config: LiteConfig) -> list[NDArray[np.intp]]:
    """Photos in random folds: each entry is one fold's held-out rows."""
    return random_folds(n, config.folds, config.seed)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network and what the training learned about itself."""

    network: PiaaLite
    """In evaluation mode, batch norms folded."""
    architecture: dict[str, Any]
    """For the model file's header."""
    out_of_fold: Array
    """Unit scores of the training photos by networks that have not seen them, shape (n,)."""


def train_lite(stems: Stems, maps: Maps, scores: Array, tastes: Array, config: LiteConfig) -> Trained:
    """Train on the photos behind ``maps``.

    Args:
        stems: what made the maps; they become part of the network.
        maps: see :func:`stem_maps`.
        scores: mean unit scores, shape (n,).
        tastes: directions in which raters differ, of variance 1 over the photos where they are known and
            NaN elsewhere, shape (n, t); t may be 0.
        config: settings.
    """
    taps, n = maps.taps.mean(1).double().numpy(), len(scores)
    targets = np.concatenate((scores[:, None], tastes), 1)
    tuner = Tuner(stems.late, size=config.size, config=config.tune, seed=config.seed)
    out_of_fold = np.zeros(n)
    for number, held in enumerate(split_folds(n, config)):
        rest = np.setdiff1d(np.arange(n), held)
        # One run is enough to tell the size of errors on photos that were not seen.
        branch = tuner.train(maps.take(rest).middle, targets[rest], f"fold {number}", runs=1)
        kernel = fit_pooled(taps[rest], scores[rest], config).score(taps[held])
        out_of_fold[held] = (kernel + predict(branch, maps.take(held).middle)) / 2
    branch = tuner.train(maps.middle, targets, "all", runs=config.tune.runs)
    network, architecture = assemble(stems, fit_pooled(taps, scores, config), branch, config)
    return Trained(network=network, architecture=architecture, out_of_fold=out_of_fold)


def assemble(
    stems: Stems, pooled: Pooled, branch: TunedBranch, config: LiteConfig
) -> tuple[PiaaLite, dict[str, Any]]:
    """The network of its parts, ready to score, and its architecture for a model file's header."""
    options: dict[str, Any] = {
        "size": config.size,
        "frozen_size": config.frozen_size,
        "taps": len(pooled.mean),
        "n_embedding": len(pooled.project),
        "n_centres": len(pooled.centres),
        "eat_dims": config.tune.eat_dims,
        "k_in": config.tune.k_in,
    }
    with torch.random.fork_rng(devices=[]):  # its random start is overwritten
        network = fold_batch_norms(PiaaLite(**options))
    network.stem.load_state_dict(stems.stem.state_dict())
    network.tuned.load_state_dict(branch.state_dict())
    with torch.no_grad():
        for tensor, value in (
            (network.tap_mean, pooled.mean),
            (network.project.weight, pooled.project),
            (network.whiten, pooled.whiten),
            (network.kernel.centres, pooled.centres),
            (network.kernel.weights, pooled.weights / 2),
            (network.kernel.gamma, pooled.gamma),
            (network.kernel.offset, pooled.offset / 2),
        ):
            cast("Tensor", tensor).copy_(torch.as_tensor(value, dtype=torch.float32))
        for head in (network.tuned.out, network.tuned.eat_out):
            head.weight.div_(2)
            head.bias.div_(2)
    architecture = {"kind": "eat_lite", **options, "eat_dims": list(config.tune.eat_dims)}
    return network.eval().requires_grad_(requires_grad=False), architecture
