"""A head is an average of ways to say the mean score, and one linear function of the vector."""

import numpy as np
import pytest

from generic.parts import Parts
from piaa.calibrate.head import learn_head

PARTS = Parts({"generic": 1, "ava": 1, "directions": 6, "richer": 40})
PLAIN = Parts({"generic": 1, "directions": 6})


@pytest.fixture
def vectors():
    return np.random.default_rng(2).normal(size=(90, 48))


def mean_of(vectors, richer):
    rng = np.random.default_rng(3)
    seen = vectors[:, 8:] @ rng.normal(size=40) / 6 if richer else vectors[:, 2:8] @ rng.normal(size=6) / 2
    return 0.5 + 0.1 * (
        0.3 * vectors[:, 0] + 0.3 * vectors[:, 1] + seen + 0.2 * rng.normal(size=len(vectors))
    )


@pytest.mark.parametrize("richer", [False, True])
def test_evidence_finds_the_part_that_speaks(vectors, richer):
    means = mean_of(vectors, richer)
    head = learn_head(vectors[:60], means[:60], np.ones(60), PARTS)
    assert sum(head.shares.values()) == pytest.approx(1.0)
    assert head.shares["richer" if richer else "directions"] > 0.9
    assert np.corrcoef(head.scores(vectors[60:]), means[60:])[0, 1] > 0.7


def test_where_the_picture_says_nothing_the_line_speaks(vectors):
    rng = np.random.default_rng(4)
    means = 0.5 + 0.1 * vectors[:, 0] + 0.05 * rng.normal(size=90)
    head = learn_head(vectors[:, :7], means, np.ones(90), PLAIN)
    assert head.coefficients[1] == pytest.approx(0.1, abs=0.02)
    assert np.corrcoef(head.scores(vectors[:, :7]), vectors[:, 0])[0, 1] > 0.97


def test_a_photo_left_out_is_what_the_others_say_of_it(vectors):
    """Up to the weights of the average, which all photos set."""
    means = mean_of(vectors, richer=False)
    head, precision = (
        learn_head(vectors[:, :8], means, np.ones(90), Parts({"generic": 1, "directions": 7})),
        np.ones(89),
    )
    for photo in (0, 44, 89):
        rest = np.arange(90) != photo
        other = learn_head(
            vectors[rest][:, :8], means[rest], precision, Parts({"generic": 1, "directions": 7})
        )
        assert head.left_out[photo] == pytest.approx(
            other.scores(vectors[photo : photo + 1, :8])[0], abs=2e-3
        )


def test_a_photo_that_is_not_relied_on_teaches_little(vectors):
    means, precision = mean_of(vectors, richer=False), np.ones(90)
    wrong = means.copy()
    wrong[:3] += 5
    precision[:3] = 1e-6
    plain = learn_head(vectors[3:], means[3:], np.ones(87), PARTS)
    head = learn_head(vectors, wrong, precision, PARTS)
    np.testing.assert_allclose(head.scores(vectors), plain.scores(vectors), atol=0.02)
