"""Saliency metrics: hand-worked values, references of their own, and how they rank planted maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr
from sklearn.metrics import auc, roc_auc_score

from generic.errors import ShapeError
from generic.seeds import stream
from protocols.gaze.fixations import Fixations
from protocols.gaze.maps import fixated_pixels, fixation_map
from protocols.gaze.saliency import auc_judd, correlation, nss, similarity

METRICS = (auc_judd, nss, correlation, similarity)
whole = st.integers(0, 4).map(float)
"""Few different values, so that ties are common."""

# ---- by hand ----


@pytest.mark.parametrize(
    ("saliency", "fixated", "area"),
    [
        # Both fixated pixels above all others: (0, 0.5), (0, 1).
        ([9, 8, 1, 0], [1, 1, 0, 0], 1.0),
        # Both below: (1, 0.5), (1, 1); the first line rises from (0, 0) to (1, 0.5).
        ([0, 1, 8, 9], [1, 1, 0, 0], 0.25),
        # Thresholds 4 and 2: (0, 0.5), (0.5, 1), (1, 1): 0.5 * 0.75 + 0.5 * 1.
        ([4, 3, 2, 1], [1, 0, 1, 0], 0.875),
        # One fixated pixel ties with one of two others: (0.5, 1): 0.5 * 0.5 + 0.5 * 1.
        ([5, 5, 1], [1, 0, 0], 0.75),
        # All equal: one step from (0, 0) to (1, 1).
        ([7, 7, 7], [1, 0, 0], 0.5),
        # Thresholds 6 (twice) and 2: (1/3, 2/3), (2/3, 1): 1/9 + (5/3)/2/3 + 1/3.
        ([6, 6, 2, 6, 3, 1], [1, 1, 1, 0, 0, 0], 1 / 9 + 5 / 18 + 1 / 3),
    ],
)
def test_auc_judd_by_hand(saliency, fixated, area):
    assert auc_judd([saliency], [fixated]) == pytest.approx(area, abs=1e-15)


def test_nss_by_hand():
    # Mean 3, variance (9 + 1 + 1 + 9) / 4 = 5; the fixated are 6 and 4.
    assert nss([[6, 4], [2, 0]], [[1, 1], [0, 0]]) == pytest.approx(2 / 5**0.5, abs=1e-15)
    assert nss([[6, 4], [2, 0]], [[0, 0], [0, 1]]) == pytest.approx(-3 / 5**0.5, abs=1e-15)


def test_correlation_by_hand():
    # Deviations (-1, 0, 1) and (-1, 1, 0): 1 / (sqrt 2 * sqrt 2).
    assert correlation([[1, 2, 3]], [[0, 2, 1]]) == pytest.approx(0.5, abs=1e-15)


def test_similarity_by_hand():
    # (0.5, 0.25, 0.25, 0) and (0, 0.25, 0.25, 0.5).
    assert similarity([[2, 1], [1, 0]], [[0, 10], [10, 20]]) == pytest.approx(0.5, abs=1e-15)
    assert similarity([[1, 0]], [[0, 3]]) == 0.0


# ---- references ----


@given(
    saliency=arrays(np.float64, (4, 5), elements=whole),
    fixated=arrays(np.bool_, (4, 5)).filter(lambda looked: 0 < looked.sum() < 20),
)
def test_auc_judd_is_the_area_under_its_own_points(saliency, fixated):
    inside, outside = saliency[fixated], saliency[~fixated]
    points = [(0.0, 0.0)]
    for threshold in sorted(set(inside.tolist()), reverse=True):
        points.append((np.mean(outside >= threshold), np.mean(inside >= threshold)))
    points.append((1.0, 1.0))
    area = auc_judd(saliency, fixated)
    assert area == pytest.approx(auc(*zip(*points, strict=True)), abs=1e-12)
    # Each fixated value adds at most half a step to the area of all thresholds.
    exact = roc_auc_score(fixated.ravel(), saliency.ravel())
    assert exact - 1e-12 <= area <= exact + 0.5


@given(a=arrays(np.float64, (3, 4), elements=whole), b=arrays(np.float64, (3, 4), elements=whole))
def test_correlation_is_scipys(a, b):
    if np.ptp(a) and np.ptp(b):
        assert correlation(a, b) == pytest.approx(pearsonr(a.ravel(), b.ravel()).statistic, abs=1e-12)
    else:
        assert np.isnan(correlation(a, b))


# ---- what does not matter ----


@given(
    saliency=arrays(np.float64, (4, 5), elements=whole).filter(lambda saliency: np.ptp(saliency) > 0),
    fixated=arrays(np.bool_, (4, 5)).filter(lambda looked: 0 < looked.sum() < 20),
    factor=st.floats(0.1, 10),
    shift=st.floats(-5, 5),
)
def test_units_do_not_matter(saliency, fixated, factor, shift):
    # Multiples of a power of two keep every tie as it is.
    exact = 2.0 ** np.floor(np.log2(factor))
    assert auc_judd(exact * saliency - 3, fixated) == auc_judd(saliency, fixated)
    other = factor * saliency + shift
    assert nss(other, fixated) == pytest.approx(nss(saliency, fixated), abs=1e-9)
    assert correlation(other, fixated) == pytest.approx(correlation(saliency, fixated), abs=1e-9)
    assert similarity(factor * saliency, fixated) == pytest.approx(similarity(saliency, fixated), abs=1e-12)


@given(seen=arrays(np.float64, (3, 4), elements=whole).filter(lambda seen: np.ptp(seen) > 0))
def test_a_map_agrees_with_itself(seen):
    assert correlation(seen, seen) == pytest.approx(1.0, abs=1e-12)
    assert similarity(seen, seen) == pytest.approx(1.0, abs=1e-12)


# ---- edges ----


def test_what_is_not_defined_is_nan():
    flat, some = np.ones((2, 2)), np.eye(2)
    assert np.isnan(auc_judd(some, np.zeros((2, 2))))
    assert np.isnan(auc_judd(some, np.ones((2, 2))))
    assert np.isnan(nss(flat, some))
    assert np.isnan(nss(some, np.zeros((2, 2))))
    assert np.isnan(correlation(some, flat))
    assert np.isnan(similarity(some, np.zeros((2, 2))))


@pytest.mark.parametrize("metric", METRICS)
def test_maps_that_do_not_fit(metric):
    with pytest.raises(ShapeError) as caught:
        metric(np.ones((2, 3)), np.ones((3, 2)))
    assert str(caught.value) == (
        "saliency of shape (2, 3) against gaze of shape (3, 2); give two maps of one size, (h, w)"
    )
    with pytest.raises(ShapeError) as caught:
        metric(np.array([[1.0, np.nan]]), np.array([[1.0, 0.0]]))
    assert str(caught.value) == (
        "a saliency or gaze map has values that are not finite; repair the model or the map"
    )


def test_negative_maps_have_no_similarity():
    with pytest.raises(
        ShapeError, match=r"^similarity of maps with values down to -2; they must be 0 or more$"
    ):
        similarity([[1, -2]], [[1, 1]])


# ---- planted gaze ----

SIZE, SIGMA = (60, 80), 5.0


def planted(image: int, *, central: bool) -> tuple[Fixations, np.ndarray]:
    """Gaze on three places of an image, and the map that made it.

    The places lie around the centre, as photographers put them (Tatler, Journal of Vision 2007); or, if
    not ``central``, in three of the corners.
    """
    random = stream(7, "planted gaze", image)
    if central:
        centres = random.normal(0.5, 0.2, (3, 2)).clip(0.05, 0.95) * SIZE[::-1]
    else:
        centres = (
            random.permutation([(0.15, 0.15), (0.85, 0.15), (0.15, 0.85), (0.85, 0.85)])[:3] * SIZE[::-1]
        )
    points = (centres[random.integers(3, size=200)] + random.normal(0, SIGMA, (200, 2)))[:60]
    points = points.clip(0, (SIZE[1] - 0.01, SIZE[0] - 0.01))
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    bells = [np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * SIGMA**2)) for x, y in centres]
    gaze = Fixations(
        image=f"{image}.jpg",
        size=SIZE,
        recordings=("p1",) * len(points),
        points=points,
        durations=np.full(len(points), 200.0),
    )
    return gaze, np.sum(bells, axis=0)


def centre_prior() -> np.ndarray:
    """The usual one: a Gaussian as wide as the image."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    return np.exp(-(((columns / SIZE[1] - 0.5) ** 2 + (rows / SIZE[0] - 0.5) ** 2) / (2 * 0.25**2)))


def scored(metric, *, central: bool) -> np.ndarray:
    """Scores of the matching map, the centre prior and chance on twenty images, shape (3, 20)."""
    scores = []
    for image in range(20):
        gaze, matching = planted(image, central=central)
        smooth = fixation_map(gaze, pixels_per_degree=3.0)
        looked = smooth if metric in (correlation, similarity) else fixated_pixels(gaze)
        chance = stream(7, "chance", image).uniform(size=SIZE)
        scores.append([metric(saliency, looked) for saliency in (matching, centre_prior(), chance)])
    return np.array(scores).T


@pytest.mark.parametrize("metric", METRICS)
def test_planted_gaze_ranks_its_own_map_above_the_centre_above_chance(metric):
    """The matching map wins on every image; the centre beats chance on the mean of all."""
    matching, centre, chance = scored(metric, central=True)
    assert (matching > np.maximum(centre, chance)).all()
    assert centre.mean() > chance.mean()


@pytest.mark.parametrize("metric", METRICS)
def test_no_metric_favours_the_centre_where_nobody_looks_there(metric):
    matching, centre, chance = scored(metric, central=False)
    assert (matching > np.maximum(centre, chance)).all()
    assert centre.mean() < chance.mean()
