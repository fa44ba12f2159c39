"""What is known of a person before the first rating: the spread of tastes among training users.

A person's unit score of a photo is modelled as

    y = w . phi(x) + noise,    w ~ N(mean, taste * covariance),    noise ~ N(0, variance),

with phi(x) = (1, generic score, directions of the embedding): a level, a spread, and tastes. The
leading directions share a full covariance; the others, of which a few hundred users say too little
for that, one variance. Mean and covariance are learned from training users by expectation
maximisation (empirical Bayes, as in hierarchical linear models; Gelman & Hill 2007, chapter 12).
How noisily a person rates and how far the own taste goes from the crowd's differ between people:
both are averaged over a grid whose weights are learned from the same users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import CheckpointError

Array = NDArray[np.float64]

PREFIX = "prior."
TASTES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Factors on the covariance of the tastes: from close to the crowd to far from it."""
STRANGERS = 0.05
"""Weight kept for people, or photos, unlike any of the study: spread evenly over ``TASTES``."""


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Directions of an embedding that is not made of them: principal ones, of unit variance."""

    origin: Array
    """Mean of the embeddings, shape (d,)."""
    axes: Array
    """Shape (m, d)."""

    @classmethod
    def of(cls, embeddings: Array, *, most: int) -> Projection:
        """The leading directions of n photos' embeddings (n, d): a quarter of n, and ``most``, at most."""
        origin = embeddings.mean(axis=0)
        _, lengths, axes = np.linalg.svd(embeddings - origin, full_matrices=False)
        m = int(min(most, max(len(embeddings) // 4, 1), (lengths > 1e-6 * max(lengths[0], 1e-12)).sum()))
        return cls(origin=origin, axes=axes[:m] * (np.sqrt(len(embeddings)) / lengths[:m, None]))

    def __call__(self, embeddings: Array) -> Array:
        """Where embeddings (..., d) lie along the directions, shape (..., m); row by row."""
        return np.asarray(np.einsum("...d,md->...m", embeddings - self.origin, self.axes))


@dataclass(frozen=True, kw_only=True)
class Prior:
    """The distribution of people around the generic model.

    p = 2 + number of embedding directions in use; the order is level, spread, tastes.
    """

    mean: Array
    """Shape (p,)."""
    covariance: Array
    """Shape (p, p)."""
    noise: Array
    """Variances of a rating around the person's own taste, unit scores squared, shape (n_noise,)."""
    log_weights: Array
    """Log of the weight of each (taste, noise) pair, shape (len(TASTES), n_noise)."""
    center: float
    """Mean of the generic unit score on training photos."""
    spread: float
    """Its standard deviation."""
    residual: float
    """Standard deviation of ratings around the generic score over all users, unit scores."""
    projection: Projection | None = None
    """What makes its directions of an embedding; None: they are the embedding's own, the leading ones."""
    n_richer: int = 0
    """Last numbers of an embedding that are its richer part, see :mod:`generic.parts`."""

    def knows_richer(self, width: int) -> bool:
        """Whether vectors of so many numbers have the richer part; those of a small form have it not."""
        return bool(self.n_richer) and width == 1 + self.n_directions + self.n_richer

    def directions(self, features: NDArray[Any]) -> Array:
        """Where photos lie along the directions, shape (..., n_directions), of vectors (..., 1 + d)."""
        if self.projection is not None:
            return self.projection(np.asarray(features[..., 1:], np.float64))
        return np.asarray(features[..., 1 : 1 + self.n_directions], np.float64)

    @property
    def n_directions(self) -> int:
        """How many of the embedding's leading directions are used."""
        return len(self.mean) - 2

    @cached_property
    def reach(self) -> Array:
        """Directions in which people differ, each as long as they do, shape (n_directions, n_directions).

        Scaled to a root mean squared distance of 1 between two photos.
        """
        variances, directions = np.linalg.eigh(self.covariance[2:, 2:])
        root = directions * np.sqrt(np.maximum(variances, 0.0))
        length = max(float(np.sqrt(2 * np.maximum(variances, 0.0).sum())), 1e-12)
        return np.asarray(root / length)

    def basis(self, features: NDArray[Any]) -> Array:
        """phi(x), shape (..., p), from model vectors of shape (..., 1 + d)."""
        features = np.asarray(features, dtype=np.float64, order="C")  # sums run along a row, in one order
        generic = (features[..., :1] - self.center) / self.spread
        if features.shape[-1] == 1:  # level and spread alone are asked for
            return np.concatenate([np.ones_like(generic), generic], axis=-1)
        return np.concatenate([np.ones_like(generic), generic, self.directions(features)], axis=-1)

    def coefficients(self, weights: Array, width: int) -> Array:
        """Coefficients on (1, model vector), shape (1 + width,), of weights on phi.

        Args:
            weights: shape (q,), on the first q entries of phi; q is 2 or more.
            width: of a model vector, 1 + d.
        """
        if self.projection is None or len(weights) == 2:
            return coefficients_of(weights, width, self.center, self.spread)
        coefficients = coefficients_of(weights[:2], width, self.center, self.spread)
        coefficients[2:] = weights[2:] @ self.projection.axes
        coefficients[0] -= coefficients[2:] @ self.projection.origin
        return coefficients

    def covariances(self) -> Array:
        """The covariance for each of ``TASTES``, shape (len(TASTES), p, p).

        Level and spread of the scores say how a person uses the scale, not what she likes: they
        keep their own covariance whatever the taste.
        """
        root = np.sqrt(np.array(TASTES))[:, None]
        factors = np.concatenate([np.ones((len(TASTES), 2)), np.repeat(root, self.n_directions, 1)], axis=1)
        return np.asarray(self.covariance * factors[:, :, None] * factors[:, None, :])

    def tensors(self) -> dict[str, NDArray[Any]]:
        """For a model file; :meth:`from_tensors` is the inverse."""
        scalars = np.array([self.center, self.spread, self.residual])
        found = {
            "mean": self.mean,
            "covariance": self.covariance,
            "noise": self.noise,
            "log_weights": self.log_weights,
            "scalars": scalars,
        }
        if self.n_richer:
            found["n_richer"] = np.array(self.n_richer)
        if self.projection is not None:
            found |= {"origin": self.projection.origin, "axes": self.projection.axes}
        return found

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> Prior | None:
        """The prior of a model file, or None if it has none.

        Raises:
            CheckpointError: some of the prior's tensors are missing or do not fit together.
        """
        if not tensors:
            return None
        try:
            center, spread, residual = (float(x) for x in tensors["scalars"])
            arrays = {
                key: np.asarray(tensors[key], np.float64)
                for key in ("mean", "covariance", "noise", "log_weights")
            }
            p, n_noise = len(arrays["mean"]), len(arrays["noise"])
            for key, shape in (("covariance", (p, p)), ("log_weights", (len(TASTES), n_noise))):
                if arrays[key].shape != shape:
                    raise ValueError(f"{key} of shape {arrays[key].shape}, expected {shape}")
            projection = _projection(tensors, p - 2)
        except (KeyError, ValueError) as error:
            raise CheckpointError(
                f"the model file's prior cannot be understood ({error!r}); train the model again"
            ) from error
        return cls(
            **arrays,
            center=center,
            spread=spread,
            residual=residual,
            projection=projection,
            n_richer=int(tensors.get("n_richer", 0)),
        )


def _projection(tensors: Mapping[str, NDArray[Any]], m: int) -> Projection | None:
    """That of a model file's prior of m directions, if it has one."""
    if "axes" not in tensors:
        return None
    origin, axes = (np.asarray(tensors[key], np.float64) for key in ("origin", "axes"))
    if axes.shape != (m, len(origin)):
        raise ValueError(f"axes of shape {axes.shape}, expected {(m, len(origin))}")
    return Projection(origin=origin, axes=axes)


def coefficients_of(weights: Array, width: int, center: float, spread: float) -> Array:
    """See :meth:`Prior.coefficients`; of a phi with this centre and spread of the generic score."""
    coefficients = np.zeros(1 + width)
    coefficients[1] = weights[1] / spread
    coefficients[0] = weights[0] - coefficients[1] * center
    coefficients[2 : len(weights)] = weights[2:]
    return coefficients


def log_evidence(basis: Array, scores: Array, prior: Prior) -> Array:
    """Log probability of a person's ratings for each (taste, noise) pair of the grid.

    Args:
        basis: phi of the rated photos, shape (k, p).
        scores: unit scores, shape (k,).
        prior: mean, covariance and noise grid are used, its weights are not.

    Returns:
        shape (len(TASTES), n_noise).
    """
    residual = scores - basis @ prior.mean
    return np.array(
        [
            normal_log_density(*spectrum(basis, covariance), residual, prior.noise)
            for covariance in prior.covariances()
        ]
    )


def spectrum(basis: Array, covariance: Array) -> tuple[Array, Array]:
    """Eigenvalues (k,) and vectors (k, k) of the ratings' covariance before noise, basis C basis^T.

    One decomposition serves every noise level: noise only shifts the eigenvalues.
    """
    values, vectors = np.linalg.eigh(basis @ covariance @ basis.T)
    return np.maximum(values, 0.0), vectors


def normal_log_density(values: Array, vectors: Array, residual: Array, noise: Array) -> Array:
    """Log density of N(0, V diag(values) V^T + noise I) at ``residual`` for each noise, shape (n_noise,)."""
    total = values[:, None] + noise[None, :]
    projected = (vectors.T @ residual)[:, None]
    return np.asarray(-0.5 * (np.log(2 * np.pi * total) + projected**2 / total).sum(axis=0))


def learn_prior(
    features: NDArray[Any],
    crowd: Array,
    people: Sequence[tuple[NDArray[np.intp], Array]],
    *,
    n_joint: int,
    n_noise: int = 7,
    rounds: int = 25,
    honest: NDArray[np.bool_] | None = None,
) -> Prior:
    """Learn the spread of tastes from training users.

    How people differ is learned around the crowd's mean of each photo, not around the generic score:
    what the generic model gets wrong on these photos is wrong for everybody, and would otherwise pass
    for a taste that all people share.

    Args:
        features: model vectors of the training photos, shape (n, 1 + d), with out-of-fold generic
            scores (of a model that has not seen the photo), or the prior trusts them too much.
        crowd: mean unit score of each photo, shape (n,).
        people: for each user the photos she rated (rows of ``features``) and her unit scores.
        n_joint: how many of the embedding's leading directions share a full covariance.
        n_noise: size of the noise grid.
        rounds: rounds of expectation maximisation.
        honest: of which photos the generic score is that of a model that has not seen them, shape (n,); None:
            of all. What the score errs by is learned from these.
    """
    features = np.asarray(features, dtype=np.float64)
    known_to, p = np.ones(len(features), bool) if honest is None else honest, 1 + features.shape[1]
    every, generic = features[:, 0], features[known_to, 0]
    gaps = np.concatenate([(scores - every[rows])[known_to[rows]] for rows, scores in people])
    values: dict[str, Any] = {
        "mean": np.zeros(p),
        "covariance": 0.01 * np.eye(p),
        "noise": np.ones(1),
        "log_weights": np.zeros((len(TASTES), 1)),
        "center": float(generic.mean()),
        "spread": float(generic.std()),
        "residual": float(np.sqrt(np.mean(gaps**2))),
    }
    known = np.concatenate([crowd[:, None], features[:, 1:]], axis=1)
    basis = Prior(**values).basis(known)
    data = [(basis[rows], np.asarray(scores, np.float64)) for rows, scores in people]
    mean, covariance, noise = _maximise(data, values["mean"], values["covariance"], 2 + n_joint, rounds)
    values |= {"mean": mean, "covariance": covariance}
    values["noise"] = np.quantile(noise, np.linspace(0.03, 0.97, n_noise))
    values["log_weights"] = _weigh(data, Prior(**values))
    # On a new photo the generic score stands for the crowd's mean, and brings its own error.
    values["noise"] = values["noise"] + float(np.mean((crowd[known_to] - generic) ** 2))
    return Prior(**values)


def _maximise(
    data: Sequence[tuple[Array, Array]], mean: Array, covariance: Array, joint: int, rounds: int
) -> tuple[Array, Array, Array]:
    """Expectation maximisation of mean, covariance (full below ``joint``) and each user's noise."""
    noise = np.full(len(data), 0.03)
    grams = [(basis.T @ basis, basis.T @ scores, scores @ scores, len(scores)) for basis, scores in data]
    for _ in range(rounds):
        precision = np.linalg.inv(covariance)
        means, spread = [], np.zeros_like(covariance)
        for j, (gram, moment, square, k) in enumerate(grams):
            posterior = np.linalg.inv(precision + gram / noise[j])
            w = posterior @ (precision @ mean + moment / noise[j])
            error = square - 2 * w @ moment + w @ gram @ w + np.trace(posterior @ gram)
            # Two imaginary ratings of noise 0.03 keep a user who rates like a model from noise 0.
            noise[j] = (error + 2 * 0.03) / (k + 2)
            means.append(w)
            spread += posterior
        stacked = np.array(means)
        mean = stacked.mean(axis=0)
        mean[2:] = 0.0  # the crowd's mean has no taste beyond itself
        centred = stacked - mean
        covariance = (centred.T @ centred + spread) / len(data) + 1e-6 * np.eye(len(mean))
        variance = np.trace(covariance[joint:, joint:]) / max(len(mean) - joint, 1)
        covariance[joint:], covariance[:, joint:] = 0.0, 0.0
        covariance[joint:, joint:] = variance * np.eye(len(mean) - joint)
    return mean, covariance, noise


def _weigh(data: Sequence[tuple[Array, Array]], prior: Prior, rounds: int = 50) -> Array:
    """Maximum-likelihood weights of the (taste, noise) grid, with room for strangers."""
    evidence = np.array([log_evidence(basis, scores, prior) for basis, scores in data])
    weights = np.full(evidence.shape[1:], 1.0 / evidence[0].size)
    for _ in range(rounds):
        joint = evidence + np.log(weights)
        share = np.exp(joint - joint.max(axis=(1, 2), keepdims=True))
        share /= share.sum(axis=(1, 2), keepdims=True)
        # One imaginary user, spread over the grid, keeps every weight above 0.
        weights = (share.sum(axis=0) + 1.0 / evidence[0].size) / (len(data) + 1)
    strangers = np.broadcast_to(weights.sum(axis=0) / len(TASTES), weights.shape)
    return np.asarray(np.log((1 - STRANGERS) * weights + STRANGERS * strangers))
