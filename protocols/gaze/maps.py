"""Fixations become pictures: where they fell, a smooth map of them, and the patches that got them.

A saliency map, a fixation map and a photo of one image have the same size, h rows by w columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from generic.errors import ShapeError
from protocols.gaze.fixations import Fixations

Map = NDArray[np.float64]


def fixated_pixels(fixations: Fixations) -> NDArray[np.bool_]:
    """The pixels that somebody fixated, shape (h, w): a pixel fixated twice counts once."""
    fixated = np.zeros(fixations.size, dtype=np.bool_)
    columns, rows = fixations.points.astype(np.intp).T
    fixated[rows, columns] = True
    return fixated


def fixation_map(
    fixations: Fixations, *, pixels_per_degree: float, degrees: float = 1.0, by_duration: bool = False
) -> Map:
    """How much each pixel was looked at: a Gaussian around each fixation.

    Its standard deviation of one degree of visual angle stands for the fovea and for the tracker's error
    (Le Meur and Baccino, "Methods for comparing scanpaths and saliency maps", Behavior Research
    Methods 2013). What falls beside the image is lost.

    Args:
        fixations: of one image.
        pixels_per_degree: media pixels in one degree, of the screen and distance of the recording.
        degrees: standard deviation of the Gaussian.
        by_duration: weight each fixation by how long it lasted; else each counts the same.

    Returns:
        shape (h, w), at least 0, sums to 1.

    Raises:
        ShapeError: no width of the Gaussian, or no fixation.

    Example:
        >>> from protocols.gaze.fixations import Fixations
        >>> one = Fixations(image="a.jpg", size=(9, 9), recordings=("p1",), points=np.array([[4.5, 4.5]]),
        ...                 durations=np.array([200.0]))
        >>> seen = fixation_map(one, pixels_per_degree=1.0)
        >>> round(float(seen[4, 5] / seen[4, 4]), 4)  # exp(-1/2)
        0.6065
    """
    sigma = pixels_per_degree * degrees
    if not (np.isfinite(sigma) and pixels_per_degree > 0 and degrees > 0):
        raise ShapeError(
            f"the Gaussian is {degrees:g} degrees of {pixels_per_degree:g} pixels wide; both must be above 0"
        )
    if not len(fixations):
        raise ShapeError(f"image {fixations.image!r} has no fixations to make a map of; leave it out")
    amounts = fixations.durations if by_duration else np.ones(len(fixations))
    blurred = gaussians(fixations.points.astype(np.intp), amounts, fixations.size, sigma=sigma)
    return np.asarray(blurred / blurred.sum(), dtype=np.float64)


def gaussians(pixels: NDArray[np.intp], amounts: Map, size: tuple[int, int], *, sigma: float) -> Map:
    """A Gaussian around each point, of the point's amount; what falls beside the map is lost.

    Args:
        pixels: pairs (column, row) on the map, shape (n, 2).
        amounts: shape (n,).
        size: (h, w) of the map.
        sigma: standard deviation, in pixels.

    Returns:
        shape (h, w).
    """
    from scipy.ndimage import gaussian_filter

    at_pixels = np.zeros(size, dtype=np.float64)
    # Not at_pixels[...] += amounts: that would count a pixel once that holds two points.
    np.add.at(at_pixels, (pixels[:, 1], pixels[:, 0]), amounts)
    return np.asarray(gaussian_filter(at_pixels, sigma, mode="constant"), dtype=np.float64)


def attended_patches(seen: Map, *, side: int, share: float) -> NDArray[np.bool_]:
    """The fewest square patches that together got a share of the looking.

    Which rule made the second paper's masks is not in it; this is ours. Patches of equal amount are taken
    row by row; those at the right and lower edge are cut off by it.

    Args:
        seen: a fixation map, shape (h, w), at least 0.
        side: of a patch, in pixels.
        share: of the map's sum, above 0 and at most 1.

    Returns:
        shape (h, w), true within attended patches.

    Raises:
        ShapeError: the side, the share or the map is impossible.

    Example:
        >>> attended_patches(np.array([[0.6, 0.0, 0.1, 0.3]]), side=2, share=0.5).tolist()
        [[True, True, False, False]]
    """
    if side < 1 or not 0 < share <= 1:
        raise ShapeError(
            f"patches of side {side} with a share of {share:g}; the side must be 1 pixel or more, the share "
            "above 0 and at most 1"
        )
    if seen.ndim != 2 or not np.isfinite(seen).all() or (seen < 0).any() or not seen.sum() > 0:
        raise ShapeError(
            f"a fixation map of shape {seen.shape} must have two axes, finite values of at least 0, and some "
            "above 0"
        )
    height, width = seen.shape
    n_rows, n_columns = -(-height // side), -(-width // side)
    padded = np.zeros((n_rows * side, n_columns * side))
    padded[:height, :width] = seen
    amounts = padded.reshape(n_rows, side, n_columns, side).sum((1, 3)).ravel()
    order = np.argsort(-amounts, kind="stable")
    together = np.cumsum(amounts[order])
    # Rounding of the sum must not take a patch more, nor run past the last one.
    n_taken = int(np.searchsorted(together, share * together[-1] * (1 - 1e-12))) + 1
    taken = np.zeros(len(amounts), dtype=np.bool_)
    taken[order[:n_taken]] = True
    patches = taken.reshape(n_rows, n_columns)
    return np.asarray(patches.repeat(side, 0).repeat(side, 1)[:height, :width])


def masked_photo(
    pixels: NDArray[np.uint8], attended: NDArray[np.bool_], *, fill: int = 0
) -> NDArray[np.uint8]:
    """A photo of which only the attended patches are left.

    Args:
        pixels: shape (h, w, 3), RGB in [0, 255].
        attended: shape (h, w), true for what is kept.
        fill: grey level of the rest, 0 (black) to 255.

    Returns:
        a new photo of the same shape.

    Raises:
        ShapeError: the mask is not of the photo's size, or the grey level is impossible.
    """
    if pixels.shape != (*attended.shape, 3) or not 0 <= fill <= 255:
        raise ShapeError(
            f"a photo of shape {pixels.shape}, a mask of shape {attended.shape} and a fill of {fill}; "
            "expected (h, w, 3), (h, w) and 0 to 255"
        )
    return np.where(attended[:, :, None], pixels, np.uint8(fill))
