"""What held-out errors decide: how many epochs, and how much the tuned network counts."""

from __future__ import annotations

import numpy as np
import pytest

from piaa.adapters.network.tune import chosen, weight_of


def people(n, k, gain, seed=0):
    """Held-out errors (k, 2) of people whose tuned error has ``gain`` less variance, at a noise of 0.2."""
    rng = np.random.default_rng(seed)
    part = np.sqrt(gain)
    for _ in range(n):
        known, rest = 0.2 * part * rng.standard_normal(k), 0.2 * np.sqrt(1 - gain) * rng.standard_normal(k)
        blunder = 0.05 * rng.standard_normal(k)  # tuning brings an error of its own
        yield np.column_stack((known + rest, rest + blunder))


@pytest.mark.parametrize("k", [10, 30])
def test_a_true_gain_is_mostly_taken_where_a_gate_of_one_error_refuses_it(k):
    """The expected error on a new photo, of 500 people."""
    found = {}
    for gate in ("average", "error", "none"):
        weights = np.array([chosen(errors, gate).weight for errors in people(500, k, 0.1)])
        # Expected squared error of (1 - w) generic + w tuned, over 0.04, that of the generic score.
        found[gate] = np.mean(0.9 + 0.1 * (1 - weights) ** 2 + weights**2 * 0.05**2 / 0.04)
    gained = {gate: 1 - error for gate, error in found.items()}
    assert gained["average"] > gained["error"] + 0.005
    assert gained["average"] > 0.02


def test_without_evidence_it_is_one_half_and_with_much_all_or_nothing():
    rng = np.random.default_rng(0)
    generic = 0.2 * rng.standard_normal(400)
    assert weight_of(generic, generic) == 0.5
    assert weight_of(generic, np.zeros(400)) > 0.99
    assert weight_of(np.zeros(400) + 1e-3 * generic, generic) == pytest.approx(0, abs=0.01)


def test_epochs_and_errors_are_those_of_the_average():
    rng = np.random.default_rng(1)
    generic = 0.2 * rng.standard_normal(40)
    errors = np.column_stack((generic, 0.9 * generic, 0.5 * generic, 3 * generic))
    found = chosen(errors, "average")
    assert found.epochs == 2
    np.testing.assert_allclose(
        found.errors, (1 - found.weight) * errors[:, 0] + found.weight * errors[:, 2], rtol=1e-12
    )
    last = chosen(errors, "none")
    assert (last.epochs, last.weight) == (3, 1.0)
    np.testing.assert_array_equal(last.errors, errors[:, 3])
    worse = np.column_stack((generic, 3 * generic))
    assert chosen(worse, "error").epochs == chosen(worse, "average").epochs == 0
