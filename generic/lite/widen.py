"""A trained ``piaa-lite`` with an expert's score beside its own, and a sketch of what both stems see.

Nothing is trained here: the expert is as AVA made it, what its score adds is a number of the settings, and
the sketch's places and signs are drawn at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generic.lite.mobile_net import MobileNet
from generic.lite.piaa_lite import PiaaLite, fold_batch_norms
from generic.lite.sketch import fit_sketch
from generic.lite.stems import Stem, pooled, smaller
from generic.parts import AVA, DIRECTIONS, KEY, RICHER
from generic.progress import Progress, no_progress

_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class WidenConfig:
    """Settings."""

    weight: float = 0.2
    """What the whole range of the expert's score adds to the unit score."""
    n_richer: int = 1024
    """Numbers of the sketch; 0: there is none."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What network and expert say of n photos."""

    features: NDArray[np.float32]
    """Moments of both stems' late blocks, shape (n, t)."""
    expert: NDArray[np.float64]
    """The expert's scores, of [0, 1], shape (n,)."""


def look(
    network: PiaaLite,
    expert: MobileNet,
    photos: NDArray[np.uint8],
    progress: Progress = no_progress,
) -> Seen:
    """Run a trained network and the expert once over photos.

    Args:
        network: in evaluation mode.
        expert: likewise.
        photos: shape (n, size, size, 3), RGB.
        progress: called with the number of photos newly done.
    """
    features, scores = [], []
    with torch.inference_mode():
        for start in range(0, len(photos), _BATCH):
            x = torch.from_numpy(photos[start : start + _BATCH]).permute(0, 3, 1, 2).float() / 127.5 - 1
            whole, early = network.stem.maps(x)
            stage = early[-len(network.stem.early.tapped()) :]
            late = pooled([*stage, *network.tuned.late(early[-1])])
            features.append(torch.cat((network.stem.taps(whole), late), 1).numpy())
            _, score = expert(smaller(x, Stem.EXPERT_SIZE))
            scores.append(score.double().numpy())
            progress(len(x))
    return Seen(features=np.concatenate(features), expert=np.concatenate(scores))


def widen(
    network: PiaaLite,
    architecture: Mapping[str, Any],
    expert: MobileNet,
    seen: Seen,
    config: WidenConfig,
    *,
    seed: int,
) -> tuple[PiaaLite, dict[str, Any]]:
    """The wider network, ready to score, and its architecture.

    Args:
        network: a trained one, its norms folded.
        architecture: its own.
        expert: what scored ``seen``.
        seen: of the training photos.
        config: settings.
        seed: names the sketch's random stream.
    """
    parts = {AVA: 1, DIRECTIONS: int(architecture["n_embedding"])}
    parts |= {RICHER: config.n_richer} if config.n_richer else {}
    wider = {**architecture, "features": seen.features.shape[1], KEY: parts}
    options = {key: value for key, value in wider.items() if key != "kind"}
    with torch.random.fork_rng(devices=[]):  # its random start is overwritten
        whole = fold_batch_norms(PiaaLite(**options))
    state: dict[str, Tensor] = dict(network.state_dict())
    state |= {f"stem.expert.{key}": value for key, value in expert.state_dict().items()}
    state |= {f"expert.{key}": torch.tensor(value) for key, value in _scaled(seen, config).items()}
    if config.n_richer:
        sketch = fit_sketch(seen.features, config.n_richer, seed)
        state |= {f"sketch.{key}": torch.from_numpy(value) for key, value in sketch.items()}
    whole.load_state_dict(state)
    return whole.eval().requires_grad_(requires_grad=False), wider


def _scaled(seen: Seen, config: WidenConfig) -> dict[str, float]:
    """What brings the expert's score to mean 0 and variance 1, and what it then adds."""
    mean, deviation = float(seen.expert.mean()), float(seen.expert.std())
    return {"mean": mean, "deviation": deviation, "weight": config.weight * deviation}


def added(seen: Seen, config: WidenConfig) -> NDArray[np.float64]:
    """What the expert adds to the unit scores of the training photos, none of which it knows, shape (n,)."""
    return np.asarray(config.weight * (seen.expert - seen.expert.mean()))
