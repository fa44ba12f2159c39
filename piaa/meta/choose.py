"""How far to go from k ratings: steps and caution, chosen on held-out training users and photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from generic.metrics import spearman
from generic.seeds import stream
from piaa.meta.episodes import Held
from piaa.meta.head import Array, Standard, Weights, descend, residuals
from piaa.meta.start import Choices

GRID = (1, 3, 10, 30, 100)
"""Numbers of ratings for which a choice is made."""
STEPS = (0, 1, 2, 3, 5, 8, 12)
CAUTION = (3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How a choice did on held-out users, one value for each."""

    query: Array
    """Mean squared error of new photos."""
    support: Array
    """Mean squared error of the ratings fitted on."""
    srcc: Array
    """Rank correlation of new photos; NaN where undefined."""


def possible(held: Sequence[Held], shots: tuple[int, int]) -> list[int]:
    """The k of ``GRID`` within ``shots`` that at least half of the held-out users have enough ratings for.

    If there is none, the least of ``shots``, for which they all have enough.
    """
    most = int(np.median([len(user.rater.rows) for user in held]))
    return [k for k in GRID if shots[0] <= k <= min(shots[1], most)] or [shots[0]]


def attempt(
    held: Sequence[Held],
    vectors: Array,
    standard: Standard,
    weights: Weights,
    rates: Weights,
    *,
    k: int,
    steps: int,
    caution: float,
    seed: int,
) -> Trial:
    """Fit every held-out user who has k ratings on them, predict the held-out photos.

    Args:
        held: the users.
        vectors: model vectors of the photos, shape (n, 1 + d).
        standard: what standardises them.
        weights: the start.
        rates: of the layers that move.
        k: ratings in the support.
        steps: gradient steps.
        caution: see :mod:`piaa.meta.head`.
        seed: names the random streams.
    """
    z, found = standard(vectors), []
    for user in held:
        if len(user.rater.rows) < k:
            continue
        order = stream(seed, "meta", "support", user.rater.name).permutation(len(user.rater.rows))[:k]
        rows, targets = user.rater.rows[order], user.rater.targets[order]
        person = descend(weights, z[rows], targets, rates=rates, steps=steps, caution=caution)
        apart = residuals(person, z[user.query.rows]) - user.query.targets
        within = residuals(person, z[rows]) - targets
        generic = vectors[user.query.rows, 0]
        rated = generic + user.query.targets
        found.append((np.mean(apart**2), np.mean(within**2), spearman(rated + apart, rated)))
    query, support, srcc = np.array(found).T
    return Trial(query=query, support=support, srcc=srcc)


def choose(
    held: Sequence[Held],
    vectors: Array,
    standard: Standard,
    weights: Weights,
    rates: Weights,
    *,
    shots: tuple[int, int],
    seed: int,
) -> tuple[Choices, dict[str, dict[str, float]]]:
    """For each k the steps and the caution with the least error of new photos.

    Returns:
        the choices, and for each k what they are worth beside the generic score.
    """
    best, figures = [], {}
    options = [(0, CAUTION[0]), *((steps, caution) for steps in STEPS[1:] for caution in CAUTION)]
    for k in possible(held, shots):
        trials = {
            option: attempt(
                held, vectors, standard, weights, rates, k=k, steps=option[0], caution=option[1], seed=seed
            )
            for option in options
        }
        chosen = min(options, key=lambda option: trials[option].query.mean())
        trial = trials[chosen]
        best.append((k, *chosen, trial.query.mean(), trial.support.mean()))
        nothing = {key: np.zeros_like(value) for key, value in weights.items()}
        plain = attempt(held, vectors, standard, nothing, {}, k=k, steps=0, caution=1.0, seed=seed)
        figures[f"k={k}"] = {
            "users": len(trial.query),
            "srcc": float(np.nanmean(trial.srcc)),
            "srcc_generic": float(np.nanmean(plain.srcc)),
            "mse": float(trial.query.mean()),
            "mse_generic": float(plain.query.mean()),
        }
    k, steps, caution, query, support = np.array(best, dtype=np.float64).T
    return Choices(k=k, steps=steps, caution=caution, query=query, support=support), figures
