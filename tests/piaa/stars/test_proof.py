from __future__ import annotations

import numpy as np

from piaa.adapters.generic import GenericAdapter
from piaa.stars.proof import prove


def test_one_in_five_is_held_out_and_the_crowd_is_the_generic_score():
    generator = np.random.default_rng(0)
    features = generator.normal(0.5, 0.1, (50, 5)).astype(np.float32)
    scores = features[:, 0].astype(float)
    proof = prove(GenericAdapter, features, scores)
    assert (proof.n_learned, proof.n_held, proof.personal, proof.crowd) == (40, 10, 1.0, 1.0)
    assert prove(GenericAdapter, features, -scores).crowd == 0.0
    assert prove(GenericAdapter, features, scores) == proof


def test_too_few_or_all_alike_prove_nothing():
    features = np.random.default_rng(0).normal(0.5, 0.1, (50, 5)).astype(np.float32)
    assert prove(GenericAdapter, features[:19], features[:19, 0].astype(float)) is None
    assert prove(GenericAdapter, features, np.full(50, 0.5)) is None
