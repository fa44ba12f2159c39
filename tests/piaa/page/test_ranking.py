"""The album's scores are those of the adapter."""

from __future__ import annotations

import numpy as np
import pytest

from piaa.adapters.registry import make_adapter
from piaa.page.ranking import Ground


@pytest.mark.parametrize("name", ["auto", "bayes", "ridge", "generic"])
def test_scores_are_those_of_the_adapter(state, model, name):
    rng = np.random.default_rng(3)
    rows = np.arange(len(state.album))
    x = state.album.vectors(rows)
    adapter = make_adapter(name, model.prior).fit(x[:8], rng.random(8))
    found = Ground(state.album, model.prior).unit_scores(adapter, rows)
    np.testing.assert_allclose(found, adapter.predict(x).score, atol=2e-6)
