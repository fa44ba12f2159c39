"""Settings of one meta-training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from generic.errors import PiaaError

Algorithm = Literal["anil", "maml", "meta-sgd"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


@dataclass(frozen=True, kw_only=True)
class MetaConfig:
    """What to learn and how.

    Raises:
        PiaaError: values that cannot be; all of them at once.
    """

    algorithm: Algorithm
    """Which layers adapt, and at what rates; see :mod:`piaa.meta.learner`."""
    first_order: bool = False
    """Do not differentiate through the steps."""
    shots: tuple[int, int] = (1, 100)
    """Fewest and most ratings of an episode's support; log-uniform between."""
    steps: int = 5
    """Inner steps while training. How many a person gets is chosen on held-out users, for each k."""
    rate: float = 0.1
    """Step size; of Meta-SGD the one to begin with."""
    units: int = 32
    """Hidden units of the head."""
    epochs: int = 20
    """Most passes over the training users; the best by held-out users is kept."""
    meta_rate: float = 2e-3
    """Learning rate of the start (Adam)."""
    batch: int = 16
    """Users in one step of the start."""
    noise: float = 0.5
    """Standard deviation of noise on the standardised embedding while training. A few hundred photos are
    soon known by heart; one that is blurred cannot be."""
    caution: float = 4.0
    """See :mod:`piaa.meta.head`; while training."""
    held_users: float = 0.15
    """Share of the training users that are held out."""
    held_photos: float = 0.2
    """Share of the training photos that only held-out users are asked about."""
    seed: int = 0
    """Names every random stream."""

    def __post_init__(self) -> None:
        wrong = []
        if self.algorithm not in ALGORITHMS:
            wrong.append(f"algorithm is {self.algorithm!r}, expected one of {', '.join(ALGORITHMS)}")
        if not 1 <= self.shots[0] <= self.shots[1]:
            wrong.append(
                f"shots are {self.shots[0]}..{self.shots[1]}, expected LOW..HIGH with 1 <= LOW <= HIGH"
            )
        for name in ("steps", "units", "epochs", "batch"):
            if getattr(self, name) < 1:
                wrong.append(f"{name} is {getattr(self, name)}, expected a whole number from 1")
        for name in ("rate", "meta_rate", "caution"):
            if not getattr(self, name) > 0:
                wrong.append(f"{name} is {getattr(self, name)}, expected a number above 0")
        for name in ("held_users", "held_photos"):
            if not 0 < getattr(self, name) < 1:
                wrong.append(f"{name} is {getattr(self, name)}, expected a share between 0 and 1")
        if wrong:
            raise PiaaError(f"meta-training cannot run: {'; '.join(wrong)}")
