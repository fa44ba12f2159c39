"""What adapters share that start from the model's prior over people."""

from __future__ import annotations

import os
from typing import cast

from generic.errors import CheckpointError, ShapeError, TooLarge
from piaa.adapters.base import Array
from piaa.adapters.prior import TASTES, Prior
from piaa.adapters.vectors import VectorAdapter


class PriorAdapter(VectorAdapter):
    """An adapter that cannot do without a prior.

    Args:
        prior: learned with the generic model.

    Raises:
        CheckpointError: the model file has no prior.
        TooLarge: covariances of the prior's size would not fit into memory.
    """

    def __init__(self, prior: Prior | None = None) -> None:
        if prior is None:
            raise CheckpointError(
                f"adapter {self.name!r} needs a prior, but the model file has none; use --adapter ridge"
            )
        check_prior_memory(prior)
        super().__init__(prior)

    @property
    def prior(self) -> Prior:
        """The prior, of which there is one."""
        return cast("Prior", self._prior)

    def basis(self, x: Array) -> Array:
        """The prior's phi of features (u, k, 1 + d), shape (u, k, p).

        Raises:
            ShapeError: the features are narrower than the prior.
        """
        u, k, width = x.shape
        check_narrow(width, self.prior)
        return self.prior.basis(x.reshape(u * k, width)).reshape(u, k, -1)


def check_narrow(width: int, prior: Prior) -> None:
    """Nothing, if vectors of this width have all the directions that the prior knows.

    Raises:
        ShapeError: they are narrower.
    """
    if width < 1 + prior.n_directions:
        raise ShapeError(
            f"features have {width} numbers a photo, but the prior of the model needs at least "
            f"{1 + prior.n_directions}; give vectors of the model that the prior came with"
        )


def check_prior_memory(prior: Prior) -> None:
    """Nothing, if a posterior over the prior's weights fits into memory; TooLarge if not."""
    check_memory(len(prior.mean), copies=2 * len(TASTES) + 2)


def check_memory(
    p: int,
    copies: int,
    cure: str = "use --adapter ridge, whose memory grows with the ratings only",
) -> None:
    """Nothing, if so many covariances of p x p fit into the machine's memory.

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
