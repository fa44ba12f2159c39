"""Train part of a network on one person's ratings: few epochs, how many by cross-validation on the support.

Adam at a fixed rate on the squared error of unit scores, as the EAT paper trains for FLICKR-AES and AADB,
with a pull towards the start (L2-SP; Li, Grandvalet & Davoine, ICML 2018). Cross-validation decides how many
epochs, and how much the tuned network counts beside the generic one. Of few ratings its verdict is weak: a
gate of one standard error lets a true gain pass in one case of three at ten ratings. So the two are averaged,
half and half before there is evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from generic.seeds import stream
from piaa.adapters.network.copies import Read
from piaa.adapters.network.options import Gate
from piaa.adapters.prediction import Array

MIN_RATINGS = 6
"""Below, nothing is trained but the level: three folds of fewer than two ratings say nothing."""
WEIGHT = 0.5
"""Of the tuned network before there is evidence."""


def level_of(residual: Array) -> float:
    """Mean of ratings minus generic scores, shape (k,), shrunk as by one more that is 0."""
    return float(residual.sum() / (len(residual) + 1))


def level_errors(residual: Array) -> Array:
    """Error of each rating, shape (k,), under the :func:`level_of` the others."""
    return np.asarray((residual.sum() - residual) / len(residual) - residual)


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """Settings of one person's training."""

    rate: float
    """Learning rate (Adam), fixed."""
    epochs: int
    """Most passes over the ratings."""
    pull: float
    """Weight of the squared distance to the start."""
    gate: Gate = "average"
    """See :class:`piaa.adapters.network.options.TuneOptions`."""
    batch: int = 10
    """Photos in a step."""
    folds: int = 3
    """Of the cross-validation."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What cross-validation found."""

    epochs: int
    """How many to train, from 0."""
    weight: float
    """Of the tuned network's scores beside the generic ones, in [0, 1]."""
    errors: Array
    """Held-out error (score minus rating) of each photo at these, shape (k,)."""


def train(
    trained: Mapping[str, nn.Parameter],
    start: Mapping[str, Tensor],
    read: Read,
    rows: NDArray[np.intp],
    targets: Array,
    config: TuneConfig,
    *,
    epochs: int,
    name: str,
    after: Callable[[int], None] = lambda _: None,
) -> None:
    """Train from the start; in place.

    Args:
        trained: what changes.
        start: its values at the start.
        read: unit scores of photos by row number.
        rows: photos to learn from, shape (k,).
        targets: unit scores wanted of them, shape (k,).
        config: settings.
        epochs: how many.
        name: of the random stream that orders the photos.
        after: called with each epoch's number, from 1.
    """
    load(trained, start)
    optimiser = torch.optim.Adam(trained.values(), lr=config.rate)
    wanted, rng = torch.from_numpy(targets).float(), stream(0, "tune", name, len(rows))
    for epoch in range(epochs):
        order = rng.permutation(len(rows))
        for some in np.array_split(order, max(1, round(len(order) / config.batch))):
            error = read(torch.from_numpy(rows[some])) - wanted[torch.from_numpy(some)]
            pull = torch.stack([((value - start[key]) ** 2).sum() for key, value in trained.items()]).sum()
            optimiser.zero_grad()
            ((error**2).mean() + config.pull * pull).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        after(epoch + 1)


def load(trained: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    """Put values into parameters, in place."""
    with torch.no_grad():
        for key, parameter in trained.items():
            parameter.copy_(values[key])


def cross_validate(
    trained: Mapping[str, nn.Parameter],
    start: Mapping[str, Tensor],
    read: Read,
    scores: Array,
    generic: Array,
    config: TuneConfig,
) -> Tuned:
    """How many epochs help on ratings that were held out; their level is that of the others.

    Args:
        trained: as in :func:`train`.
        start: as in :func:`train`.
        read: as in :func:`train`.
        scores: unit scores of the support, shape (k,).
        generic: generic unit scores of it, shape (k,): what is read at no epoch.
        config: settings.
    """
    k = len(scores)
    errors = np.empty((k, config.epochs + 1))
    for number, held in enumerate(np.array_split(stream(0, "tune", "folds", k).permutation(k), config.folds)):
        rest = np.setdiff1d(np.arange(k), held)
        targets = scores - level_of(scores[rest] - generic[rest])
        errors[held, 0] = generic[held] - targets[held]

        def note(epoch: int, held: NDArray[np.intp] = held, wanted: Array = targets[held]) -> None:
            with torch.no_grad():
                errors[held, epoch] = read(torch.from_numpy(held)).double().numpy() - wanted

        train(
            trained,
            start,
            read,
            rest,
            targets[rest],
            config,
            epochs=config.epochs,
            name=f"fold {number}",
            after=note,
        )
    return chosen(errors, config.gate)


def chosen(errors: Array, gate: Gate) -> Tuned:
    """Epochs and weight by what was held out.

    Args:
        errors: held-out errors at each number of epochs from 0, shape (k, 1 + epochs).
        gate: see :class:`piaa.adapters.network.options.TuneOptions`.
    """
    if gate == "none":
        epochs, weight = errors.shape[1] - 1, 1.0
    elif gate == "error":
        epochs = int((errors**2).mean(0).argmin())
        gain = errors[:, 0] ** 2 - errors[:, epochs] ** 2
        weight = float(gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)))
    else:
        generic, tuned = errors[:, :1], errors[:, 1:]
        weights = np.array([weight_of(generic[:, 0], column) for column in tuned.T])
        mixed = (1 - weights) * generic + weights * tuned
        epochs = 1 + int((mixed**2).mean(0).argmin())
        weight = float(weights[epochs - 1])
    if not weight:
        epochs = 0
    return Tuned(
        epochs=epochs, weight=weight, errors=(1 - weight) * errors[:, 0] + weight * errors[:, epochs]
    )


def weight_of(generic: Array, tuned: Array) -> float:
    """How much tuned scores count beside generic ones, in [0, 1], by the held-out errors of both, (k,).

    The least squares of (1 - w) generic + w tuned, with a normal prior on w around one half that counts as
    the ratings' noise does: where tuning moves scores by far less than ratings scatter, it stays there.
    """
    moved = generic - tuned
    noise = float((generic**2).mean())
    found = float(generic @ moved) + WEIGHT * noise
    return float(np.clip(found / max(float(moved @ moved) + noise, 1e-12), 0.0, 1.0))
