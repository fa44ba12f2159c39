"""Fixation maps and masks: hand-worked values, and what holds for every one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from generic.errors import ShapeError
from protocols.gaze.fixations import Fixations
from protocols.gaze.maps import attended_patches, fixated_pixels, fixation_map, masked_photo


def fixations(*points, size=(30, 40), durations=None) -> Fixations:
    return Fixations(
        image="a.jpg",
        size=size,
        recordings=("p1",) * len(points),
        points=np.array(points, dtype=np.float64).reshape(-1, 2),
        durations=np.array(durations or [100.0] * len(points)),
    )


def test_fixated_pixels_are_row_y_and_column_x():
    looked = fixated_pixels(fixations((3.9, 0.0), (3.0, 0.99), (39.999, 29.5)))
    assert np.argwhere(looked).tolist() == [[0, 3], [29, 39]]


def gaussian(centre, sigma, size=(30, 40)):
    """The bell by its formula, apart from the library's filter."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.exp(-((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / (2 * sigma**2))


def test_the_map_is_a_sum_of_gaussians_of_one_degree():
    seen = fixation_map(fixations((10.5, 12.5), (30, 20), (30, 20)), pixels_per_degree=2.5)
    bells = gaussian((10, 12), 2.5) + 2 * gaussian((30, 20), 2.5)
    # The filter stops at four standard deviations, where the bell is 3e-4 of its height.
    np.testing.assert_allclose(seen, bells / bells.sum(), atol=4e-4 * seen.max())
    assert seen.sum() == pytest.approx(1.0, abs=1e-12)


def test_width_in_degrees():
    one = fixations((20, 15))
    assert np.array_equal(
        fixation_map(one, pixels_per_degree=1.5, degrees=2.0), fixation_map(one, pixels_per_degree=3.0)
    )


def test_duration_weighs_only_on_request():
    two = fixations((10, 15), (30, 15), durations=[100.0, 300.0])
    seen = fixation_map(two, pixels_per_degree=1.0)
    assert seen[15, 10] == pytest.approx(seen[15, 30], rel=1e-12)
    seen = fixation_map(two, pixels_per_degree=1.0, by_duration=True)
    assert seen[15, 30] == pytest.approx(3 * seen[15, 10], rel=1e-12)


@pytest.mark.parametrize(("ppd", "degrees"), [(0.0, 1.0), (-1.0, 1.0), (30.0, 0.0), (float("nan"), 1.0)])
def test_a_gaussian_without_width(ppd, degrees):
    with pytest.raises(ShapeError) as caught:
        fixation_map(fixations((1, 1)), pixels_per_degree=ppd, degrees=degrees)
    assert str(caught.value) == (
        f"the Gaussian is {degrees:g} degrees of {ppd:g} pixels wide; both must be above 0"
    )


def test_no_fixations_make_no_map():
    with pytest.raises(ShapeError, match=r"^image 'a.jpg' has no fixations to make a map of; leave it out$"):
        fixation_map(fixations(), pixels_per_degree=1.0)


# ---- patches ----


def test_patches_by_hand():
    # Patches of side 2: upper left 0.4, upper right 0.1; the lower row, cut off, 0.2 and 0.3.
    seen = np.array([[0.1, 0.1, 0.0, 0.1], [0.2, 0.0, 0.0, 0.0], [0.2, 0.0, 0.3, 0.0]])
    top, left = np.zeros((3, 4), bool), np.zeros((3, 4), bool)
    top[:2, :2] = True
    assert np.array_equal(attended_patches(seen, side=2, share=0.4), top)
    left |= top
    left[2:, 2:] = True
    assert np.array_equal(attended_patches(seen, side=2, share=0.41), left)
    assert np.array_equal(attended_patches(seen, side=2, share=0.7), left)
    assert attended_patches(seen, side=2, share=1.0).all()


def test_patches_nobody_looked_at_are_never_attended():
    seen = np.zeros((6, 6))
    seen[0, 0] = 3.0
    assert attended_patches(seen, side=3, share=1.0).sum() == 9


@given(
    seen=arrays(np.float64, (7, 9), elements=st.floats(0, 1)).filter(lambda seen: seen.sum() > 0.1),
    side=st.integers(1, 10),
    share=st.floats(0.01, 1),
)
def test_attended_patches_hold_the_share_and_no_smaller_number_does(seen, side, share):
    attended = attended_patches(seen, side=side, share=share)
    assert seen[attended].sum() >= share * seen.sum() * (1 - 1e-9)
    blocks = [
        (seen[y : y + side, x : x + side].sum(), attended[y : y + side, x : x + side])
        for y in range(0, 7, side)
        for x in range(0, 9, side)
    ]
    assert all(block.all() or not block.any() for _, block in blocks)
    taken = sum(bool(block.all()) for _, block in blocks)
    largest = sorted((amount for amount, _ in blocks), reverse=True)
    assert sum(largest[: taken - 1]) < share * seen.sum() * (1 + 1e-9)


@pytest.mark.parametrize(("side", "share"), [(0, 0.5), (2, 0.0), (2, 1.5)])
def test_impossible_patches(side, share):
    with pytest.raises(ShapeError) as caught:
        attended_patches(np.ones((3, 3)), side=side, share=share)
    assert str(caught.value) == (
        f"patches of side {side} with a share of {share:g}; the side must be 1 pixel or more, the share "
        "above 0 and at most 1"
    )


@pytest.mark.parametrize("seen", [np.zeros((2, 2)), -np.ones((2, 2)), np.full((2, 2), np.nan), np.ones(4)])
def test_impossible_maps(seen):
    with pytest.raises(ShapeError) as caught:
        attended_patches(seen, side=1, share=0.5)
    assert str(caught.value) == (
        f"a fixation map of shape {seen.shape} must have two axes, finite values of at least 0, and some "
        "above 0"
    )


def test_a_masked_photo_keeps_what_was_attended():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    attended = np.array([[True, False, False, True], [False] * 4])
    masked = masked_photo(pixels, attended, fill=128)
    assert masked.dtype == np.uint8
    assert masked[attended].tolist() == [[0, 1, 2], [9, 10, 11]]
    assert (masked[~attended] == 128).all()
    assert pixels[1, 1, 0] == 15  # the photo itself is as it was
    with pytest.raises(ShapeError) as caught:
        masked_photo(pixels, attended.T)
    assert str(caught.value) == (
        "a photo of shape (2, 4, 3), a mask of shape (4, 2) and a fill of 0; expected (h, w, 3), (h, w) and "
        "0 to 255"
    )
