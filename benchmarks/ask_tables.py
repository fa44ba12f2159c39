"""What ``ask.py`` measured, as tables: SRCC by answers and by seconds, who is harmed, what may be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from oasis_people import DRAWS, bootstrap
from record import table

from generic.seeds import stream
from generic.words import counted

WAYS = (
    "ratings",
    "comparisons",
    "noisy comparisons",
    "asked ratings",
    "asked comparisons",
    "asked noisy comparisons",
    "asked both",
    "asked noisy both",
)
SHOWN = (10, 30)
"""Numbers of answers in the tables."""
BINS = ("50 to 60 %", "60 to 70 %", "70 to 80 %", "80 to 90 %", "90 % or more")

HOME = "all three"
"""Name of the people of all lists together."""

Done = list[dict[str, Any]]
"""Lines of a file."""
Means = dict[str, NDArray[np.float64]]
"""By way and number of answers, SRCC and seconds of each user, means over draws, shape (users, 2)."""


def tables_of(groups: dict[str, tuple[list[str], Done, Done]]) -> dict[str, Any]:
    """Figures of each group that is done, and of all people at home together.

    Args:
        groups: by name, people, what was learned of them, and what may be trusted.
    """
    found = {name: summary(*group, name) for name, group in groups.items()}
    home = {name: groups[name] for name, one in found.items() if one is not None and name.isdigit()}
    if len(home) > 1:
        people, done, trust = ([], [], [])
        for some in home.values():
            people, done, trust = people + some[0], done + some[1], trust + some[2]
        found = {**{name: found[name] for name in home}, HOME: summary(people, done, trust, HOME)} | found
    return {name: one for name, one in found.items() if one is not None}


def summary(people: list[str], done: Done, trust: Done, name: str) -> dict[str, Any] | None:
    """Of some people, over the draws that all of them have; None without any."""
    done = [one for one in done if one["user"] in set(people)]
    counts = np.bincount([one["repeat"] for one in done]) if done else np.zeros(1)
    draws = int(np.argmax(np.append(counts, 0) < len(people)))
    if not draws:
        return None
    mean = means([one for one in done if one["repeat"] < draws])
    return {
        "users": len(people),
        "draws": draws,
        "ways": {way: _row(mean, way, name) for way in mean},
        "seconds": {way: _quicker(mean, way, name) for way in WAYS if f"{way} 10" in mean},
        "trust": _trust([one["trust"] for one in trust if one["user"] in set(people)]),
    }


def means(done: Done) -> Means:
    """Of the ways that everybody has."""
    users = sorted({one["user"] for one in done})
    ways = [way for way in done[0]["srcc"] if all(way in one["srcc"] for one in done)]
    found: Means = {}
    for way in ways:
        each: dict[str, list[list[float]]] = {user: [] for user in users}
        for one in done:
            each[one["user"]].append(one["srcc"][way])
        found[way] = np.array([np.nanmean(each[user], axis=0) for user in users])
    return found


def _row(mean: Means, way: str, name: str) -> dict[str, Any]:
    """SRCC, against as many ratings at random, and against the crowd's ranking."""
    srcc, seconds = mean[way].T
    lost = srcc - mean["crowd"][:, 0]
    row: dict[str, Any] = {
        "srcc": float(np.nanmean(srcc)),
        "seconds": float(seconds.mean()),
        "below_crowd": float(np.nanmean(lost < 0)),
        "one_in_twenty": float(np.nanquantile(lost, 0.05)),
    }
    beside = f"ratings {way.split()[-1]}"
    if beside in mean and beside != way:
        gain = srcc - mean[beside][:, 0]
        row |= {"gain": float(np.nanmean(gain)), "interval": bootstrap(gain, name, way)}
    return row


def _quicker(mean: Means, way: str, name: str) -> dict[str, Any]:
    """For the SRCC of so many random ratings, how many times as few seconds, with a 95 % interval."""
    n = len(mean["crowd"])
    draws = stream(0, "seconds", name, way).integers(0, n, (DRAWS, n))
    found = {}
    for count in SHOWN:
        if f"ratings {count}" not in mean:
            continue
        ratio = _times(mean, way, count, np.arange(n))
        every = [_times(mean, way, count, rows) for rows in draws]
        # Where no number of answers gives it, infinity stands for a time that was not measured.
        found[str(count)] = [ratio, *map(float, np.percentile(every, [2.5, 97.5], method="nearest"))]
    return found


def _times(mean: Means, way: str, count: int, rows: NDArray[np.intp]) -> float:
    """How many times as few seconds; 0 if the way does not come so far."""
    aim, seconds = np.nanmean(mean[f"ratings {count}"][rows], axis=0)
    names = [one for one in mean if one.rsplit(maxsplit=1)[0] == way]
    curve = np.array(
        [np.nanmean(mean["crowd"][rows], axis=0), *(np.nanmean(mean[one][rows], axis=0) for one in names)]
    )
    reached = np.maximum.accumulate(curve[:, 0])
    if aim > reached[-1]:
        return 0.0
    return float(seconds / max(float(np.interp(aim, reached, curve[:, 1])), 1.0))


def _trust(every: list[dict[str, Any]]) -> dict[str, list[list[float]]]:
    """By kind and number of answers, for each bin: pairs, the mean probability, the share that is right."""
    found: dict[str, list[list[float]]] = {}
    for name in every[0] if every else ():
        bins = [np.array(one[name]) for one in every if name in one]
        pairs, told, right = np.sum(bins, axis=0).T
        each = np.maximum(pairs, 1)
        found[name] = np.column_stack([pairs, told / each, right / each]).tolist()
    return found


def markdown(groups: dict[str, Any]) -> str:
    """The tables of docs/adapters.md."""
    if not groups:
        return ""
    return "\n\n".join([learned(groups), quicker(groups), harmed(groups), trusted(groups)])


def _named(groups: dict[str, Any]) -> list[str]:
    return [
        f"{'list ' * name.isdigit()}{name} ({one['users']} people, {counted(one['draws'], 'draw')})"
        for name, one in groups.items()
    ]


def learned(groups: dict[str, Any]) -> str:
    """SRCC, and what it is more than of as many random ratings."""

    def cell(one: dict[str, Any] | None) -> str:
        if one is None:
            return ""
        more = (
            f" {one['gain']:+.3f} [{one['interval'][0]:+.3f}, {one['interval'][1]:+.3f}]"
            if "gain" in one
            else ""
        )
        return f"{one['srcc']:.3f}{more}"

    first = next(iter(groups.values()))["ways"]
    rows = [
        (
            f"{count} {way}",
            f"{first[f'{way} {count}']['seconds']:.0f} s",
            *(cell(one["ways"].get(f"{way} {count}")) for one in groups.values()),
        )
        for count in SHOWN
        for way in WAYS
        if f"{way} {count}" in first
    ]
    crowd = ("the crowd's ranking", "0 s", *(cell(one["ways"]["crowd"]) for one in groups.values()))
    return table(("answers", "time", *_named(groups)), [crowd, *rows])


def quicker(groups: dict[str, Any]) -> str:
    """How many times as few seconds the SRCC of random ratings takes."""

    def cell(one: list[float] | None) -> str:
        if one is None:
            return ""
        ratio, low, high = ("not reached" if not x else f"{x:.1f}" for x in one)
        return ratio if not one[0] else f"{ratio} [{low}, {high}]"

    rows = [
        (
            f"{count} ratings",
            way,
            *(cell(one["seconds"].get(way, {}).get(str(count))) for one in groups.values()),
        )
        for count in SHOWN
        for way in WAYS[1:]
    ]
    return table(("for the SRCC of", "by", *(f"{name}: times as quick" for name in groups)), rows)


def harmed(groups: dict[str, Any]) -> str:
    """Who is ranked worse than by the crowd at ten answers."""

    def cell(one: dict[str, Any] | None) -> str:
        return "" if one is None else f"{100 * one['below_crowd']:.0f} %, {one['one_in_twenty']:+.3f}"

    rows = [(f"10 {way}", *(cell(one["ways"].get(f"{way} 10")) for one in groups.values())) for way in WAYS]
    return table(("answers", *(f"{name}: below the crowd, one in twenty by" for name in groups)), rows)


def trusted(groups: dict[str, Any]) -> str:
    """Of pairs with a probability in each range: its mean, how many are preferred so, the share of pairs."""
    rows = []
    for place, group in groups.items():
        if place.isdigit() and HOME in groups:
            continue
        for name, bins in group["trust"].items():
            pairs, told, right = np.array(bins).T
            cells = (
                f"{100 * p:.0f} : {100 * r:.0f} ({share:.0f})" if n else ""
                for p, r, n, share in zip(told, right, pairs, 100 * pairs / pairs.sum(), strict=True)
            )
            kind, count = name.split()
            rows.append((place, f"{count} {kind}", *cells))
    return table(("people of", "answers", *(f"said {one}" for one in BINS)), rows)
