"""What learning is worth to simulated people: all of them, on photos that each of them did not rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generic.seeds import stream
from piaa.adapters.registry import DEFAULT, make_adapter
from piaa.demo.people import SimulatedPerson
from piaa.people.expected import measured_with
from piaa.people.model import Model
from piaa.people.pair_order import PairOrder

RATED = (10, 30)
"""Ratings that are learned from; the ten are the first of the thirty."""
STARS = (1, 5)


@dataclass(frozen=True, kw_only=True)
class Row:
    """How a ranking agrees with people's own ratings of the photos that they were not learned from."""

    k: int
    """Ratings that it was learned from; 0 is the crowd's ranking, by the generic score."""
    pairs: float
    """Share of pairs of differently rated photos in their order, mean over people, in [0, 1]."""
    low: float
    """Lower end of the mean's 95 % interval, over people."""
    high: float
    better: int
    """People whom it serves better than the crowd's ranking."""
    real: float | None
    """The share for the real people who were measured on this model; None if nobody was."""


def asked(n: int, person: SimulatedPerson, seed: int) -> list[int]:
    """The photos that a person rates, of n, in the order in which she does: drawn, not chosen."""
    chosen = stream(seed, "demo", "asked", person.number).permutation(n)[: max(RATED)]
    return [int(place) for place in chosen]


def compared(
    model: Model,
    vectors: NDArray[np.float32],
    people: Sequence[SimulatedPerson],
    ratings: Sequence[Sequence[int]],
    seed: int,
) -> list[Row]:
    """Every person learned from some ratings, and asked about the photos that she did not rate.

    Args:
        model: the generic model.
        vectors: of the album, shape (n, 1 + d).
        people: who rated it.
        ratings: of each person, one a photo.
        seed: names the random streams.
    """
    shares = np.array(
        [
            _shares(model, vectors, np.array(given), asked(len(vectors), person, seed))
            for person, given in zip(people, ratings, strict=True)
        ]
    )
    rows = zip((0, *RATED), shares.T, strict=True)
    return [_row(model, k, share, shares[:, 0]) for k, share in rows]


def _shares(
    model: Model, vectors: NDArray[np.float32], given: NDArray[np.int_], rated: list[int]
) -> list[float]:
    """Of one person: by the crowd's ranking, then by her own after each number of ratings."""
    left = np.setdiff1d(np.arange(len(vectors)), rated)
    units = (given - STARS[0]) / (STARS[1] - STARS[0])
    rankings = [vectors[left, 0].astype(np.float64)]
    for k in RATED:
        adapter = make_adapter(DEFAULT, model.prior).fit(vectors[rated[:k]], units[rated[:k]])
        rankings.append(adapter.predict(vectors[left]).score)
    return [PairOrder.of(given[left], ranking).share for ranking in rankings]


def _row(model: Model, k: int, shares: NDArray[np.float64], crowd: NDArray[np.float64]) -> Row:
    from scipy.stats import t

    measured = measured_with(k or RATED[0], DEFAULT, model.generic.hash)
    half = float(t.ppf(0.975, len(shares) - 1) * shares.std(ddof=1) / np.sqrt(len(shares)))
    mean = float(shares.mean())
    return Row(
        k=k,
        pairs=mean,
        low=mean - half,
        high=mean + half,
        better=int((shares > crowd).sum()),
        real=None if measured is None else measured.pairwise if k else measured.pairwise_generic,
    )


def table(rows: Sequence[Row], n_people: int, n_real: int | None) -> list[str]:
    """The rows for people to read."""
    real = f"  {n_real} real people" if n_real else ""
    lines = [f"{'pairs of photos in their own order':36}{n_people} simulated people{'':18}{real}".rstrip()]
    for row in rows:
        name = f"their own, after {row.k} ratings" if row.k else "the crowd's ranking"
        simulated = f"{row.pairs:6.1%} [{row.low:.1%}, {row.high:.1%}]"
        helped = f"{row.better} better off" if row.k else ""
        measured = f"  {row.real:.1%}" if row.real is not None else ""
        lines.append(f"  {name:34}{simulated:21} {helped:14}{measured}".rstrip())
    return lines
