"""The tables of ``benchmarks/distil_study.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import table

from generic.metrics import spearman
from generic.seeds import stream

Array = NDArray[np.float64]
BASE = "as shipped, but one run"
SAID, MUTE, ALONE = "score", "mute", "alone"
"""Scores of the whole, of the whole without what EAT says, and without any branch."""
N_DRAWS = 2000


class Scores:
    """What was found, put together.

    Args:
        wanted: mean scores of each list's photos.
        found: variant -> seed -> list -> scores of its photos.
    """

    def __init__(self, wanted: Mapping[int, Array], found: Mapping[str, Sequence[Mapping[int, Any]]]) -> None:
        self._wanted, self._units = wanted, found
        self._draws = {
            number: stream(0, "distil", "photos", number).integers(0, len(one), (N_DRAWS, len(one)))
            for number, one in wanted.items()
        }

    def rows(self) -> dict[str, Any]:
        """Variant -> SRCC by list, what EAT earns, and the difference from what is shipped."""
        found: dict[str, Any] = {}
        base = self._over_draws(BASE, SAID)
        for name, seeds in self._units.items():
            if not seeds:
                continue
            whole = self._over_draws(name, SAID)
            said, mute = self._srcc(name, SAID), self._srcc(name, MUTE)
            found[name] = {
                "seeds": len(seeds),
                "srcc": said,
                "eat": float(np.mean(said) - np.mean(mute)),
                "eat_interval": interval(whole - self._over_draws(name, MUTE)),
                "gain": float(np.mean(said) - np.mean(self._srcc(BASE, SAID))),
                "gain_interval": interval(whole - base),
                "cpu_s": float(np.mean([one["cpu_s"] for seed in seeds for one in seed.values()])),
            }
            alike = [one["like_teacher"] for seed in seeds for one in seed.values() if "like_teacher" in one]
            if alike:
                found[name]["like_teacher"] = float(np.mean(alike))
        return found

    def alone(self) -> list[float]:
        """SRCC by list without any branch."""
        return self._srcc(BASE, ALONE)

    def _srcc(self, name: str, kind: str) -> list[float]:
        """By list, the mean over seeds."""
        return [
            float(np.mean([spearman(np.array(seed[n][kind]), self._wanted[n]) for seed in self._units[name]]))
            for n in self._wanted
        ]

    def _over_draws(self, name: str, kind: str) -> Array:
        """The mean over lists and seeds, on photos drawn again, shape (draws,)."""
        found = []
        for seed in self._units[name]:
            for number, draws in self._draws.items():
                scores, wanted = np.array(seed[number][kind]), self._wanted[number]
                found.append([spearman(scores[draw], wanted[draw]) for draw in draws])
        mean: Array = np.mean(found, 0)
        return mean


def interval(differences: Array) -> list[float]:
    """95 % over photos."""
    low, high = np.quantile(differences, (0.025, 0.975))
    return [float(low), float(high)]


def tables(scores: Scores) -> dict[str, Any]:
    """Of the result file, the card's table with them."""
    rows, alone = scores.rows(), scores.alone()

    def between(value: float, ends: Sequence[float]) -> str:
        return f"{value:+.4f} [{ends[0]:+.4f}, {ends[1]:+.4f}]"

    lists = [f"list {n + 1}" for n in range(len(alone))]
    header = ["variant", "seeds", *lists, "mean", "what EAT says gives", "against shipped"]
    lines = [["no branch: kernel head and NIMA", "", *(f"{x:.3f}" for x in (*alone, np.mean(alone))), "", ""]]
    for name, row in rows.items():
        levels = [f"{x:.3f}" for x in (*row["srcc"], np.mean(row["srcc"]))]
        gains = [between(row["eat"], row["eat_interval"]), between(row["gain"], row["gain_interval"])]
        lines.append([name, str(row["seeds"]), *levels, *gains])
    return {"alone": alone, "variants": rows, "markdown": table(header, lines)}
