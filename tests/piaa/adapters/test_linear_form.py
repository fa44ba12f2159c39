"""Linear forms of many people give the scores that each adapter gives by itself."""

from __future__ import annotations

import numpy as np
import pytest

from generic.errors import StoreError
from generic.seeds import stream
from piaa.adapters import linear_form
from piaa.adapters.linear_form import LINEAR, LinearForm, linear_form_of, unit_scores
from piaa.adapters.registry import make_adapter
from piaa.people.model import Model


@pytest.fixture(scope="module")
def prior(tiny_model):
    from generic.model.generic_model import GenericModel

    return Model(GenericModel(tiny_model)).prior


@pytest.mark.parametrize("with_prior", [True, False])
def test_scores_equal_those_of_the_adapters(prior, with_prior, monkeypatch):
    # Few kernel values at once, so that people are scored in several parts.
    monkeypatch.setattr(linear_form, "_AT_ONCE", 40)
    draw = stream(0, "test", "rows")
    d = prior.n_directions + 3
    used = prior if with_prior else None
    chosen = LINEAR if with_prior else ("generic", "ridge", "auto")
    photos = draw.normal(size=(7, 1 + d))
    expected, found = [], []
    for adapter in chosen:
        for k in (1, 2, 9):
            fitted = make_adapter(adapter, used).fit(draw.normal(size=(k, 1 + d)), draw.uniform(size=k))
            form = linear_form_of(adapter, fitted.state(), used, d)
            found.append(LinearForm.unpack(form.pack(), used, d))
            expected.append(fitted.predict(photos).score)
    np.testing.assert_allclose(unit_scores(found, photos, used), expected, atol=1e-9, rtol=0)


def test_what_has_no_linear_form(prior):
    d = prior.n_directions
    assert linear_form_of("pam", {}, prior, d) is None
    assert LinearForm.unpack(np.zeros(d + 1).tobytes(), prior, d) is None
    assert LinearForm.unpack(np.zeros(d + 3).tobytes(), prior, d) is None


def test_a_state_of_an_older_piaa_is_refused(prior):
    with pytest.raises(StoreError, match="was saved by an older piaa"):
        linear_form_of("ridge", {"weights": np.zeros(3)}, prior, 3)
