"""Simulated people with a stated taste, who rate painted scenes from 1 to 5.

A person is a list of weights on what a `Scene` states, so the demonstration can say in one sentence
what there is to learn, and can compare what was learnt with the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np

from generic.seeds import stream
from piaa.demo.scenes import KINDS, TILT_LIMIT, Scene, draw_scenes

QUALITIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "light": ("bright light", "low light"),
        "warmth": ("warm colours", "cool colours"),
        "saturation": ("strong colours", "muted colours"),
        "contrast": ("hard contrast", "soft contrast"),
        "sharpness": ("sharp detail", "blur"),
        "clutter": ("busy frames", "uncluttered frames"),
        "fog": ("fog", "clear air"),
        "horizon": ("a high horizon", "a low horizon"),
        "thirds": ("a subject on the thirds", "a centred subject"),
        "straightness": ("a level camera", "a tilted camera"),
    }
)
"""What a taste can weigh besides the kind of scene: name -> (much of it, little of it) in words."""

_KIND_WORDS = dict(
    zip(
        KINDS,
        (
            "the seaside",
            "mountains",
            "forests",
            "cities at night",
            "meadows",
            "still lifes",
            "streets",
            "portraits",
        ),
        strict=True,
    )
)
_SHARES = (0.10, 0.20, 0.35, 0.22, 0.13)
"""How often a person gives 1, 2, 3, 4 and 5 in the long run: few extremes, as real people do."""

_PRIOR_SIZE, _PRIOR_SEED = 512, 20240229
"""The scenes on which every person's scale is calibrated; no album decides what a 5 is."""


def qualities(scene: Scene) -> dict[str, float]:
    """What a person may care about in a scene: each of `QUALITIES` in [0, 1]."""
    values = {name: getattr(scene, name) for name in QUALITIES if name != "straightness"}
    return values | {"straightness": 1.0 - abs(scene.tilt) / TILT_LIMIT}


@dataclass(frozen=True, kw_only=True)
class SimulatedPerson:
    """A taste stated as weights; larger is more liked, negative is disliked, absent is indifferent.

    Raises:
        ValueError: a weight is for something that scenes do not have, no weight differs from 0, or
            the noise is negative.
    """

    name: str
    """What the person is called."""
    weights: Mapping[str, float]
    """Of `QUALITIES`: what the step from none of it to all of it adds to the score."""
    kinds: Mapping[str, float] = field(default_factory=dict)
    """Of `KINDS`: what the kind of scene alone adds to the score."""
    noise: float = 0.25
    """Standard deviation of the noise in a rating, as a share of the true score's over all scenes."""

    def __post_init__(self) -> None:
        wrong = [f"no quality {name!r}" for name in self.weights if name not in QUALITIES]
        wrong += [f"no kind {name!r}" for name in self.kinds if name not in KINDS]
        if not any([*self.weights.values(), *self.kinds.values()]):
            wrong.append("no weight differs from 0")
        if not self.noise >= 0.0:
            wrong.append(f"noise={self.noise} is below 0")
        if wrong:
            known = f"qualities are {', '.join(QUALITIES)}; kinds are {', '.join(KINDS)}"
            raise ValueError(f"simulated person {self.name!r} cannot be: {'; '.join(wrong)}; {known}")

    def true_score(self, scene: Scene) -> float:
        """How much the person likes a scene, without noise: mean 0 and deviation 1 over all scenes."""
        mean, deviation, _ = self._calibration
        return (self._raw(scene) - mean) / deviation

    def rate(self, scene: Scene, rng: np.random.Generator) -> int:
        """One rating, 1 to 5: the true score, plus noise, on this person's scale.

        Args:
            scene: what is rated.
            rng: where the noise comes from; one normal number is drawn. `rate_album` names it well.
        """
        felt = self.true_score(scene) + self.noise * float(rng.standard_normal())
        return 1 + int(np.searchsorted(self._calibration[2], felt))

    def rate_album(self, album: Iterable[tuple[str, Scene]], seed: int) -> dict[str, int]:
        """Ratings of named scenes, {file name: 1 to 5}; one photo's does not depend on the others."""
        return {
            name: self.rate(scene, stream(seed, "demo", "rating", self.name, name)) for name, scene in album
        }

    def describe(self) -> str:
        """The taste in one sentence: up to three likes, then up to two dislikes, strongest first."""
        wishes = [
            (abs(weight), QUALITIES[name][weight < 0], QUALITIES[name][weight > 0])
            for name, weight in self.weights.items()
            if weight
        ]
        wishes.sort(reverse=True)
        likes, dislikes = [liked for _, liked, _ in wishes[:3]], [bad for _, _, bad in wishes[3:5]]
        by_weight = sorted(self.kinds, key=lambda kind: -abs(self.kinds[kind]))
        likes += [_KIND_WORDS[kind] for kind in by_weight if self.kinds[kind] > 0]
        dislikes += [_KIND_WORDS[kind] for kind in by_weight if self.kinds[kind] < 0]
        parts = [
            f"{verb} {_enumerate(words)}"
            for verb, words in (("likes", likes), ("dislikes", dislikes))
            if words
        ]
        return f"{self.name} {'; '.join(parts)}."

    def _raw(self, scene: Scene) -> float:
        values = qualities(scene)
        liking = sum(weight * values[name] for name, weight in self.weights.items())
        return float(liking + self.kinds.get(scene.kind, 0.0))

    @cached_property
    def _calibration(self) -> tuple[float, float, tuple[float, ...]]:
        """Mean and deviation of the raw score over all scenes; the four limits between five ratings."""
        raw = np.array([self._raw(scene) for scene in draw_scenes(_PRIOR_SIZE, _PRIOR_SEED)])
        mean, deviation = float(raw.mean()), float(raw.std())
        noise = stream(_PRIOR_SEED, "demo", "calibration").standard_normal(_PRIOR_SIZE)
        felt = (raw - mean) / deviation + self.noise * noise
        return mean, deviation, tuple(np.quantile(felt, np.cumsum(_SHARES)[:-1]).tolist())


def _enumerate(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


PERSONS: Mapping[str, SimulatedPerson] = MappingProxyType(
    {
        "Ana": SimulatedPerson(
            name="Ana",
            weights={"warmth": 1.4, "light": -0.9, "clutter": -0.9, "sharpness": 0.7, "horizon": -0.4},
            kinds={"seaside": 0.5, "street": -0.3},
        ),
        "Ben": SimulatedPerson(
            name="Ben",
            weights={"light": 1.1, "saturation": 1.3, "contrast": 0.8, "sharpness": 0.7, "fog": -0.5},
            kinds={"mountains": 0.5, "still life": -0.4},
        ),
        "Chiyo": SimulatedPerson(
            name="Chiyo",
            weights={"saturation": -1.2, "warmth": -1.0, "clutter": -0.8, "fog": 0.6, "straightness": 0.5},
            kinds={"portrait": 0.4, "city night": -0.4},
        ),
    }
)
"""Three who disagree: Ana and Ben about light, Ana and Chiyo about warmth, Ben and Chiyo about colour."""
