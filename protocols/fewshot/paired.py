"""Two runs against each other: the same people and repeats, one pair of rows after the other.

Either run may be ours or somebody else's, as long as its file says what :mod:`protocols.fewshot.results`
does. Only (user, repeat) pairs that both have count, and what one of them lacks is counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import PiaaError
from generic.seeds import stream
from protocols.fewshot.harm import Harm, harm
from protocols.fewshot.results import Key, Results
from protocols.fewshot.summary import bootstrap_interval, holm, wilcoxon_p

_Cells = Mapping[tuple[str, int], tuple[float, int]]
"""(user, repeat) -> SRCC, number of photos predicted."""


@dataclass(frozen=True, kw_only=True)
class Paired:
    """One row of the first run against one of the second, on one test dataset at one k."""

    test: str
    k: int
    first: str
    """The adapter of the first run; with its training dataset where a run has several."""
    second: str

    mean_first: float
    """SRCC: mean over people of their means over the repeats that both have; NaN without people."""
    mean_second: float
    difference: float
    """First minus second."""
    low: float
    high: float
    """95 % bootstrap interval of the difference over people, on these photos; NaN for one person."""
    p: float
    """Paired Wilcoxon signed-rank test over people, two-sided."""
    p_holm: float
    """The same after Holm's correction for all pairs of rows of this test and k."""
    harm: Harm
    """People whom the first ranks worse than the second."""

    n_users: int
    n_pairs: int
    """(user, repeat) pairs that both have, with an SRCC."""
    n_undefined: int
    """Pairs without one in either: all ratings to predict are equal."""
    n_alone: int
    """Pairs that only one of the runs has."""
    n_other_photos: int
    """Pairs with another number of photos predicted: the two did not predict the same."""

    def facts(self) -> dict[str, Any]:
        """All of it as plain values for JSON; None for what is undefined."""
        values = asdict(self)
        flat = {**values, "harm": {name: _null(value) for name, value in values["harm"].items()}}
        return {name: _null(value) for name, value in flat.items()}


def pair_runs(
    first: Results, second: Results, *, adapter: str | None = None, against: str | None = None
) -> list[Paired]:
    """Every row of one run against its counterpart in the other.

    Args:
        first: one run.
        second: the other, or the same one again.
        adapter: of the first run; None is each.
        against: of the second run; None is the one of the same name.

    Returns:
        one entry for each pair of rows, test and k, in the order of the first run.

    Raises:
        PiaaError: no rows can be paired, a result is there twice, or only one of the runs has an SRCC for a
            pair that both tested: a constant prediction is worth 0 and not to be left out.
    """
    ours, theirs = _by_row(first, "first"), _by_row(second, "second")
    pairs = list(_pairs(ours, theirs, adapter, against))
    if not pairs:
        raise PiaaError(
            f"no rows of the two runs can be paired: the first has {_named(ours)}, the second "
            f"{_named(theirs)}; name an adapter of each, tested on the same dataset at the same k, "
            f"with --adapter and --against"
        )
    found = [_paired(one, other, ours[one], theirs[other]) for one, other in pairs]
    return _corrected(_labelled(found, pairs))


def _null(value: Any) -> Any:  # noqa: ANN401 - any plain value
    """NaN, which alone differs from itself and which JSON does not know, as None."""
    return None if value != value else value


def _by_row(results: Results, which: str) -> dict[Key, dict[tuple[str, int], tuple[float, int]]]:
    """(train, test, adapter, k) -> the row's results."""
    found: dict[Key, dict[tuple[str, int], tuple[float, int]]] = {}
    for row in results.rows():
        cells = found.setdefault((row["train"], row["test"], row["adapter"], row["k"]), {})
        place = (row["user"], row["repeat"])
        if place in cells:
            raise PiaaError(
                f"the {which} run has two results of adapter {row['adapter']!r} for user {row['user']!r}, "
                f"repeat {row['repeat']}, at k={row['k']} on {row['test']}; leave one"
            )
        cells[place] = (row["srcc"], row["n_query"])
    return found


def _pairs(
    ours: Mapping[Key, object], theirs: Mapping[Key, object], adapter: str | None, against: str | None
) -> Iterator[tuple[Key, Key]]:
    trains = [{key[0] for key in rows} for rows in (ours, theirs)]
    crossed = min(map(len, trains)) > 1
    for one in ours:
        for other in theirs:
            wanted = against or one[2]
            if (
                one[1::2] == other[1::2]
                and adapter in (None, one[2])
                and other[2] == wanted
                and (not crossed or one[0] == other[0])
            ):
                yield one, other


def _named(rows: Mapping[Key, object]) -> str:
    return ", ".join(dict.fromkeys(f"{adapter} on {test} at k={k}" for _, test, adapter, k in rows)) or "none"


def _paired(one: Key, other: Key, ours: _Cells, theirs: _Cells) -> Paired:
    both = [place for place in ours if place in theirs]
    _check_policy(one, other, both, ours, theirs)
    there = [place for place in both if not math.isnan(ours[place][0])]
    means = [_user_means({place: cells[place][0] for place in there}) for cells in (ours, theirs)]
    gains = np.array([value - means[1][user] for user, value in means[0].items()])
    low, high = bootstrap_interval(gains[:, None], stream(0, "bootstrap", one[1]))
    return Paired(
        test=one[1],
        k=one[3],
        first=one[2],
        second=other[2],
        mean_first=_mean(np.array(list(means[0].values()))),
        mean_second=_mean(np.array(list(means[1].values()))),
        difference=_mean(gains),
        low=low,
        high=high,
        p=wilcoxon_p(gains),
        p_holm=math.nan,
        harm=harm(*means),
        n_users=len(gains),
        n_pairs=len(there),
        n_undefined=len(both) - len(there),
        n_alone=len(ours) + len(theirs) - 2 * len(both),
        n_other_photos=sum(ours[place][1] != theirs[place][1] for place in there),
    )


def _check_policy(one: Key, other: Key, both: list[tuple[str, int]], ours: _Cells, theirs: _Cells) -> None:
    for place in both:
        lacks = [math.isnan(cells[place][0]) for cells in (ours, theirs)]
        if lacks[0] != lacks[1]:
            which, name = ("first", one[2]) if lacks[0] else ("second", other[2])
            raise PiaaError(
                f"the {which} run has no SRCC of adapter {name!r} for user {place[0]!r}, repeat {place[1]}, "
                f"at k={one[3]} on {one[1]}, where the other has one; count a constant prediction as 0, or "
                f"leave that repeat out of both"
            )


def _user_means(values: Mapping[tuple[str, int], float]) -> dict[str, float]:
    people: dict[str, list[float]] = {}
    for (user, _), value in values.items():
        people.setdefault(user, []).append(value)
    return {user: float(np.mean(own)) for user, own in people.items()}


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _labelled(found: list[Paired], pairs: list[tuple[Key, Key]]) -> list[Paired]:
    """Names with the training dataset, where those of a run differ."""
    several = [len({pair[side][0] for pair in pairs}) > 1 for side in (0, 1)]
    return [
        replace(
            row,
            first=f"{row.first} ({one[0]})" if several[0] else row.first,
            second=f"{row.second} ({other[0]})" if several[1] else row.second,
        )
        for row, (one, other) in zip(found, pairs, strict=True)
    ]


def _corrected(found: list[Paired]) -> list[Paired]:
    families: dict[tuple[str, int], list[int]] = {}
    for place, row in enumerate(found):
        families.setdefault((row.test, row.k), []).append(place)
    adjusted: dict[int, float] = {}
    for places in families.values():
        adjusted.update(zip(places, holm([found[place].p for place in places]), strict=True))
    return [replace(row, p_holm=adjusted[place]) for place, row in enumerate(found)]
