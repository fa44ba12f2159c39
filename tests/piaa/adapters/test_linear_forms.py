"""Many people's linear forms in one matrix: each has the score that she has by herself, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from generic.seeds import stream
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.linear_forms import LinearForms
from piaa.adapters.registry import make_adapter
from piaa.people.model import Model


@pytest.fixture(scope="module")
def prior(tiny_model):
    from generic.model.generic_model import GenericModel

    return Model(GenericModel(tiny_model)).prior


@pytest.fixture(scope="module")
def crowd(prior):
    """People by different adapters on 1 to 40 ratings, and photos."""
    draw, d = stream(0, "test", "crowd"), prior.n_directions + 3
    fitted = [
        make_adapter(adapter, prior).fit(draw.normal(size=(k, 1 + d)), draw.uniform(size=k))
        for adapter in ("auto", "ridge", "bias")
        for k in (1, 2, 3, 17, 40)
    ]
    return fitted, draw.normal(size=(5, 1 + d))


def test_nobodys_score_depends_on_who_or_what_else_is_asked(prior, crowd):
    fitted, photos = crowd
    forms = [one.linear_form() for one in fitted]
    together = LinearForms.of(forms).unit_scores(photos, prior)
    np.testing.assert_allclose(together, [one.predict(photos).score for one in fitted], atol=1e-9, rtol=0)
    for place, form in enumerate(forms):
        for photo in range(len(photos)):
            alone = LinearForms.of([form]).unit_scores(photos[photo : photo + 1], prior)
            assert alone[0, 0] == together[place, photo]
    backwards = LinearForms.of(forms[::-1] + forms[:3]).unit_scores(photos[::-1], prior)
    assert np.array_equal(backwards[: len(forms)][::-1, ::-1], together)


def test_without_smooth_functions_the_rest_is_left_and_said(prior, crowd):
    fitted, photos = crowd
    forms = [one.linear_form() for one in fitted]
    less = LinearForms.of(forms, exact=False)
    assert less.exact.tolist() == [not len(form.weights) for form in forms]
    assert less.exact.tolist() == [False] * 5 + [True] * 10
    straight = [LinearForm(coefficients=form.coefficients) for form in forms]
    expected = LinearForms.of(straight).unit_scores(photos, prior)
    assert np.array_equal(less.unit_scores(photos, prior), expected)
    whole = LinearForms.of(forms)
    assert whole.exact.all()
    assert whole.n_bytes > 2 * less.n_bytes


def test_what_a_matrix_takes_in_memory():
    form = LinearForm(coefficients=np.zeros(5), weights=np.ones(7), places=np.ones((7, 3)))
    # Rows have a weight, a length, a width and 3 numbers of place; a person 5 coefficients, the row she
    # begins at, which one she is, and whether nothing was left out.
    assert LinearForms.of([form] * 4).n_bytes == 4 * (7 * 6 * 8 + 5 * 8 + 2 * 8 + 1)
