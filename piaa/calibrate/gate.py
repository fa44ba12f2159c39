"""Whether a gain is more than chance, over people and over photos.

A gain is a mean over people and over photos. Other people would change it, and so would other photos, which
all people share: both variances are added, with Satterthwaite's degrees of freedom. That heads of different
folds were learned from much the same photos is not in them; that folds teach with less than all makes up for
it (``benchmarks/calibrate_gate.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from piaa.calibrate.cells import Array

FEWEST_TESTED = 6
"""People, and photos, of whom a gain is told."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A gain in SRCC with its 95 % interval, over people and photos."""

    gain: float
    low: float
    high: float
    people: int
    """Who were tested."""
    photos: int
    """With which they were tested."""

    @property
    def opens(self) -> bool:
        """Whether people and photos not used gain, beyond chance."""
        return self.low > 0


def judge(gains: Array) -> Verdict:
    """The mean gain and how certain it is.

    Args:
        gains: of people (rows) and photos, shape (u, n), nan where there is none; see
            :func:`piaa.calibrate.trial.of_each_photo`.

    Returns:
        nan with an endless interval where fewer than ``FEWEST_TESTED`` people or photos tell it.
    """
    kept = gains[:, ~np.isnan(gains).all(axis=0)] if len(gains) else gains
    people, photos = kept.shape
    if min(people, photos) < FEWEST_TESTED:
        return Verdict(gain=np.nan, low=-np.inf, high=np.inf, people=people, photos=photos)
    by_person, by_photo = np.nanmean(kept, axis=1), np.nanmean(kept, axis=0)
    of_people = float(by_person.var(ddof=1)) / people
    of_photos = float(by_photo.var(ddof=1)) / photos
    gain, reach = float(by_person.mean()), _reach(of_people, people - 1, of_photos, photos - 1)
    return Verdict(gain=gain, low=gain - reach, high=gain + reach, people=people, photos=photos)


def _reach(one: float, one_free: int, other: float, other_free: int) -> float:
    """Half of a 95 % interval, of two variances with their degrees of freedom."""
    from scipy.special import stdtrit

    total = one + other
    if total == 0:
        return 0.0
    free = total**2 / (one**2 / one_free + other**2 / other_free)
    return float(np.sqrt(total) * stdtrit(free, 0.975))
