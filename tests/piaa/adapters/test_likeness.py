"""The functions of auto without a prior."""

from __future__ import annotations

import numpy as np

from piaa.adapters.kernel import places
from piaa.adapters.likeness import WIDTHS, Likeness, length, of_evidence

X = np.column_stack((np.zeros(9), np.random.default_rng(0).normal(3, 2, (9, 5))))
Z = places(X, None)


def test_length_is_the_root_mean_squared_distance_of_two():
    squares = [((a - b) ** 2).sum() for i, a in enumerate(Z) for b in Z[:i]]
    np.testing.assert_allclose(length(Z), np.sqrt(np.mean(squares)), rtol=1e-12)
    assert length(Z[:1]) == length(Z[[0, 0]]) == 1


def test_the_scale_of_the_embedding_makes_no_difference():
    one, other = (Likeness(places=z, width=0.5 * length(z)) for z in (Z, 40 * Z))
    np.testing.assert_allclose(one.both(Z), other.both(40 * Z), rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.einsum("nn->n", one.linear(Z)), one.own(Z)[:, 1], rtol=0, atol=1e-12)
    assert abs(one.own(Z)[:, 1].mean() - 1) < 0.2


def test_the_width_is_that_of_the_highest_evidence():
    unit = length(Z)
    for width in WIDTHS:
        wanted = Likeness(places=Z, width=width * unit).smooth(Z)
        found = of_evidence(Z, lambda kernel, wanted=wanted: -float(np.abs(kernel - wanted).sum()))
        assert found.width == width * unit
    assert of_evidence(Z, lambda _: 0.0).width == unit  # of equals the usual one


def test_as_a_linear_form_it_gives_the_same_sums():
    like = Likeness(places=Z, width=0.4)
    weights, line = np.random.default_rng(1).standard_normal(18), np.array([0.5, 1.0, *[0.1] * 5])
    new = np.column_stack((np.zeros(4), np.random.default_rng(2).normal(3, 2, (4, 5))))
    form = like.linear_form(line, weights)
    got = form.coefficients[0] + new @ form.coefficients[1:] + form.smooth(places(new, None))
    expected = 0.5 + new @ line[1:] + like.both(places(new, None)) @ weights
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
