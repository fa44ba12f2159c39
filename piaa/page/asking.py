"""What to ask next, so that few answers teach much; and an honest word on what answers are worth.

How much an answer would narrow what is known of a person's taste is known before she gives it, a rating or a
comparison: see :mod:`piaa.people.suggest`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from generic.errors import PiaaError
from generic.words import counted
from piaa.adapters.prediction import Array, State
from piaa.adapters.prior import Prior
from piaa.adapters.registry import DEFAULT
from piaa.page.album import Album, Rows
from piaa.page.taste import Taste
from piaa.people.asking import BOTH, COMPARISONS, RATINGS, Seconds
from piaa.people.estimate import RankEstimate
from piaa.people.expected import Measured, gain_of, measured_with
from piaa.people.model import Model
from piaa.people.suggest import knowledge, suggest
from piaa.people.suggest_photos import answers_of

AHEAD = 12
"""Photos that are picked at once: those after the first are shown while she rates it."""
_SAMPLE = 2000
"""Photos of a large album that stand for all of it: picks cost as much as they are."""
_MOST_DONE = 20
"""Pairs that were compared already and may be picked again, before it is said that there is no other."""
_ENOUGH = 0.002
"""Share of pairs that ten more answers must bring to be worth asking for."""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What could be asked of a person, of one album."""

    album: Album
    model: Model
    taste: Taste
    bursts: NDArray[np.int32] | None = None
    """Of each photo, -1 where unknown; of one no two photos are asked about at once. None is no burst."""

    def photos(self, n: int = AHEAD, leave_out: Collection[int] = ()) -> list[int]:
        """Rows of unrated photos to rate next, the most instructive first; none if all are rated.

        Args:
            n: how many.
            leave_out: rows that are not asked for now.
        """
        rows = self._sample()
        return [one for one, _ in self._picks(rows, self._unrated(rows, leave_out), n, RATINGS)]

    def pair(self, skip: int = 0) -> tuple[int, int] | None:
        """Rows of two photos to compare, the most instructive pair; None if there is no further pair.

        Photos that she did not compare yet come first.

        Args:
            skip: pairs that she did not want to answer.
        """
        done = {frozenset((one.a_photo, one.b_photo)) for one in self.taste.said.comparisons}
        judged, rows, n_open = frozenset().union(*done), self._sample(), 0
        everything = list(range(len(rows)))
        fresh = [place for place in everything if self.album.photos[rows[place]].identity not in judged]
        for candidates, more in ((fresh, 0), (everything, min(len(done), _MOST_DONE))):
            picks = self._picks(rows, candidates, 1 + skip + more, COMPARISONS)
            for one, other in picks:
                if other is None or self._pair_of(one, other) in done or self._is_one(one, other):
                    continue
                if n_open == skip:
                    return one, other
                n_open += 1
            if n_open:  # she skipped all of these: that was one round
                return None
        return None

    def is_pair_better(self) -> bool:
        """Whether comparing two photos would now teach more, for the time it takes, than rating one."""
        rows = self._sample()
        picks = self._picks(rows, self._unrated(rows), 1, BOTH)
        return bool(picks) and picks[0][1] is not None

    def _unrated(self, rows: Rows, leave_out: Collection[int] = ()) -> list[int]:
        """Places among rows of photos to rate: of bursts with a rated one only if nothing else is left."""
        own = self.taste.words(self.album).own
        left = [place for place, row in enumerate(rows) if int(row) not in own and int(row) not in leave_out]
        if self.bursts is None:
            return left
        known = {int(self.bursts[row]) for row in own} - {-1}
        return [place for place in left if int(self.bursts[rows[place]]) not in known] or left

    def _picks(
        self, rows: Rows, candidates: list[int], n: int, seconds: Seconds
    ) -> list[tuple[int, int | None]]:
        """Rows of photos to rate, or of pairs to compare; evenly taken where nothing is known of people."""
        if not candidates or (seconds.rating is None and len(candidates) < 2):
            return []
        bursts = None if self.bursts is None else _each_its_own(self.bursts[rows])
        try:
            known, vectors = self._knowledge(), self.album.vectors(rows)
            prior = cast("Prior", self.model.prior)  # or there were no knowledge
            found = suggest(prior, known, vectors, n, candidates=candidates, bursts=bursts, seconds=seconds)
        except PiaaError:  # no prior, ratings of another model alone, or one burst
            some = [int(rows[place]) for place in _evenly(candidates, n if seconds.rating else 2 * n)]
            return [(row, None) for row in some] if seconds.rating else list(_twos(some))
        return [(int(rows[one.row]), None if one.other is None else int(rows[one.other])) for one in found]

    def _pair_of(self, one: int, other: int) -> frozenset[str]:
        return frozenset((self.album.photos[one].identity, self.album.photos[other].identity))

    def _is_one(self, one: int, other: int) -> bool:
        return len(self._pair_of(one, other)) == 1

    def falls(self) -> NDArray[np.float32]:
        """How much each photo's rating would teach, in any units, NaN where unknown; shape (n,)."""
        found, rows = np.full(len(self.album), np.nan, np.float32), self.album.known_rows()
        prior = self.model.prior
        if prior is None or not len(rows):
            return found
        try:
            known = self._knowledge()
        except PiaaError:
            return found
        found[rows] = expected_falls(prior, known, self.album, rows)
        return found

    def _knowledge(self) -> State:
        return knowledge(self.model.prior, *answers_of(self.model, self.taste.user, self.taste.said))

    def _sample(self) -> Rows:
        rows = self.album.known_rows()
        if len(rows) <= _SAMPLE:
            return rows
        return rows[np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.intp)]


def expected_falls(prior: Prior, known: State, album: Album, rows: Rows) -> Array:
    """By how much a rating of each photo would lower the variance of the album's ranking, shape (n,)."""
    covariance, noise = known["covariance"], float(known["noise"])
    basis = np.concatenate(
        [prior.basis(album.vectors(rows[start : start + 4096])) for start in range(0, len(rows), 4096)]
    )
    centred = basis - basis.mean(axis=0)
    scatter = centred.T @ centred / len(basis)
    reach = basis @ covariance
    variance = np.einsum("np,np->n", reach, basis)
    return np.asarray(np.einsum("np,np->n", reach @ scatter, reach) / (variance + noise))


def _each_its_own(bursts: NDArray[np.int32]) -> NDArray[np.intp]:
    """Burst numbers, with one of its own for each photo whose burst is unknown."""
    return np.where(bursts < 0, -1 - np.arange(len(bursts)), bursts).astype(np.intp)


def _twos(rows: list[int]) -> Iterator[tuple[int, int | None]]:
    yield from zip(rows[::2], rows[1::2], strict=False)


def _evenly(candidates: Iterable[int], n: int) -> list[int]:
    some = list(candidates)
    return [some[place] for place in np.linspace(0, len(some) - 1, min(n, len(some))).astype(int)]


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What answers are worth, by people who were measured and by her own ratings."""

    line: str
    """For a person."""
    is_enough: bool
    """Whether ten more would bring next to nothing."""


def worth_of(taste: Taste, model: Model, estimate: RankEstimate | None) -> Worth:
    """How well she is ranked by now, what ten more ratings would bring, and when to stop.

    Args:
        taste: hers.
        model: the generic model.
        estimate: from her own ratings, if there are enough.
    """
    k, unused = len(taste.said.ratings), compared_words(taste)
    measured = measured_with(max(k, 1), DEFAULT, model.generic.hash)
    gain = gain_of(k, 10, DEFAULT, model.generic.hash)
    if measured is None or gain is None:
        line = f"{counted(k, 'rating')}. How much they are worth was not measured for this model.{unused}"
        return Worth(line=line, is_enough=False)
    if k == 0 and taste.said.comparisons:
        line = (
            f"{counted(len(taste.said.comparisons), 'comparison')} and no rating: this is your order as far "
            "as they tell. Some ratings beside them say more."
        )
        return Worth(line=line, is_enough=False)
    if k == 0:
        line = (
            "Nothing rated yet: this is the crowd’s order. It puts "
            f"{1000 * measured.pairwise_generic:.0f} of 1,000 pairs in a person’s own order, ten ratings "
            f"bring about {1000 * gain:.0f} more ({measured.users} people were measured).{unused}"
        )
        return Worth(line=line, is_enough=False)
    line = f"{counted(k, 'rating')}: {_by_now(measured, estimate)} {{}}{unused}"
    if gain < _ENOUGH:
        return Worth(line=line.format("Ten more change next to nothing: stop when you like."), is_enough=True)
    return Worth(line=line.format(f"Ten more bring about {1000 * gain:.0f}."), is_enough=False)


def _by_now(measured: Measured, estimate: RankEstimate | None) -> str:
    """How many pairs are in order by now: hers, if that can be told, else those of people like her."""
    if estimate is None:
        share, crowd = measured.pairwise, measured.pairwise_generic
        whose = f"pairs are in order ({measured.users} people were measured)"
    else:
        share, crowd, whose = (
            estimate.pairwise,
            estimate.pairwise_generic,
            "pairs of your photos are in order",
        )
    return f"about {1000 * share:.0f} of 1,000 {whose}, {1000 * crowd:.0f} by the crowd’s order."


def compared_words(taste: Taste) -> str:
    """What becomes of a person's comparisons."""
    n, learned = len(taste.said.comparisons), taste.learned
    if not n or learned is None:
        return ""
    if learned.n_unused:
        return (
            f" {counted(n, 'comparison')} kept, but {learned.adapter.name} does not learn from them beside "
            f"{counted(len(learned.ratings), 'rating')}."
        )
    return f" Learned from {counted(n, 'comparison')}, too." if taste.said.ratings else ""
