"""Ratings and comparisons of one person as rows of one Gaussian model, which a mixture then averages over.

What a comparison says is no Gaussian, but under the average of all models before any answer it is matched by
one: expectation propagation (Minka, "Expectation propagation for approximate Bayesian inference", UAI 2001;
for Gaussian processes Rasmussen & Williams 2006, section 3.6). So every comparison becomes a rating of a
difference, with a target and a precision that do not count the comparison itself, and with a constant that
keeps the evidence. Targets are matched at every noise variance; precisions at the usual one, in units of the
noise, so that one decomposition still serves all of them.

The rows are then turned into the few directions in which they vary beyond noise.

Notation: k ratings, m comparisons, n = k + 2 m photos (rated, then one and other of the compared); N = k + m
rows, r directions; p weights; v noise variances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.posterior import Mixture
from piaa.adapters.prediction import Array
from piaa.adapters.preference import log_likelihood
from piaa.adapters.rows import Rows

_STEPS = 100
_CLOSE = 1e-8
"""In standard deviations of a rating's noise."""
_REST = 0.02
"""Variance of a row that is not looked at, in a rating's noise."""
_UNHEARD = 0.03
"""Variance of all rows along a direction that is left out, in a rating's noise: they would not tell it."""
_WORTH = 1 / np.pi
"""About what a comparison is worth, in ratings: the precision of an even one."""
_ROUGHLY = 1e-3
"""Of a precision, in that of a rating: whatever it is, the targets are matched to it."""
_FAINT = 1e-3
"""Least precision of a comparison, in a rating's: where it teaches nothing, its target must stay finite."""


def rows_of(
    mixture: Mixture, basis: Array, y: Array, equal: NDArray[np.bool_], kernels: Array | None = None
) -> Rows:
    """Ratings and comparisons as rows.

    Args:
        mixture: before any answer.
        basis: of the photos, shape (n, p).
        y: unit scores, shape (k,).
        equal: which comparisons prefer neither, shape (m,).
        kernels: of the functions between the photos, shape (functions, n, n).
    """
    k, before = len(y), mixture.before()
    rows = _differences(basis, k)
    blocks = None if kernels is None else _differences(_differences(kernels, k).swapaxes(1, 2), k)
    usual = rows @ before["covariance"] @ rows.T
    if blocks is not None:
        usual = usual + np.einsum("m,mij->ij", before["size"], blocks)
    start = rows @ mixture.mean
    worth = np.repeat([1.0, _WORTH], [k, len(equal)])
    factor = _factor(usual, worth, float(before["noise"]))
    found = _match(factor, start, y, equal, mixture.noise, float(before["noise"]))
    root = np.concatenate([np.ones(k), np.sqrt(found.precision)])
    turn = root[:, None] * np.linalg.qr(root[:, None] * factor)[0]  # W Q
    residual = np.concatenate([np.repeat(y[:, None], len(mixture.noise), 1), found.target]) - start[:, None]
    along = turn.T @ residual
    rest = (root[:, None] * residual) ** 2
    left = np.maximum(rest.sum(axis=0) - (along**2).sum(axis=0), 0.0)
    lacking = len(rows) - turn.shape[1]
    constant = found.constant - 0.5 * (lacking * np.log(2 * np.pi * mixture.noise) + left / mixture.noise)
    return Rows(
        basis=turn.T @ rows,
        residual=along,
        kernels=np.zeros((0, turn.shape[1], turn.shape[1])) if blocks is None else turn.T @ blocks @ turn,
        constant=constant,
        turn=np.concatenate([turn, -turn[k:]]),
    )


@dataclass(frozen=True, kw_only=True)
class _Matched:
    """Comparisons as ratings of differences."""

    precision: Array
    """In that of a rating, shape (m,)."""
    target: Array
    """For each noise variance, shape (m, v)."""
    constant: Array
    """Log of what a comparison's probability is beyond the density of its target, summed, shape (v,)."""


def _differences(values: Array, k: int) -> Array:
    """Rows of photos (..., n, q) as rows of answers (..., N, q)."""
    one, other = np.split(values[..., k:, :], 2, axis=-2)
    return np.concatenate([values[..., :k, :], one - other], axis=-2)


def _factor(gram: Array, weight: Array, noise: float) -> Array:
    """L, shape (N, r), with L L^T the covariance of the rows (N, N) but for what is lost in their noise.

    Pivoted Cholesky, always the row that the rows before say least of; then the principal directions.

    Args:
        gram: the covariance.
        weight: about what each row is worth, in a rating's precision, shape (N,).
        noise: variance of a rating.
    """
    from scipy.linalg.lapack import dpstrf

    root = np.sqrt(weight)
    lower, pivots, rank, _ = dpstrf(gram * root * root[:, None], lower=1, tol=max(_REST * noise, 1e-12))
    factor = np.zeros((len(gram), max(int(rank), 1)))
    factor[pivots - 1] = np.tril(lower)[:, : factor.shape[1]]
    values, vectors = np.linalg.eigh(factor.T @ factor)
    heard = values > _UNHEARD * noise
    heard[-1] = True
    return np.asarray((factor @ vectors[:, heard]) / root[:, None])


def _match(
    factor: Array, start: Array, y: Array, equal: NDArray[np.bool_], noise: Array, usual: float
) -> _Matched:
    """Expectation propagation for differences start + L a with a ~ N(0, 1)."""
    k = len(y)
    compared, gram, known = factor[k:], factor[:k].T @ factor[:k], factor[:k].T @ (y - start[:k])
    precision = _precision(compared, gram, known, start[k:], equal, usual)
    # Noise only shifts the eigenvalues of what all answers say.
    values, vectors = np.linalg.eigh(gram + (compared.T * precision) @ compared)
    turned, shrink = compared @ vectors, 1 / (1 + np.maximum(values, 0.0)[:, None] / noise)
    spread, each = turned**2 @ shrink, precision[:, None] / noise
    without = 1 - spread * each  # two photos of one vector have no spread: nothing is divided by it
    aside = spread / without
    told = vectors.T @ known
    pull, rate, last = np.zeros((len(equal), len(noise))), 1.0, np.inf
    for _ in range(_STEPS):
        mean = turned @ (shrink * (told[:, None] / noise + turned.T @ pull))
        cavity = (mean - spread * pull) / without
        log, slope, _ = _said(start[k:, None] + cavity, aside, noise, equal)
        matched = cavity * each + slope * (1 + aside * each)
        worst = float((np.abs(matched - pull) * np.sqrt(noise) / each).max())
        rate = rate / 2 if worst > last else rate  # steps that grow would never end
        pull, last = pull + rate * (matched - pull), worst
        if worst < _CLOSE:
            break
    target = pull / each
    total = aside + 1 / each
    constant = log + 0.5 * (np.log(2 * np.pi * total) + (target - cavity) ** 2 / total)
    constant += 0.5 * np.log(precision)[:, None]  # rows are in units in which all have a rating's noise
    return _Matched(
        precision=precision, target=start[k:, None] + target, constant=np.asarray(constant.sum(axis=0))
    )


def _precision(
    compared: Array, gram: Array, known: Array, start: Array, equal: NDArray[np.bool_], noise: float
) -> Array:
    """What a comparison says at one noise variance, in the precision of a rating; shape (m,)."""
    from scipy.linalg import solve_triangular

    precision, pull = np.full(len(equal), _WORTH / noise), np.zeros(len(equal))
    for _ in range(_STEPS):
        inner = np.eye(len(gram)) + gram / noise + (compared.T * precision) @ compared
        root = np.linalg.cholesky(inner)
        reach = solve_triangular(root, compared.T, lower=True, check_finite=False)
        told = solve_triangular(root, known / noise + compared.T @ pull, lower=True, check_finite=False)
        spread, mean = (reach**2).sum(axis=0), told @ reach
        without = 1 - spread * precision
        aside, cavity = spread / without, (mean - spread * pull) / without
        _, slope, curve = _said((start + cavity)[:, None], aside[:, None], np.array(noise), equal)
        rest = 1 - curve[:, 0] * aside
        before, precision = precision, curve[:, 0] / rest
        pull = (slope[:, 0] + curve[:, 0] * cavity) / rest
        if np.abs(precision - before).max() * noise < _ROUGHLY:
            break
    return np.maximum(precision * noise, _FAINT)


def _said(mean: Array, variance: Array, noise: Array, equal: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """As :func:`log_likelihood`, with comparisons along the first axis."""
    found = log_likelihood(mean.T, variance.T, np.reshape(noise, (-1, 1)), equal)
    return found[0].T, found[1].T, found[2].T
