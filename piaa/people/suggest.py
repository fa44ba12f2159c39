"""Which photos to rate next: those whose ratings teach most about the ranking of the album.

Under the Gaussian posterior over a person's weights (:mod:`piaa.adapters.bayes`) it is known before a photo
is rated how much its rating will narrow the posterior: the variance does not depend on the score. Photos are
picked one by one for the largest expected fall of the album's mean variance (A-optimal experimental design;
Chaloner & Verdinelli, "Bayesian experimental design", Statistical Science 1995; Cohn, Ghahramani & Jordan,
"Active learning with statistical models", JAIR 1996). What all photos share, the person's level, is left out:
it moves no rank. Each pick counts on those before it, so a batch holds no two photos that teach the same.

Costs n p^2 for each pick and no n x n matrix; numpy alone. Notation: n photos, p weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import CheckpointError, PiaaError
from piaa.adapters.bayes import BayesAdapter, mixture_of
from piaa.adapters.prediction import Array, State
from piaa.adapters.prior import Prior
from piaa.adapters.prior_checks import check_narrow, check_prior_memory

_CHUNK = 4096


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One photo to rate, and what its rating is expected to teach."""

    row: int
    """Which of the candidates' rows."""
    before: float
    """Standard deviation of what the person would give the album's photos, level aside, in unit scores,
    before this rating and after those above."""
    after: float
    """The same once it is rated."""


def knowledge(prior: Prior | None, support: tuple[NDArray[Any], Array] | None) -> State:
    """Mean, covariance and noise of a person's weights, as :class:`BayesAdapter` learns them.

    Args:
        prior: the model's.
        support: features (k, 1 + d) and unit scores (k,) of what she rated; None for somebody new.

    Raises:
        CheckpointError: the model file has no prior.
    """
    if prior is None:
        raise CheckpointError(
            "`piaa suggest` needs to know how people differ, but the model file has no prior; use a "
            "model that has one, such as piaa-lite"
        )
    check_prior_memory(prior)
    if support is None:
        return mixture_of(prior).before()
    return BayesAdapter(prior).fit(*support).state()


def suggest(
    prior: Prior,
    known: State,
    album: NDArray[Any],
    n: int,
    *,
    candidates: Sequence[int] | None = None,
    bursts: Sequence[int] | NDArray[np.intp] | None = None,
) -> list[Suggestion]:
    """Pick the photos of an album to rate next, the most instructive first.

    Args:
        prior: the model's.
        known: see :func:`knowledge`.
        album: model vectors of all photos that are to be ranked, shape (m, 1 + d).
        n: how many to pick; fewer if there are fewer candidates, or fewer bursts of them.
        candidates: rows of the album to pick from; None is all.
        bursts: of each photo of the album, of which no two are picked; None is no two photos alike.

    Raises:
        PiaaError: there is no candidate.
    """
    check_narrow(album.shape[1], prior)
    rows = np.arange(len(album)) if candidates is None else np.asarray(candidates, dtype=np.intp)
    if not len(rows):
        raise PiaaError("there is no photo to suggest; name a folder with photos that are not rated yet")
    scatter, covariance, noise = _scatter(prior, album), known["covariance"], float(known["noise"])
    scene = np.arange(len(album)) if bursts is None else np.asarray(bursts)
    left = np.ones(len(rows), dtype=bool)
    picked: list[Suggestion] = []
    while len(picked) < n and left.any():
        before = float(np.sum(covariance * scatter))
        place, reach, variance = _best(prior, album, rows, left, covariance, scatter, noise)
        covariance = covariance - np.outer(reach, reach) / (variance + noise)
        left &= scene[rows] != scene[rows[place]]
        after = float(np.sum(covariance * scatter))
        picked.append(Suggestion(row=int(rows[place]), before=_root(before), after=_root(after)))
    return picked


def _scatter(prior: Prior, album: NDArray[Any]) -> Array:
    """Covariance of phi over the album, shape (p, p): what of the weights shows in the ranking."""
    total, square = np.zeros(len(prior.mean)), np.zeros((len(prior.mean),) * 2)
    for start in range(0, len(album), _CHUNK):
        basis = prior.basis(album[start : start + _CHUNK])
        total += basis.sum(axis=0)
        square += basis.T @ basis
    mean = total / len(album)
    return np.asarray(square / len(album) - np.outer(mean, mean))


def _best(
    prior: Prior,
    album: NDArray[Any],
    rows: NDArray[np.intp],
    left: NDArray[np.bool_],
    covariance: Array,
    scatter: Array,
    noise: float,
) -> tuple[int, Array, float]:
    """Place among the candidates of the largest fall, C phi of it, and phi^T C phi.

    With C' = C - C phi phi^T C / (phi^T C phi + noise) the trace of C scatter falls by
    phi^T C scatter C phi / (phi^T C phi + noise).
    """
    both = covariance @ scatter @ covariance
    falls = np.full(len(rows), -np.inf)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        basis = prior.basis(album[rows[part]])
        variance = np.einsum("np,np->n", basis @ covariance, basis)
        falls[part] = np.einsum("np,np->n", basis @ both, basis) / (variance + noise)
    place = int(np.argmax(np.where(left, falls, -np.inf)))
    phi = prior.basis(album[rows[place]][None])[0]
    reach = covariance @ phi
    return place, reach, float(phi @ reach)


def _root(variance: float) -> float:
    return float(np.sqrt(max(variance, 0.0)))
