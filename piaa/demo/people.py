"""Simulated people with a stated taste, who rate painted scenes from 1 to 5.

Tastes are drawn, never chosen: person i of an endless list likes each kind of scene more or less, and a
little how a photo was taken. What a photo shows is what real people differ about, and a model that learned
from them finds out such a taste from few ratings. One for light or warmth alone it hardly finds out from
thirty, of real pictures no more than of these: ``benchmarks/demo_tastes.py`` measures both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generic.seeds import stream
from piaa.demo.scenes import KINDS, QUALITIES, Scene

_QUALITY = 0.7
"""Spread of the weights of how a photo was taken, in those of what it shows."""
_NOISE = 0.5
"""Standard deviation of the noise in a rating, in those of what the person feels."""
_SHARES = (0.10, 0.20, 0.35, 0.22, 0.13)
"""How often a person gives 1, 2, 3, 4 and 5: few extremes, as real people do."""


@dataclass(frozen=True, kw_only=True)
class SimulatedPerson:
    """A taste stated as weights; larger is more liked."""

    number: int
    kinds: Mapping[str, float]
    """Of `KINDS`: what the kind of scene adds."""
    qualities: Mapping[str, float]
    """Of `QUALITIES`: what the step from none of it to all of it adds."""

    def liking(self, scene: Scene) -> float:
        """How much the person likes a scene, without noise."""
        taken = sum(weight * getattr(scene, name) for name, weight in self.qualities.items())
        return float(self.kinds[scene.kind] + taken)

    def rate(self, scenes: Sequence[Scene], seed: int) -> list[int]:
        """Ratings of an album, 1 to 5, on a scale that this album fills."""
        liking = np.array([self.liking(scene) for scene in scenes])
        return rated(liking, stream(seed, "demo", "noise", self.number))

    def describe(self, name: str) -> str:
        """The taste in a sentence: the two kinds liked most, and the two liked least."""
        first, second, *_, last_but_one, last = sorted(self.kinds, key=lambda kind: -self.kinds[kind])
        return f"{name} likes {first} and {second} most, {last_but_one} and {last} least."


def rated(liking: NDArray[np.float64], rng: np.random.Generator) -> list[int]:
    """Ratings 1 to 5 of photos that somebody likes so much, shape (n,), with noise."""
    felt = liking + _NOISE * liking.std() * rng.standard_normal(len(liking))
    limits = np.quantile(felt, np.cumsum(_SHARES)[:-1])
    return [1 + int(place) for place in np.searchsorted(limits, felt)]


def draw_people(n: int, seed: int) -> list[SimulatedPerson]:
    """People 0 to n - 1 of an endless list; person i depends on the seed and on i, never on n."""
    return [_draw_person(number, seed) for number in range(n)]


def _draw_person(number: int, seed: int) -> SimulatedPerson:
    weights = stream(seed, "demo", "person", number).standard_normal(len(KINDS) + len(QUALITIES))
    kinds, qualities = weights[: len(KINDS)].tolist(), (_QUALITY * weights[len(KINDS) :]).tolist()
    return SimulatedPerson(
        number=number,
        kinds=dict(zip(KINDS, kinds, strict=True)),
        qualities=dict(zip(QUALITIES, qualities, strict=True)),
    )
