"""Noise beyond that of training users."""

from __future__ import annotations

import numpy as np

from piaa.adapters.strangers import with_strangers


def test_two_levels_more_share_a_tenth_of_each_row():
    noise, logs = with_strangers(np.array([0.02, 0.04]), np.log([[0.3, 0.1], [0.2, 0.4]]))
    np.testing.assert_allclose(noise, [0.02, 0.04, 0.09, 0.135], rtol=1e-12)  # 3 and 4.5 times 0.03
    np.testing.assert_allclose(np.exp(logs), [[0.27, 0.09, 0.02, 0.02], [0.18, 0.36, 0.03, 0.03]], rtol=1e-12)
