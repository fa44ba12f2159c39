"""From results to a report: every number of every row is looked up here, once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import PiaaError
from generic.words import counted
from protocols.fewshot.crowd import CROWD
from protocols.fewshot.harm import Harm, harm
from protocols.fewshot.results import ORACLE, Key, Results
from protocols.fewshot.summary import NanPolicy, Summary, compare, summarise, user_means
from protocols.fewshot.two_way import two_way_interval
from protocols.report.published import CAUTIONS, CROSS, CROSS_CITES, CROSS_K, NOTES, published_methods, title
from protocols.report.table import (
    Cell,
    CrossMatrix,
    Detail,
    Report,
    ReportTable,
    Row,
)

OTHERS = ("plcc", "pairwise", "mae", "coverage")


def collect(results: Results, *, nan: NanPolicy = "drop") -> Report:
    """The report of an evaluation, with the published figures of its test datasets.

    Args:
        results: of ``piaa evaluate`` or ``piaa cross-evaluate``, at least one.
            The bootstrap takes the seed of its configuration.
        nan: what an undefined correlation is; see ``summary.summarise``.

    Raises:
        PiaaError: a result is there twice, or a user lacks a repeat that others have, or an oracle result has
            no honest one beside it.
    """
    lines = _lines(results, nan=nan, seed=results.config.get("seed", 0))
    tests = dict.fromkeys(test for _, test, _, _ in lines)
    return Report(
        tables=tuple(_table(test, lines, results, nan) for test in tests),
        matrices=_matrices(lines),
        results=results,
        nan=nan,
    )


def _lines(results: Results, *, nan: NanPolicy, seed: int) -> dict[Key, Cell]:
    """The cells of all rows measured here, in order of first appearance."""
    columns = results.columns
    oracle = np.array([name.endswith(ORACLE) for name in columns["adapter"]], dtype=bool)
    honest = _where(columns, ~oracle)
    best = _oracles(_where(columns, oracle), honest, nan, seed)
    others: dict[Key, dict[str, float]] = {}
    for metric in OTHERS:
        for line in summarise(honest, metric=metric, nan=nan, seed=seed):
            others.setdefault(_key(line), {})[metric] = line.mean
    p_values = _p_values(honest, nan)
    users = user_means(honest, nan=nan)
    harms = _harms(users, _baselines(honest))
    return {
        _key(line): Cell(
            mean=line.mean,
            std=line.std,
            detail=Detail(
                srcc=line,
                others=others[_key(line)],
                p_holm=p_values.get(_key(line)),
                oracle_epoch=best.get(_key(line)),
                users=users[_key(line)],
                two_way=two_way_interval(line.mean, results.draws.get(_key(line), ())),
                harm=harms.get(_key(line)),
            ),
        )
        for line in summarise(honest, nan=nan, seed=seed)
    }


def _where(columns: Mapping[str, Any], chosen: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(column)[chosen] for name, column in columns.items()}


def _oracles(
    columns: Mapping[str, Any], honest: Mapping[str, Any], nan: NanPolicy, seed: int
) -> dict[Key, Summary]:
    """Results with an epoch chosen on the query, by the adapter that they stand beside."""
    alone = {name.removesuffix(ORACLE) for name in columns["adapter"]} - set(honest["adapter"])
    if alone:
        name = min(alone)
        raise PiaaError(
            f"adapter {name + ORACLE!r} has no results of {name!r} to stand beside; evaluate {name!r} too"
        )
    lines = summarise(columns, nan=nan, seed=seed)
    return {_key(line, line.adapter.removesuffix(ORACLE)): line for line in lines}


def _baselines(columns: Mapping[str, Any]) -> dict[str, str]:
    """Test dataset -> its first adapter."""
    # The first is set last.
    return dict(zip(reversed(columns["test"]), reversed(columns["adapter"]), strict=True))


def _harms(users: Mapping[Key, Mapping[str, float]], baselines: Mapping[str, str]) -> dict[Key, Harm]:
    """Of every adapter but the baselines; the crowd serves nobody."""
    found = {}
    for (train, test, adapter, k), own in users.items():
        other = users.get((train, test, baselines[test], k))
        if other is not None and adapter not in (baselines[test], CROWD):
            found[train, test, adapter, k] = harm(own, other)
    return found


def _p_values(columns: Mapping[str, Any], nan: NanPolicy) -> dict[Key, float]:
    """Holm corrected p of each adapter against its test dataset's baseline; the crowd is no adapter."""
    baselines = _baselines(columns)
    competing = np.array([name != CROWD for name in columns["adapter"]], dtype=bool)
    found = {}
    for pair in compare(_where(columns, competing), nan=nan):
        for adapter, other in ((pair.first, pair.second), (pair.second, pair.first)):
            if other == baselines[pair.test]:
                found[pair.train, pair.test, adapter, pair.k] = pair.p_holm
    return found


def _key(line: Summary, adapter: str | None = None) -> Key:
    return line.train, line.test, adapter or line.adapter, line.k


def _table(test: str, lines: Mapping[Key, Cell], results: Results, nan: NanPolicy) -> ReportTable:
    own = {key: cell for key, cell in lines.items() if key[1] == test}
    shots = tuple(sorted({k for *_, k in own}))
    rows = [
        Row(
            name=adapter,
            train=train,
            cells={k: own[train, test, adapter, k] for k in shots if (train, test, adapter, k) in own},
        )
        for train, adapter in dict.fromkeys((train, adapter) for train, _, adapter, _ in own)
    ]
    published = [row for row in _published_rows(test) if set(row.cells) & set(shots)]
    tested = zip(results.columns["user"], results.columns["test"], strict=True)
    users = {user for user, name in tested if name == test}
    same_query = results.config.get("query", "rest") == "rest"
    notes = _own_notes(list(own.values()), [key[0] for key in own], nan)
    if any(row.name == CROWD for row in rows):
        notes.append(_CROWD_NOTE)
    rule = results.config.get("splits", {}).get(test, {}).get("rule")
    if rule:
        notes.append(f"test users measured here: {rule}")
    if published:
        notes += NOTES.get(test, ())
    return ReportTable(
        test=test,
        shots=shots,
        rows=(*rows, *published),
        baseline=rows[0].name,
        comparable=not published or (same_query and users == _official_users(test)),
        notes=tuple(notes),
        cautions=tuple(_cautions(test, users, same_query=same_query)) if published else (),
    )


def _cautions(test: str, users: AbstractSet[str], *, same_query: bool) -> Iterator[str]:
    """Why the published rows must not be compared with ours as they stand."""
    official = _official_users(test)
    if test in CAUTIONS:
        yield CAUTIONS[test]
    if official and users != official:
        yield (
            f"not comparable worker for worker: rows measured here test {len(users)} users, "
            f"{len(users & official)} of them among the {len(official)} official test workers"
        )
    if not same_query:
        yield _OTHER_QUERY


_CROWD_NOTE = (
    f"{CROWD}: the mean that all other people gave the same photo, which no model knows; "
    f"it has no interval and competes with no row"
)
_OTHER_QUERY = (
    "not comparable photo for photo: rows measured here test the same photos at every k, "
    "published rows all photos beyond the support"
)


def _published_rows(test: str) -> list[Row]:
    return [
        Row(
            name=method.name,
            cite=method.cite,
            cells={
                k: Cell(mean=mean, std=math.nan if std is None else std)
                for k, (mean, std) in method.srcc.items()
            },
        )
        for method in published_methods(test)
    ]


def _official_users(test: str) -> frozenset[str]:
    """The test users of the papers; none where they were not published."""
    from protocols.datasets.flickr_aes import NAME, TEST_WORKERS

    return frozenset(TEST_WORKERS if test == NAME else ())


def _own_notes(cells: Sequence[Cell], trains: Sequence[str], nan: NanPolicy) -> list[str]:
    """How the rows measured here came about."""
    lines = [cell.detail.srcc for cell in cells if cell.detail is not None]
    datasets = ", ".join(title(train) for train in dict.fromkeys(trains))
    if len(set(trains)) > 1:
        datasets += ", the one in brackets behind a name"
    notes = [
        f"measured here: mean±std over {_range([line.n_repeats for line in lines])} repeats of the mean over "
        f"{_range([line.n_users for line in lines])} users, generic model and priors trained on {datasets}"
    ]
    n_results = sum((line.n_users + line.dropped_users) * line.n_repeats for line in lines)
    n_dropped = sum(line.dropped_results for line in lines)
    n_people = max(line.dropped_users for line in lines)
    if nan == "zero":
        notes.append("where a user's ratings to predict are all equal, her SRCC counts as 0")
    elif n_dropped:
        also = (
            f"; so {'was' if n_people == 1 else 'were'} up to {counted(n_people, 'user')} without any other"
        )
        notes.append(
            f"{n_dropped} of {n_results} results (a user's repeat) have no SRCC, because all her ratings to "
            f"predict are equal, and were left out{also if n_people else ''}"
        )
    return notes


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _matrices(lines: Mapping[Key, Cell]) -> tuple[CrossMatrix, ...]:
    """For each k the adapters in order, then what is published for the same pairs of datasets."""
    pairs = dict.fromkeys((train, test) for train, test, _, _ in lines)
    if len(pairs) < 2:
        return ()
    found = []
    for k in sorted({k for *_, k in lines}):
        for name in dict.fromkeys(adapter for _, _, adapter, _ in lines):
            cells = {
                (train, test): lines[train, test, name, k]
                for train, test in pairs
                if (train, test, name, k) in lines
            }
            if cells:
                found.append(CrossMatrix(name=name, k=k, cells=cells))
        for name, figures in CROSS.items() if k == CROSS_K else ():
            cells = {pair: Cell(mean=figures[pair], std=math.nan) for pair in pairs if pair in figures}
            if cells:
                found.append(CrossMatrix(name=name, cite=CROSS_CITES[name], k=k, cells=cells))
    return tuple(found)
