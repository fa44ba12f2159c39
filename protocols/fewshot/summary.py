"""From results to the numbers of a table: mean, spread, interval, and who is better than whom.

A result is of one (train, test, adapter, k, repeat, user). The headline is the literature's: per repeat the
mean over users, every user counting once, then mean and standard deviation over repeats. How certain
it is depends on the users, not on the repeats, so the interval comes from drawing users anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from generic.errors import PiaaError
from generic.seeds import stream
from protocols.fewshot.results import Key

Array = NDArray[np.float64]
Columns = Mapping[str, Sequence[Any] | NDArray[Any]]
NanPolicy = Literal["drop", "zero"]
RESAMPLES = 2000
LEVEL = 0.95
_BLOCK = 1 << 22
_ZERO_MEANS_CHANCE = ("srcc", "plcc")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One line of a table: one metric of one adapter at one k, in the metric's own units."""

    train: str
    test: str
    adapter: str
    k: int
    metric: str

    mean: float
    """Mean over repeats of the mean over users; NaN if every result was dropped."""

    std: float
    """Standard deviation of the latter over repeats (n - 1); NaN for one repeat."""

    std_users: float
    """Standard deviation between users (n - 1) of their means over repeats; NaN for one user."""

    low: float
    high: float
    """Bootstrap interval of ``mean`` over users, 95 %; NaN for one user."""

    n_users: int
    """Users with at least one result that counts."""

    n_repeats: int

    dropped_users: int
    """Users without such a result."""

    dropped_results: int
    """Results left out because the metric is undefined there (NaN), those of dropped users included."""

    @property
    def text(self) -> str:
        """The literature's form, such as ``0.593±0.005``."""
        return format_mean_std(self.mean, self.std)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two adapters on the same users, at one k: paired Wilcoxon signed-rank test, two-sided."""

    train: str
    test: str
    k: int
    metric: str
    first: str
    second: str

    difference: float
    """Mean over users of first minus second."""

    n_users: int
    """Users with a number from both."""

    p: float
    """Of no difference; 1 if no user differs, NaN without users."""

    p_holm: float
    """The same after Holm's correction for all pairs of adapters of this train, test and k."""


def summarise(
    results: Columns, *, metric: str = "srcc", nan: NanPolicy = "drop", seed: int = 0
) -> list[Summary]:
    """One line for each (train, test, adapter, k), in order of first appearance.

    Args:
        results: columns ``train``, ``test``, ``adapter``, ``k``, ``repeat``, ``user`` and the metric.
        metric: a column of numbers.
        nan: what an undefined result (NaN) is: ``drop``, left out of that repeat and of that user's
            mean, and counted; or ``zero``, no correlation, which is possible for srcc and plcc only:
            other metrics (0 would be a perfect mae) are dropped all the same.
        seed: of the bootstrap. Adapters of one test set share its draws.

    Raises:
        PiaaError: a result is there twice, or a user lacks a repeat that others have.
    """
    return [
        _summary(key, metric, users, values, seed)
        for key, users, values in _tables(results, metric=metric, nan=nan)
    ]


def _summary(key: Key, metric: str, users: list[str], values: Array, seed: int) -> Summary:
    train, test, adapter, k = key
    counted = np.isfinite(values).any(axis=1)
    kept = values[counted]
    macro = _means(kept.T)
    low, high = bootstrap_interval(kept, stream(seed, "bootstrap", test))
    return Summary(
        train=train,
        test=test,
        adapter=adapter,
        k=k,
        metric=metric,
        mean=_mean(macro),
        std=_deviation(macro),
        std_users=_deviation(_means(kept)),
        low=low,
        high=high,
        n_users=len(kept),
        n_repeats=values.shape[1],
        dropped_users=len(users) - len(kept),
        dropped_results=int(np.count_nonzero(np.isnan(values))),
    )


def bootstrap_interval(
    values: Array, generator: np.random.Generator, *, resamples: int = RESAMPLES, level: float = LEVEL
) -> tuple[float, float]:
    """Percentile interval of the mean over repeats of the mean over users, users drawn with replacement.

    Args:
        values: shape (n_users, n_repeats); NaN is left out of its repeat's mean.
        generator: such as ``stream(seed, "bootstrap", test)``.
        resamples: how many draws of n_users users.
        level: share of studies whose interval holds the true mean; a little less for few users.

    Returns:
        low and high; NaN for less than two users.
    """
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    there = np.isfinite(values)
    columns = np.concatenate((np.where(there, values, 0.0), there), axis=1)
    drawn = np.empty(resamples)
    rows = max(1, _BLOCK // n)  # Bounds the memory: 2,000 draws of 10,000 users are 2 * 10^7 numbers.
    for start in range(0, resamples, rows):
        b = min(rows, resamples - start)
        picks = generator.integers(n, size=(b, n)) + n * np.arange(b)[:, None]
        weights = np.bincount(picks.ravel(), minlength=b * n).reshape(b, n)
        sums, counts = np.split(weights.astype(np.float64) @ columns, 2, axis=1)
        macro = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
        drawn[start : start + b] = _means(macro)
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def user_means(
    results: Columns, *, metric: str = "srcc", nan: NanPolicy = "drop"
) -> dict[Key, dict[str, float]]:
    """(train, test, adapter, k) -> user -> mean over repeats; users are sorted, dropped ones are not there.

    Args:
        results: as in ``summarise``.
        metric: a column of numbers.
        nan: as in ``summarise``.

    Raises:
        PiaaError: a result is there twice, or a user lacks a repeat that others have.
    """
    return {
        key: {user: m for user, m in zip(users, _means(values).tolist(), strict=True) if not math.isnan(m)}
        for key, users, values in _tables(results, metric=metric, nan=nan)
    }


def compare(results: Columns, *, metric: str = "srcc", nan: NanPolicy = "drop") -> list[Comparison]:
    """Every pair of adapters of the same train, test and k, over the users that both have a number for.

    Args:
        results: as in ``summarise``. The adapters of a pair may have been run on different users.
        metric: a column of numbers; a user's number is the mean over repeats.
        nan: as in ``summarise``.

    Raises:
        PiaaError: a result is there twice, or a user lacks a repeat that others have.
    """
    families: dict[tuple[str, str, int], dict[str, dict[str, float]]] = {}
    for (train, test, adapter, k), means in user_means(results, metric=metric, nan=nan).items():
        families.setdefault((train, test, k), {})[adapter] = means
    found: list[Comparison] = []
    for (train, test, k), adapters in families.items():
        pairs = list(combinations(adapters, 2))
        gains = [_differences(adapters[first], adapters[second]) for first, second in pairs]
        p_values = [wilcoxon_p(gain) for gain in gains]
        for (first, second), gain, p, p_holm in zip(pairs, gains, p_values, holm(p_values), strict=True):
            found.append(
                Comparison(
                    train=train,
                    test=test,
                    k=k,
                    metric=metric,
                    first=first,
                    second=second,
                    difference=_mean(gain),
                    n_users=len(gain),
                    p=p,
                    p_holm=p_holm,
                )
            )
    return found


def wilcoxon_p(differences: Array) -> float:
    """Two-sided p of the Wilcoxon signed-rank test; users without a difference have no say.

    Args:
        differences: shape (n,), one per user, finite.

    Returns:
        in [0, 1]; 1 if all differences are 0, NaN if there are none.
    """
    from scipy.stats import wilcoxon

    if not len(differences):
        return math.nan
    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values by Holm's step-down method (1979), in the order given; NaN stays and does not count.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted((p, place) for place, p in enumerate(p_values) if p == p)
    adjusted = [math.nan] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(order):
        # A larger p never ends up below a smaller one.
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        adjusted[place] = largest
    return adjusted


def format_mean_std(mean: float, std: float, *, digits: int = 3) -> str:
    """The literature's ``mean±std``; no ± where there is no std, a dash where there is no mean.

    Example:
        >>> format_mean_std(0.59349, 0.0051)
        '0.593±0.005'
    """
    if math.isnan(mean):
        return "–"
    number = f"{mean:z.{digits}f}"
    return number if math.isnan(std) else f"{number}±{std:.{digits}f}"


def _tables(results: Columns, *, metric: str, nan: NanPolicy) -> Iterator[tuple[Key, list[str], Array]]:
    """For each (train, test, adapter, k): users sorted by name, and values of shape (n_users, n_repeats)."""
    if nan not in ("drop", "zero"):
        raise PiaaError(f"the NaN policy is {nan!r}, expected 'drop' or 'zero'; name one of the two")
    groups: dict[Key, tuple[list[str], list[int], list[float]]] = {}
    names = ("train", "test", "adapter", "k", "user", "repeat", metric)
    columns = [np.asarray(results[name]).tolist() for name in names]
    for train, test, adapter, k, user, repeat, value in zip(*columns, strict=True):
        group = groups.setdefault((train, test, adapter, k), ([], [], []))
        group[0].append(user)
        group[1].append(repeat)
        group[2].append(value)
    for key, (users, repeats, listed) in groups.items():
        names_, rows = np.unique(np.array(users, dtype=object), return_inverse=True)
        numbers, places = np.unique(repeats, return_inverse=True)
        counts = np.zeros((len(names_), len(numbers)), dtype=np.intp)
        np.add.at(counts, (rows, places), 1)
        _check_complete(key, names_.tolist(), numbers.tolist(), counts)
        values = np.empty(counts.shape)
        values[rows, places] = listed
        if nan == "zero" and metric in _ZERO_MEANS_CHANCE:
            values = np.nan_to_num(values, nan=0.0)
        yield key, names_.tolist(), values


def _check_complete(key: Key, users: list[str], repeats: list[int], counts: NDArray[np.intp]) -> None:
    wrong = np.argwhere(counts != 1)
    if len(wrong):
        row, place = wrong[0]
        n = int(counts[row, place])
        train, test, adapter, k = key
        raise PiaaError(
            f"adapter {adapter!r} at k={k}, {train} -> {test}: user {users[row]!r} has {n} results of "
            f"repeat {repeats[place]}, expected 1 ({len(wrong)} such places); run the evaluation to its end"
        )


def _means(values: Array) -> Array:
    """Mean of each row without its NaN; NaN for a row that holds nothing else."""
    there = np.isfinite(values)
    counts = there.sum(axis=1)
    sums = np.where(there, values, 0.0).sum(axis=1)
    return np.asarray(np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0))


def _mean(values: Array) -> float:
    return float(_means(values[None])[0])


def _deviation(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.std(finite, ddof=1)) if len(finite) > 1 else math.nan


def _differences(first: Mapping[str, float], second: Mapping[str, float]) -> Array:
    return np.array([value - second[user] for user, value in first.items() if user in second])
