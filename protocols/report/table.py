"""One record of what an evaluation found, with the published figures beside it, for every output format.

Tables and plots read this record only, so that they cannot disagree: a number is looked up once, in the
summary, and shown everywhere. Every row says where it comes from, ``measured here`` or ``published``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from protocols.fewshot.crowd import CROWD
from protocols.fewshot.harm import Harm
from protocols.fewshot.results import Results
from protocols.fewshot.summary import NanPolicy, Summary
from protocols.report.published import title

Source = Literal["measured here", "published"]
MEASURED: Source = "measured here"
PUBLISHED: Source = "published"
DIGITS = 3
"""Decimals of a printed SRCC, as in the papers."""


@dataclass(frozen=True, kw_only=True)
class Detail:
    """What is known of a cell beyond its SRCC; only rows measured here have it."""

    srcc: Summary
    """Interval, spread between users and counts."""
    others: Mapping[str, float]
    """``plcc``, ``pairwise``, ``mae`` (in the dataset's units), ``coverage``, in this order.

    Averaged like the SRCC.
    """
    p_holm: float | None
    """Paired Wilcoxon over users against the table's baseline, Holm corrected; None for the baseline."""
    oracle_epoch: Summary | None
    """SRCC of the epoch that was best on the query: too good by construction; None where it was not run."""
    users: Mapping[str, float]
    """User to SRCC, mean over repeats; users without any are absent."""
    two_way: tuple[float, float]
    """95 % interval of the SRCC over people and photos; NaN where no such draws were kept."""
    harm: Harm | None
    """Whom it ranks worse than the table's baseline does; None for the baseline and for the crowd."""

    @property
    def interval(self) -> tuple[float, float]:
        """The interval to show: over people and photos, or over people where that is all there is."""
        return (self.srcc.low, self.srcc.high) if math.isnan(self.two_way[0]) else self.two_way


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row's SRCC at one number of ratings."""

    mean: float
    """Macro mean over users, then mean over repeats; NaN where no result had an SRCC."""
    std: float
    """Standard deviation over repeats; NaN where it was not printed or there was one repeat."""
    detail: Detail | None = None
    """More, for rows measured here."""


@dataclass(frozen=True, kw_only=True)
class Sourced:
    """What one adapter reached, or one published method."""

    name: str
    """The adapter's or the method's name."""
    cite: str | None = None
    """Key into ``published.REFERENCES``; None for what was measured here."""

    @property
    def source(self) -> Source:
        """Who measured it."""
        return MEASURED if self.cite is None else PUBLISHED


@dataclass(frozen=True, kw_only=True)
class Row(Sourced):
    """One adapter measured here, or one published method, on one test dataset."""

    train: str | None = None
    """Dataset of the generic model and the priors; None for published rows."""
    cells: Mapping[int, Cell]
    """Number of ratings k to cell; a k that is absent was not reported."""


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """All rows of one test dataset: those measured here first, then the published ones."""

    test: str
    """The dataset whose users were tested."""
    shots: tuple[int, ...]
    """Columns: the numbers of ratings per user that were run, ascending."""
    rows: tuple[Row, ...]
    """In the order of the evaluation, then of ``published.METHODS``."""
    baseline: str
    """Adapter that p-values and gains compare with: the evaluation's first."""
    comparable: bool
    """Whether published rows were measured on the same users and with the same query as ours."""
    notes: tuple[str, ...]
    """How the rows measured here came about, one sentence each."""
    cautions: tuple[str, ...]
    """Why published rows must not be compared with ours as they stand; empty without published rows."""

    def label(self, row: Row) -> str:
        """A row's name, with its training dataset where the table holds several."""
        trains = {row.train for row in self.of(MEASURED)}
        if row.train is None or len(trains) < 2:
            return row.name
        return f"{row.name} ({title(row.train)})"

    def of(self, source: Source) -> tuple[Row, ...]:
        """The rows of one source."""
        return tuple(row for row in self.rows if row.source == source)

    @property
    def draws_photos(self) -> bool:
        """Whether intervals are over photos too."""
        details = [cell.detail for row in self.rows for cell in row.cells.values()]
        return any(detail is not None and not math.isnan(detail.two_way[0]) for detail in details)

    def oracle_shots(self) -> tuple[int, ...]:
        """The columns at which a row has an ``oracle_epoch`` result."""
        details = [(k, cell.detail) for row in self.rows for k, cell in row.cells.items()]
        return tuple(sorted({k for k, detail in details if detail and detail.oracle_epoch}))

    def best(self, k: int) -> frozenset[int]:
        """Positions of the rows with the highest SRCC at ``k`` as printed; ties share the place.

        Published rows compete only where they are comparable, the crowd oracle nowhere.
        """
        means = {
            place: round(row.cells[k].mean, DIGITS)
            for place, row in enumerate(self.rows)
            if k in row.cells
            and not math.isnan(row.cells[k].mean)
            and (self.comparable or row.source == MEASURED)
            and row.name != CROWD
        }
        return frozenset(place for place, mean in means.items() if mean == max(means.values()))


@dataclass(frozen=True, kw_only=True)
class CrossMatrix(Sourced):
    """SRCC of one adapter or published method, by training and test dataset (the EAT paper's Table 7)."""

    k: int
    """Ratings per user."""
    cells: Mapping[tuple[str, str], Cell]
    """(train, test) to cell; a pair that is absent was not run."""

    @property
    def trains(self) -> tuple[str, ...]:
        """Rows, in order of first appearance."""
        return tuple(dict.fromkeys(train for train, _ in self.cells))

    @property
    def tests(self) -> tuple[str, ...]:
        """Columns, likewise."""
        return tuple(dict.fromkeys(test for _, test in self.cells))


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that a report shows; ``report.collect`` makes it."""

    tables: tuple[ReportTable, ...]
    """One for each test dataset, in the order of the evaluation."""
    matrices: tuple[CrossMatrix, ...]
    """For each k one per adapter, then the published ones; empty for a single pair of datasets."""
    results: Results
    """The results behind the numbers, and the configuration that made them."""
    nan: NanPolicy
    """What an undefined SRCC was taken for."""
