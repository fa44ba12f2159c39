"""What a calibration brought, in words: the gain and how certain it is, or why there is none."""

from __future__ import annotations

import numpy as np

from generic.words import counted
from piaa.calibrate.folds import FEWEST_SEEN, PHOTO_FOLDS
from piaa.calibrate.gate import FEWEST_TESTED, Verdict
from piaa.calibrate.learn import Calibrated
from piaa.calibrate.trial import K


def gain_words(verdict: Verdict) -> str:
    """The gain in SRCC and its interval.

    Example:
        >>> gain_words(Verdict(gain=0.21, low=0.17, high=0.25, people=24, photos=65))
        '+0.21 [+0.17, +0.25]'
    """
    return f"{verdict.gain:+.2f} [{verdict.low:+.2f}, {verdict.high:+.2f}]"


def result_words(result: Calibrated) -> str:
    """One line: what people and photos not used gain, and from whom it was learned."""
    learned = (
        f"{counted(result.n_people, 'person', 'people')}, {counted(result.n_photos, 'photo')}, "
        f"{counted(result.n_ratings, 'rating')}"
    )
    if np.isnan(result.verdict.gain):
        return f"not calibrated: {too_few_words(result.verdict)}; given {learned}"
    gain = f"SRCC {gain_words(result.verdict)} at {K} ratings, for people and photos not used"
    if result.header is not None:
        return f"{gain}; learned from {learned}"
    return f"not calibrated: {gain}, which may be chance, of {learned}; {enough_words(result.verdict)}"


def too_few_words(verdict: Verdict) -> str:
    """Why no gain can be told."""
    return (
        f"{counted(verdict.people, 'person', 'people')} and {counted(verdict.photos, 'photo')} can be tested "
        f"and {FEWEST_TESTED} of each are needed, people who gave {FEWEST_SEEN} ratings or more in a fold of "
        f"the photos, so about {FEWEST_SEEN * PHOTO_FOLDS} in all"
    )


def enough_words(verdict: Verdict) -> str:
    """How much more would tell a gain of this size; an interval narrows with the root of their number."""
    if verdict.gain <= 0:
        return "people not used gain nothing, so the model as it is serves them as well or better"
    times = (verdict.gain - verdict.low) / verdict.gain
    return f"a gain of this size would be told by about {times**2:.1f} times the people and photos"
