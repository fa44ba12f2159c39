"""A map between two models' vectors: right where it can be, and measured where it loses."""

from __future__ import annotations

import numpy as np
import pytest

from generic.errors import ModelMismatch
from piaa.adapters.ridge import RidgeAdapter
from piaa.people.vector_map import VectorMap, learn_map
from piaa.store.mapping import Judge, Pairs

N, OLD, NEW = 300, 12, 9
DRAW = np.random.default_rng(0)
X = DRAW.standard_normal((N, OLD)).astype(np.float32)
SLOPES = DRAW.standard_normal((OLD, NEW)) / np.sqrt(OLD)


def pairs(noise: float, n: int = N) -> Pairs:
    new = X[:n] @ SLOPES + 0.5 + noise * np.random.default_rng(1).standard_normal((n, NEW))
    new[:, 0] = 1 / (1 + np.exp(-new[:, 0]))
    return Pairs(photos=np.arange(n), old=X[:n], new=new.astype(np.float32))


def judges(seen: Pairs, n: int = 8, k: int = 60) -> list[Judge]:
    """People whose taste is a direction of the new vectors."""
    found = []
    for number in range(n):
        draw = np.random.default_rng(number)
        rows = np.sort(draw.choice(len(seen.photos), min(k, len(seen.photos)), replace=False))
        liked = seen.new[rows] @ draw.standard_normal(NEW)
        scores = (liked - liked.min()) / (liked.max() - liked.min())
        found.append(Judge(user=f"user-{number}", rows=rows, scores=scores))
    return found


def make() -> RidgeAdapter:
    return RidgeAdapter(None)


def test_a_map_without_a_penalty_is_least_squares():
    seen = pairs(0.3)
    found = VectorMap(seen.old, seen.new, 0.0)(X[:20])
    design = np.column_stack([np.ones(N), seen.old])
    expected = np.column_stack([np.ones(20), X[:20]]) @ np.linalg.lstsq(design, seen.new, rcond=None)[0]
    np.testing.assert_allclose(found[:, 1:], expected[:, 1:], atol=1e-4)
    low, high = seen.new[:, 0].min(), seen.new[:, 0].max()
    np.testing.assert_allclose(found[:, 0], np.clip(expected[:, 0], low, high), atol=1e-4)


def test_what_can_be_mapped_loses_nothing():
    seen = pairs(0.0)
    _, loss = learn_map(seen, judges(seen), make)
    assert (loss.n_photos, loss.n_people) == (N, 8)
    assert loss.explained > 0.99
    assert loss.mapped == pytest.approx(loss.own, abs=0.01)


def test_what_cannot_be_mapped_is_told():
    seen = pairs(3.0)
    _, loss = learn_map(seen, judges(seen), make)
    assert loss.explained < 0.2
    assert loss.mapped < loss.own - 0.1
    assert 0 < loss.error < 0.1


def test_too_few_photos_or_people():
    few = pairs(0.0, 49)
    for seen, people in ((few, judges(few)), (pairs(0.0), judges(pairs(0.0), 4))):
        with pytest.raises(ModelMismatch) as caught:
            learn_map(seen, people, make)
        assert str(caught.value) == (
            f"{len(seen.photos)} photos have vectors of both models, and {len(people)} people rated 20 "
            "of them or more; a map whose loss can be told needs 50 photos and 5 people: "
            "pass more photos with --images"
        )
