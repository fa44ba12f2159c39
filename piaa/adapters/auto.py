"""``auto``, the default: what a person's ratings give evidence for, averaged.

A grid of models from "rates as the crowd does, on a level of her own" over the tastes that training users
differ in (``bayes``) to a smooth function of the embedding on top (``neighbours``) or a taste in whatever
direction (``ridge``), each with its closed-form evidence on the support; Bayesian model averaging
(:mod:`piaa.adapters.posterior`) weighs them. Tastes start small and grow with the evidence, so few ratings
move the ranking little. Weights before the ratings come from training users, or where there is no prior from
the constants below, and the smooth function's width is then searched (:mod:`piaa.adapters.likeness`); nothing
is chosen on ratings to be predicted. Costs one eigendecomposition of k x k for each covariance and size: 24,
or without a prior 16.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.checks import fitted
from piaa.adapters.comparing import ComparingAdapter
from piaa.adapters.joint import rows_of
from piaa.adapters.kernel import places
from piaa.adapters.likeness import Likeness, best_of, likenesses, of_evidence
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.many import MOST, Covariance, Summary, stand_ins
from piaa.adapters.neighbours import LEVEL, NOISES, SLOPE
from piaa.adapters.posterior import Mixture, normal_of
from piaa.adapters.prediction import Array, State
from piaa.adapters.prior import STRANGERS, TASTES, Prior, coefficients_of
from piaa.adapters.prior_checks import check_memory, check_narrow, check_prior_memory
from piaa.adapters.richer import SIZES as RICHER_SIZES
from piaa.adapters.richer import TwoKinds, wide_places, with_richer
from piaa.adapters.spread import TYPICAL, own_spread
from piaa.adapters.strangers import with_strangers

SIZES = (0.0, 0.1, 0.3)
"""Variances of the smooth function, in those of a person's ratings around the generic score."""
SIZE_WEIGHTS = (0.5, 0.25, 0.25)
"""Before the ratings: as likely as not there is none."""
FREE_SIZES = (0.1, 0.4, 1.6)
"""Variances of either function where there is no prior, likewise; and of a taste that training users do not
have, where there is one."""
FREE = 0.05
"""Weight of such tastes beside a prior."""
LINE = (0.5, 1.0)
"""Centre and spread of the generic score where no prior says them."""
TURN = "turn"
"""Key, where comparisons were learned from, of what makes its directions of the photos compared and rated."""
WIDTH = "width"
"""Key of the smooth function's width in a state that was learned without a prior."""
STAND_INS = "stand_ins"
"""Key of the rows, in canonical order, of those rated photos that stand for all."""
_WORKING = 4
"""Matrices of a cell's size that are held beside the cells, as measured at 1,000 ratings."""


class AutoAdapter(ComparingAdapter):
    """Level, tastes and a smooth function of the embedding, averaged by evidence.

    Args:
        prior: the model's; without one there are no tastes that people share, only level and smooth function.

    Raises:
        TooLarge: covariances of the prior's size would not fit into memory; raised by a fit too, of many
            thousand ratings.
    """

    name: ClassVar[str] = "auto"
    has_linear_form: ClassVar[bool] = True
    derived: ClassVar[tuple[str, ...]] = ("rated",)
    exact: ClassVar[int] = MOST
    """So many ratings are taken as they are; of more, so many stand for all (:mod:`piaa.adapters.many`)."""

    def __init__(self, prior: Prior | None = None) -> None:
        if prior is not None:
            check_prior_memory(prior)
        super().__init__(prior)

    def _side(self, k: int) -> int:
        k = min(k, self.exact)
        if self._prior is None:
            return 2 * k + 2
        return (2 if self._prior.n_richer else 1) * k + len(self._prior.mean)

    def _learn(self, x: Array, y: Array) -> list[State]:
        u, k, width = x.shape
        self._check_memory(k)
        if self._prior is not None:
            check_narrow(width, self._prior)
        flat = x.reshape(u * k, width)
        z = self._places(flat).reshape(u, k, -1)
        basis = self._basis(flat).reshape(u, k, -1)
        n_richer = self._n_richer(width)
        if k > self.exact:
            people = zip(basis, y, z, strict=True)
            return [_packed(_learn_many(self._prior, *person, self.exact, n_richer)) for person in people]
        if self._prior is None:
            found = _learn_free(basis, y, z)
        else:
            found = _learn_tastes(self._prior, basis, y, z, n_richer)
        return [{**_packed(state), "rated": one} for state, one in zip(found, z, strict=True)]

    def _learn_both(self, photos: Array, y: Array, equal: NDArray[np.bool_]) -> State:
        self._check_memory(len(y) + len(equal))
        if self._prior is not None:
            check_narrow(photos.shape[1], self._prior)
        z, basis = self._places(photos), self._basis(photos)
        if self._prior is None:
            state, turn = _compare_free(basis, y, equal, z)
        else:
            n_richer = self._n_richer(photos.shape[1])
            state, turn = _compare_tastes(self._prior, basis, y, equal, z, n_richer)
        return {**_packed(state), TURN: turn.astype(np.float32), "rated": z}

    def _derive(self, x: Array, learned: State) -> State:
        return {"rated": self._places(x[learned.get(STAND_INS, slice(None))])}

    def _n_richer(self, width: int) -> int:
        """Of how many numbers the richer part of vectors of ``width`` numbers is."""
        known = self._prior is not None and self._prior.knows_richer(width)
        return self._prior.n_richer if self._prior is not None and known else 0

    def _places(self, x: Array) -> Array:
        if self._prior is not None and self._n_richer(x.shape[1]):
            return wide_places(x, self._prior)
        return places(x, self._prior)

    def _check_memory(self, k: int) -> None:
        """Raises TooLarge unless the cells of the average, which are held together, fit into memory."""
        if self._prior is None:
            cells, cure = 1 + 2 * len(FREE_SIZES), "leave out some of the ratings"
        else:
            sizes = len(SIZES) + (len(RICHER_SIZES) if self._prior.n_richer else 0)
            cells = sizes * (1 + len(TASTES)) + len(FREE_SIZES)
            cure = "use --adapter bayes, whose memory grows with the ratings only"
        check_memory(self._side(k), copies=cells + _WORKING, cure=cure)

    def _normal(self, learned: State, x: Array) -> tuple[Array, Array]:
        like = self._likeness(learned)
        own = like.own(self._places(x)) if _has_two(learned, like) else None
        return normal_of(_unpacked(learned), self._features(learned, x), own)

    def _apart(self, learned: State, one: Array, other: Array) -> tuple[Array, Array, State]:
        gap, like = self._features(learned, one) - self._features(learned, other), self._likeness(learned)
        own = like.apart(self._places(one), self._places(other))
        return gap, own if _has_two(learned, like) else own[:, :1], _unpacked(learned)

    def _features(self, learned: State, x: Array) -> Array:
        """Of photos (n, 1 + d), what the learned weights are of, shape (n, q)."""
        z, like = self._places(x), self._likeness(learned)
        alike = like.both(z) if _has_two(learned, like) else like.smooth(z)
        if TURN in learned:
            kinds = alike.reshape(len(z), -1, len(learned[TURN]))
            alike = np.einsum("nck,kr->ncr", kinds, learned[TURN]).reshape(len(z), -1)
        return np.concatenate([self._basis(x), alike], axis=1)

    def _likeness(self, learned: State) -> Likeness | TwoKinds:
        n_richer = self._n_richer(self.support[0].shape[1])
        if n_richer:
            return TwoKinds(places=learned["rated"], n_richer=n_richer)
        width = float(np.asarray(learned.get(WIDTH, 1.0)).item())
        return Likeness(places=learned["rated"], width=width)

    def linear_form(self) -> LinearForm:
        """See :class:`piaa.adapters.base.Adapter`."""
        learned, width = fitted(self._learned, self.name), self.support[0].shape[1]
        z, prior = learned["rated"], self._prior
        weights, alike = np.split(learned["mean"], [2 if prior is None else len(prior.mean)])
        coefficients = coefficients_of(weights, width, *LINE)
        if prior is not None:
            coefficients = prior.coefficients(weights, width)
        like = self._likeness(learned)
        if TURN in learned:
            alike = (alike.reshape(-1, learned[TURN].shape[1]) @ learned[TURN].T).ravel()
        if _has_two(learned, like):
            form = like.linear_form(coefficients, alike)
        else:
            form = LinearForm(coefficients=coefficients, weights=alike, places=z)
        if self.support[0].dtype != np.float32:
            return form
        rows, leading = learned.get(STAND_INS, slice(None)), width - self._n_richer(width)
        return replace(form, rated=self._whole()[rows, :leading].astype(np.float32))

    def _basis(self, x: Array) -> Array:
        return line_basis(x) if self._prior is None else self._prior.basis(x)


def _learn_tastes(prior: Prior, basis: Array, y: Array, z: Array, n_richer: int) -> list[State]:
    """What people teach where training users say how people differ."""
    if n_richer:
        likes = [TwoKinds(places=one, n_richer=n_richer) for one in z]
        pairs = [np.stack([like.smooth(one), like.linear(one)]) for like, one in zip(likes, z, strict=True)]
        return mixture_of(prior, richer=True).posterior(basis, y, np.stack(pairs))
    kernels = np.stack([Likeness(places=one, width=1.0).smooth(one) for one in z])
    return mixture_of(prior).posterior(basis, y, kernels[:, None])


def _learn_free(basis: Array, y: Array, z: Array) -> list[State]:
    """What people teach where nobody says how people differ."""
    searched, whole = _free_mixture(smooth_alone=True), _free_mixture()
    likes = []
    for one, scores, line in zip(z, y, basis, strict=True):

        def evidence(kernel: Array, line: Array = line, scores: Array = scores) -> float:
            return float(searched.evidence(line[None], scores[None], kernel[None, None])[0])

        likes.append(of_evidence(one, evidence))
    kernels = np.stack(
        [np.stack([like.smooth(one), like.linear(one)]) for like, one in zip(likes, z, strict=True)]
    )
    states = whole.posterior(basis, y, kernels)
    return [{**state, WIDTH: np.array(like.width)} for state, like in zip(states, likes, strict=True)]


def _compare_tastes(
    prior: Prior, basis: Array, y: Array, equal: NDArray[np.bool_], z: Array, n_richer: int
) -> tuple[State, Array]:
    """As :func:`_learn_tastes`, of one person who compared photos, too; and the turn."""
    grid, kernels = mixture_of(prior, richer=n_richer > 0), _kernels(z, n_richer)
    rows = rows_of(grid, basis, y, equal, kernels)
    return rows.posterior(grid), rows.turn


def _kernels(z: Array, n_richer: int) -> Array:
    """Covariances of the functions between photos at places z, beside a prior, shape (m, k, k)."""
    if n_richer:
        return np.stack(TwoKinds(places=z, n_richer=n_richer).among())
    return Likeness(places=z, width=1.0).smooth_among()[None]


def _compare_free(basis: Array, y: Array, equal: NDArray[np.bool_], z: Array) -> tuple[State, Array]:
    """As :func:`_learn_free`, likewise."""
    searched, whole = _free_mixture(smooth_alone=True), _free_mixture()

    def evidence(kernel: Array) -> float:
        return rows_of(searched, basis, y, equal, kernel[None]).evidence(searched)

    like = of_evidence(z, evidence)
    rows = rows_of(whole, basis, y, equal, np.stack(like.among()))
    return {**rows.posterior(whole), WIDTH: np.array(like.width)}, rows.turn


def _learn_many(prior: Prior | None, basis: Array, y: Array, z: Array, n: int, n_richer: int) -> State:
    """What one person teaches of whose many photos n stand for all."""
    rows, squares = stand_ins(z[:, : z.shape[1] - n_richer], n)
    kept = {"rated": z[rows], STAND_INS: rows}

    def summary(like: Likeness | TwoKinds, *further: Covariance) -> Summary:
        functions = (lambda part: like.smooth_at(squares[part]), *further)
        return Summary.of(basis, y, rows, functions, like.own(z)[:, : len(functions)])

    if prior is not None and n_richer:
        two = TwoKinds(places=z[rows], n_richer=n_richer)
        found = summary(two, lambda part: two.linear(z[part]))
        return {**mixture_of(prior, richer=True).posterior_of(found), **kept}
    if prior is not None:
        like = Likeness(places=z[rows], width=1.0)
        return {**mixture_of(prior).posterior_of(summary(like)), **kept}
    searched, whole = _free_mixture(smooth_alone=True), _free_mixture()
    likes = likenesses(z[rows])
    like = best_of(likes, [searched.evidence_of(summary(one)) for one in likes])
    state = whole.posterior_of(summary(like, lambda part: like.linear(z[part])))
    return {**state, **kept, WIDTH: np.array(like.width)}


def mixture_of(prior: Prior, *, richer: bool = False) -> Mixture:
    """The grid of (taste or none, size, noise) before any rating.

    Beside the tastes of training users, at sizes of the smooth function, there are tastes alike in all
    directions without one: those of somebody who is like nobody.

    Args:
        prior: the model's.
        richer: whether vectors have a richer part: its function then stands beside tastes as well, in the
            place of the smooth one.
    """
    unit = own_spread(prior) ** 2
    noise, known = with_strangers(prior.noise, prior.log_weights)
    every = np.logaddexp.reduce(known, axis=0)
    tastes = np.concatenate([np.log(STRANGERS) + every[None], np.log(1 - STRANGERS) + known])
    free = np.full((len(FREE_SIZES), len(SIZES), len(noise)), -np.inf)
    free[:, 0] = every + np.log(FREE / len(FREE_SIZES))
    sized = tastes[:, None] + np.log(SIZE_WEIGHTS)[:, None] + np.log(1 - FREE)
    weights, sizes = np.concatenate([sized, free]), unit * np.array(SIZES)[:, None]
    if richer:
        weights, sizes = with_richer(weights, sizes, tastes + np.log(1 - FREE), unit)
    return Mixture(
        mean=prior.mean,
        covariances=np.concatenate([_crowd(prior)[None], prior.covariances(), _alike(prior, unit)]),
        noise=noise,
        log_weights=weights,
        sizes=sizes,
        n_for_mean=len(prior.noise),
    )


def _crowd(prior: Prior) -> Array:
    """Covariance of people who have level and spread alone."""
    covariance = np.zeros_like(prior.covariance)
    covariance[:2, :2] = prior.covariance[:2, :2]
    return covariance


def _alike(prior: Prior, unit: float) -> Array:
    """Covariances of tastes alike in all directions, shape (len(FREE_SIZES), p, p)."""
    tastes = np.zeros_like(prior.covariance)
    tastes[2:, 2:] = np.eye(prior.n_directions) / max(prior.n_directions, 1)
    return np.array([_crowd(prior) + size * unit * tastes for size in FREE_SIZES])


def _free_mixture(*, smooth_alone: bool = False) -> Mixture:
    """The grid of (smooth, linear or none, noise) without a prior; or that of the smooth function alone."""
    unit = TYPICAL**2
    noise, weights = with_strangers(unit * np.array(NOISES), np.full(len(NOISES), -np.log(len(NOISES))))
    smooth, linear = [(size, 0.0) for size in FREE_SIZES], [(0.0, size) for size in FREE_SIZES]
    sizes = (
        np.array([size for size, _ in smooth])[:, None]
        if smooth_alone
        else np.array([(0, 0), *smooth, *linear])
    )
    kinds = 1 if smooth_alone else 3
    each = np.full(len(sizes), 1 / kinds / len(FREE_SIZES))
    if not smooth_alone:
        each[0] = 1 / kinds
    return Mixture(
        mean=np.array([0.5, 1.0]),
        covariances=np.diag([LEVEL**2, SLOPE**2])[None],
        noise=noise,
        log_weights=(np.log(each)[:, None] + weights)[None],
        sizes=unit * sizes,
        n_for_mean=len(NOISES),
    )


def _has_two(learned: State, like: Likeness | TwoKinds) -> bool:
    """Whether two functions were learned: not with a prior alone, or by releases that knew one."""
    return WIDTH in learned or isinstance(like, TwoKinds)


def line_basis(x: Array) -> Array:
    """A level and a slope on the generic score, shape (n, 2)."""
    return np.column_stack((np.ones(len(x)), (x[:, 0] - LINE[0]) / LINE[1]))


def _packed(state: State) -> State:
    """The state with half of its symmetric covariance, in single precision: a quarter of the bytes."""
    covariance = state["covariance"]
    return {**state, "covariance": covariance[np.tril_indices(len(covariance))].astype(np.float32)}


def _unpacked(state: State) -> State:
    lower: NDArray[np.float64] = np.zeros((len(state["mean"]),) * 2)
    lower[np.tril_indices(len(lower))] = state["covariance"]
    return {**state, "covariance": lower + np.tril(lower, -1).T}
