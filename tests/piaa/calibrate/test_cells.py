"""A line and a function of the picture, against scikit-learn, against leaving out by hand, in closed form."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.kernel_ridge import KernelRidge

from piaa.calibrate.cells import PENALTIES, cells


@pytest.fixture(params=[3, 40], ids=["few features", "more features than photos"])
def photos(request):
    """Features, basis, means and precision of 25 photos."""
    rng = np.random.default_rng(4)
    features = rng.normal(size=(25, request.param))
    basis = np.column_stack([np.ones(25), rng.normal(size=25)])
    means = 0.5 + 0.1 * basis[:, 1] + 0.1 * features[:, 0] + rng.normal(0, 0.05, 25)
    return features, basis, means, rng.uniform(0.2, 1.0, 25)


def test_the_function_is_kernel_ridge_on_what_the_line_leaves(photos):
    features, basis, means, precision = photos
    for penalty, cell in zip(PENALTIES, cells(*photos), strict=True):
        ridge = KernelRidge(alpha=penalty, kernel="linear")
        ridge.fit(features, means - basis @ cell.line, sample_weight=precision)
        np.testing.assert_allclose(features @ cell.weights, ridge.predict(features), atol=1e-9)


def test_the_line_is_generalised_least_squares(photos):
    features, basis, means, precision = photos
    for penalty, cell in zip(PENALTIES, cells(*photos), strict=True):
        inverse = np.linalg.inv(features @ features.T + penalty * np.diag(1 / precision))
        expected = np.linalg.solve(basis.T @ inverse @ basis, basis.T @ inverse @ means)
        np.testing.assert_allclose(cell.line, expected, atol=1e-8)


def test_left_out_is_what_the_other_photos_say(photos):
    features, basis, means, precision = photos
    found = cells(*photos)
    for photo in (0, 7, 24):
        rest = np.arange(25) != photo
        some = basis[rest], means[rest], precision[rest]
        others = cells(features[rest], *some)
        for cell, other in zip(found, others, strict=True):
            seen = features[photo, : len(other.weights)] @ other.weights
            assert cell.left_out[photo] == pytest.approx(basis[photo] @ other.line + seen, abs=1e-7)


def test_evidence_is_the_density_of_contrasts_at_the_best_variance(photos):
    features, basis, means, precision = photos
    contrasts = np.linalg.svd(basis)[0][:, 2:]
    expected = []
    for penalty in PENALTIES:
        covariance = contrasts.T @ (features @ features.T + penalty * np.diag(1 / precision)) @ contrasts
        seen = contrasts.T @ means
        variance = seen @ np.linalg.solve(covariance, seen) / len(seen)
        expected.append(multivariate_normal(cov=variance * covariance).logpdf(seen))
    found = [cell.evidence for cell in cells(*photos)]
    np.testing.assert_allclose(np.diff(found), np.diff(expected), atol=1e-6)
