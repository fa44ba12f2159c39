"""What raters say together: scales, agreement, and how much a photo's mean is worth."""

import numpy as np
import pytest

from piaa.calibrate.raters import Table, agree

N, PEOPLE = 60, 20


def table(scores):
    """Of scores (people, photos), nan where a photo is not rated."""
    people, rows = np.nonzero(~np.isnan(scores))
    return Table(
        rows=rows, people=people, scores=scores[people, rows], n_photos=scores.shape[1], n_people=len(scores)
    )


@pytest.fixture
def study():
    """The truth of each photo, and everybody's scores of all."""
    rng = np.random.default_rng(1)
    truth = rng.normal(0.5, 0.15, N)
    return truth, truth + rng.normal(0, 0.15, (PEOPLE, N)), rng


def test_without_oddities_the_means_are_nearly_plain_means(study):
    truth, scores, _ = study
    found = agree(table(scores))
    assert np.corrcoef(found.means, scores.mean(axis=0))[0, 1] > 0.99
    assert np.corrcoef(found.means, truth)[0, 1] > 0.95
    np.testing.assert_allclose(found.weights.mean(), 1.0, atol=1e-9)
    # Of 20 raters, by Spearman and Brown; unequal weights lose a little of it.
    assert found.precision.mean() == pytest.approx(20 / (20 + 0.15**2 / truth.var()), abs=0.02)


def test_random_and_reversed_raters_count_little_or_not_at_all(study):
    truth, scores, rng = study
    scores[:6] = rng.uniform(0, 1, (6, N))
    scores[6:9] = 1 - scores[6:9]
    found = agree(table(scores))
    assert found.weights[:6].mean() < 0.3 * found.weights[9:].mean()
    assert found.weights[6:9].tolist() == [0.0, 0.0, 0.0]
    plain = np.corrcoef(scores.mean(axis=0), truth)[0, 1]
    assert np.corrcoef(found.means, truth)[0, 1] > max(plain, 0.93)


def test_own_levels_and_spreads_are_taken_out(study):
    truth, scores, rng = study
    bent = 0.5 + rng.uniform(0.2, 1.5, (PEOPLE, 1)) * (scores - 0.5) + rng.normal(0, 0.2, (PEOPLE, 1))
    bent[rng.random((PEOPLE, N)) < 0.6] = np.nan
    found = agree(table(bent))
    plain = np.nanmean(bent, axis=0)
    assert np.corrcoef(found.means, truth)[0, 1] > np.corrcoef(plain, truth)[0, 1] + 0.05


def test_a_photo_of_one_rater_counts_for_what_one_can_say(study):
    _, scores, _ = study
    scores[1:, 0] = np.nan
    found = agree(table(scores))
    assert found.precision[0] < 0.65
    assert found.precision[1:].min() > 0.9


def test_one_who_rated_everything_weighs_no_more_on_a_photo(study):
    _, scores, rng = study
    scores[1:][rng.random((PEOPLE - 1, N)) < 0.7] = np.nan
    found = agree(table(scores))
    assert found.weights[0] < 2.0


def test_who_did_not_rate_is_no_rater():
    scores = np.array([[0.1, 0.5, 0.9], [0.2, 0.5, 0.8]])
    some = table(scores)
    found = agree(Table(rows=some.rows, people=some.people, scores=some.scores, n_photos=4, n_people=3))
    assert np.isnan(found.means[3])
    assert found.precision[3] == 0.0
    assert np.isnan(found.agreement[2])
