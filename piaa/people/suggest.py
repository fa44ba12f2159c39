"""What to ask next: photos to rate, or pairs to compare, whose answers teach most about the album's ranking.

Under the Gaussian posterior over a person's weights (:mod:`piaa.adapters.bayes`) it is known before an answer
how far it will narrow the posterior: of a rating exactly, of a comparison on average over what she may say.
Questions are picked one by one for the largest expected fall of the album's mean variance, for each second
that the answer takes (A-optimal experimental design; Chaloner & Verdinelli, "Bayesian experimental design",
Statistical Science 1995; Cohn, Ghahramani & Jordan, "Active learning with statistical models", JAIR 1996).
What all photos share, the person's level, is left out: it moves no rank. Each pick counts on those before it,
so a batch holds no two questions that teach the same.

Every photo is looked at once; then the most instructive ones alone are, a thousand of them, and pairs of the
few hundred that lie farthest apart in what is open. No n x n matrix; numpy alone. Notation: n photos, p
weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import CheckpointError, PiaaError
from piaa.adapters.bayes import BayesAdapter, mixture_of
from piaa.adapters.compared import Compared
from piaa.adapters.prediction import Array, State
from piaa.adapters.prior import Prior
from piaa.adapters.prior_checks import check_narrow, check_prior_memory
from piaa.people.asking import RATINGS, Asking, Seconds, Suggestion

_CHUNK = 4096
_LOOKED_AT = 1_000
"""Photos that are looked at again for every pick."""


def knowledge(
    prior: Prior | None,
    support: tuple[NDArray[Any], Array] | None,
    compared: Compared | None = None,
) -> State:
    """Mean, covariance and noise of a person's weights, as :class:`BayesAdapter` learns them.

    Args:
        prior: the model's.
        support: features (k, 1 + d) and unit scores (k,) of what she rated; None if that is nothing.
        compared: what she compared; None if that is nothing.

    Raises:
        CheckpointError: the model file has no prior.
    """
    if prior is None:
        raise CheckpointError(
            "`piaa suggest` needs to know how people differ, but the model file has no prior; use a "
            "model that has one, such as piaa-lite"
        )
    check_prior_memory(prior)
    if support is None and compared is None:
        return mixture_of(prior).before()
    features, scores = support or (np.zeros((0, 0)), np.zeros(0))
    if compared is None:
        return BayesAdapter(prior).fit(features, scores).state()
    return BayesAdapter(prior).fit_both(features, scores, compared).state()


def suggest(
    prior: Prior,
    known: State,
    album: NDArray[Any],
    n: int,
    *,
    candidates: Sequence[int] | None = None,
    bursts: Sequence[int] | NDArray[np.intp] | None = None,
    seconds: Seconds = RATINGS,
) -> list[Suggestion]:
    """Pick what to ask next of an album, the most instructive for a second of her time first.

    Args:
        prior: the model's.
        known: see :func:`knowledge`.
        album: model vectors of all photos that are to be ranked, shape (m, 1 + d).
        n: how many questions to pick; fewer if there are fewer candidates, or fewer bursts of them.
        candidates: rows of the album to pick from; None is all.
        bursts: of each photo of the album, of which no two are picked; None is no two photos alike.
        seconds: what an answer costs, of either kind.

    Raises:
        PiaaError: there is no candidate, or a single one, and comparisons alone are asked for.
    """
    check_narrow(album.shape[1], prior)
    rows = np.arange(len(album)) if candidates is None else np.asarray(candidates, dtype=np.intp)
    scene = np.arange(len(album)) if bursts is None else np.asarray(bursts)
    if not len(rows):
        raise PiaaError("there is no photo to suggest; name a folder with photos that are not rated yet")
    if seconds.rating is None and len(set(scene[rows].tolist())) < 2:
        raise PiaaError("there are no two photos to compare; name a folder with more photos")
    scatter = _scatter(prior, album)
    rows = _shortlist(prior, album, rows, scene, known, scatter)
    asking = Asking(
        basis=prior.basis(album[rows]),
        scene=scene[rows],
        scatter=scatter,
        mean=known["mean"],
        noise=float(known["noise"]),
        seconds=seconds,
        covariance=known["covariance"],
        left=np.ones(len(rows), dtype=bool),
    )
    return [_numbered(one, rows) for one in asking.picks(n)]


def _numbered(one: Suggestion, rows: NDArray[np.intp]) -> Suggestion:
    """With rows of the album for those of the shortlist."""
    other = None if one.other is None else int(rows[one.other])
    return replace(one, row=int(rows[one.row]), other=other)


def _scatter(prior: Prior, album: NDArray[Any]) -> Array:
    """Covariance of phi over the album, shape (p, p): what of the weights shows in the ranking."""
    total, square = np.zeros(len(prior.mean)), np.zeros((len(prior.mean),) * 2)
    for start in range(0, len(album), _CHUNK):
        basis = prior.basis(album[start : start + _CHUNK])
        total += basis.sum(axis=0)
        square += basis.T @ basis
    mean = total / len(album)
    return np.asarray(square / len(album) - np.outer(mean, mean))


def _shortlist(
    prior: Prior,
    album: NDArray[Any],
    rows: NDArray[np.intp],
    scene: NDArray[np.intp],
    known: State,
    scatter: Array,
) -> NDArray[np.intp]:
    """Candidates that may be picked: of many those that would teach most now, one of each burst."""
    if len(rows) <= _LOOKED_AT:
        return rows
    covariance, falls = known["covariance"], np.empty(len(rows))
    both = covariance @ scatter @ covariance
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        basis = prior.basis(album[rows[part]])
        variance = np.einsum("np,np->n", basis @ covariance, basis)
        falls[part] = np.einsum("np,np->n", basis @ both, basis) / (variance + float(known["noise"]))
    order = rows[np.argsort(-falls, kind="stable")]
    _, first = np.unique(scene[order], return_index=True)
    return np.sort(order[np.sort(first)[:_LOOKED_AT]])
