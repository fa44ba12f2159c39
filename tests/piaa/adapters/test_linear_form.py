"""Linear forms of many people give the scores that each adapter gives by itself."""

from __future__ import annotations

import numpy as np
import pytest

from generic.errors import StoreError
from generic.seeds import stream
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.linear_forms import LinearForms
from piaa.adapters.registry import ADAPTERS, make_adapter
from piaa.people.model import Model


@pytest.fixture(scope="module")
def prior(tiny_model):
    from generic.model.generic_model import GenericModel

    return Model(GenericModel(tiny_model)).prior


@pytest.mark.parametrize("with_prior", [True, False])
def test_scores_equal_those_of_the_adapters(prior, with_prior):
    draw = stream(0, "test", "rows")
    d = prior.n_directions + 3
    used = prior if with_prior else None
    linear = [name for name, kind in ADAPTERS.items() if kind.has_linear_form]
    chosen = [name for name in linear if with_prior or not ADAPTERS[name].needs_prior]
    assert chosen == (linear if with_prior else ["generic", "ridge", "auto"])
    photos = draw.normal(size=(7, 1 + d))
    expected, found = [], []
    for adapter in chosen:
        for k in (1, 2, 9):
            fitted = make_adapter(adapter, used).fit(draw.normal(size=(k, 1 + d)), draw.uniform(size=k))
            found.append(LinearForm.unpack(fitted.linear_form().pack(), used, d))
            expected.append(fitted.predict(photos).score)
    np.testing.assert_allclose(LinearForms.of(found).unit_scores(photos, used), expected, atol=1e-9, rtol=0)


def test_the_stored_bytes_are_the_parts_one_after_the_other():
    """As written by every piaa so far; stores are full of them."""
    form = LinearForm(
        coefficients=np.array([1.0, 2.0, 3.0]), weights=np.array([4.0, 5.0]), places=np.array([[6.0], [7.0]])
    )
    assert form.pack() == np.arange(1, 8, dtype="<f8").tobytes()
    again = LinearForm.unpack(form.pack(), None, 1)
    assert [again.coefficients.tolist(), again.weights.tolist()] == [[1, 2, 3], [4, 5]]
    assert again.places.tolist() == [[6], [7]]


@pytest.mark.parametrize("rated", [None, np.array([[0.5, 6.0], [0.5, 7.0]], np.float32)])
def test_a_width_of_its_own_stands_behind_them(rated):
    z = np.array([[6.0], [7.0]]) / np.sqrt(2)
    form = LinearForm(
        coefficients=np.array([1.0, 2, 3]), weights=np.array([4.0, 5]), places=z, rated=rated, width=0.7
    )
    again = LinearForm.unpack(form.pack(), None, 1)
    assert again.width == 0.7
    np.testing.assert_array_equal(again.places, z)
    expected = 4 * np.exp(-((1 - z[0]) ** 2) / (2 * 0.49)) + 5 * np.exp(-((1 - z[1]) ** 2) / (2 * 0.49))
    np.testing.assert_allclose(again.smooth(np.ones((1, 1))), expected, rtol=1e-12)


def test_bytes_of_another_model(prior):
    d = prior.n_directions
    assert LinearForm.unpack(np.zeros(d + 1).tobytes(), prior, d) is None
    assert LinearForm.unpack(np.zeros(d + 3).tobytes(), prior, d) is None


def test_a_state_of_an_older_piaa_is_refused(prior):
    with pytest.raises(StoreError, match="was saved by an older piaa"):
        make_adapter("ridge", prior).restore({"weights": np.zeros(3)})
