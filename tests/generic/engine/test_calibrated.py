"""A generic score that a group taught: its numbers, and photos that it was taught with."""

from __future__ import annotations

import numpy as np
import pytest

from generic.engine.calibrated import CalibratedEngine, Calibration
from generic.engine.engine import Engine
from generic.errors import CheckpointError

RNG = np.random.default_rng(0)
TAUGHT = RNG.normal(size=(9, 20)).astype(np.float32)


@pytest.fixture
def calibration():
    """Of vectors of 1 + 20 numbers."""
    left_out = np.linspace(0, 1, 9, dtype=np.float32)
    return Calibration(coefficients=np.arange(22) / 100, taught=TAUGHT[:, :16], left_out=left_out)


def vector(embedding):
    return np.concatenate([[0.5], embedding]).astype(np.float32)


def test_a_new_photo_gets_the_linear_score_and_keeps_its_embedding(calibration):
    given = vector(RNG.normal(size=20))
    found = calibration(given)
    expected = 0.01 * 0.5 + sum((place + 2) / 100 * given[1 + place] for place in range(20))
    assert found[0] == pytest.approx(expected, abs=1e-6)
    np.testing.assert_array_equal(found[1:], given[1:])
    assert given[0] == 0.5, "what was given is not changed"


def test_a_taught_photo_is_known_on_another_machine(calibration):
    for row in range(9):
        noise = RNG.uniform(-1e-5, 1e-5, 20)
        assert calibration(vector(TAUGHT[row] + noise))[0] == np.float32(row / 8)
    assert calibration(vector(TAUGHT[3] + 0.01))[0] != np.float32(3 / 8)


def test_it_stands_for_its_network_in_every_call(calibration):
    class Plain(Engine):
        callers = 2

        def vector(self, pixels):
            return vector(np.full(20, pixels.mean() / 255))

    engine = CalibratedEngine(Plain(), calibration)
    photos = RNG.integers(0, 256, (3, 4, 4, 3)).astype(np.uint8)
    assert engine.callers == 2
    np.testing.assert_array_equal(
        engine.vectors(photos), [calibration(Plain().vector(photo)) for photo in photos]
    )


def test_a_file_gives_back_what_it_was_given(calibration):
    found = Calibration.from_tensors(calibration.tensors())
    assert found is not None
    np.testing.assert_array_equal(found(vector(TAUGHT[0])), calibration(vector(TAUGHT[0])))
    assert Calibration.from_tensors({}) is None
    with pytest.raises(CheckpointError) as caught:
        Calibration.from_tensors({"coefficients": np.zeros(3)})
    assert (
        str(caught.value) == "the model file's calibration has no array 'taught'; calibrate the model again"
    )
