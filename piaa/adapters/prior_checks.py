"""What is checked before an adapter starts from the model's prior over people."""

from __future__ import annotations

import os

from generic.errors import ShapeError, TooLarge
from piaa.adapters.prior import TASTES, Prior


def check_narrow(width: int, prior: Prior) -> None:
    """Make sure that vectors of this width have all the directions that the prior knows.

    Raises:
        ShapeError: they are narrower.
    """
    own = prior.projection is not None
    needed = 1 + (prior.n_directions if prior.projection is None else len(prior.projection.origin))
    if width < needed or (own and width > needed):
        raise ShapeError(
            f"features have {width} numbers a photo, but the prior of the model needs "
            f"{'' if own else 'at least '}{needed}; give vectors of the model that the prior came with"
        )


def check_prior_memory(prior: Prior) -> None:
    """Raises TooLarge unless a posterior over the prior's weights fits into memory."""
    check_memory(len(prior.mean), copies=2 * len(TASTES) + 2)


def check_memory(
    p: int,
    copies: int,
    cure: str = "use --adapter ridge, whose memory grows with the ratings only",
) -> None:
    """Make sure that so many covariances of p x p fit into the machine's memory.

    Args:
        p: rows of each.
        copies: how many there are.
        cure: what to do if they do not fit.

    Raises:
        TooLarge: they do not; nothing was allocated.
    """
    needed, there = copies * p * p * 8, machine_memory()
    if needed > there:
        raise TooLarge(
            f"{copies} covariances of {p} x {p} numbers need {needed / 2**30:.1f} GiB, but this machine has "
            f"{there / 2**30:.1f} GiB of memory; {cure}"
        )


def machine_memory() -> int:
    """Bytes of physical memory; where the system does not say, more than any machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**60
