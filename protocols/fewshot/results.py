"""Results of an evaluation: one row for each (training set, test set, adapter, k, repeat, user).

Everything that a report prints is computed from these rows, so a number can be traced to the people
and repeats behind it, and another statistic needs no second run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from generic.atomic import write_bytes
from generic.errors import DatasetError, ShapeError

if TYPE_CHECKING:
    import pandas as pd

TEXT = ("train", "test", "adapter", "user")
WHOLE = ("k", "repeat", "n_query")
REAL = ("srcc", "plcc", "pairwise", "mae", "coverage")
COLUMNS = ("train", "test", "adapter", "k", "repeat", "user", "n_query", *REAL)
"""In this order. ``mae`` is in the dataset's units; a number that is undefined is NaN."""
_RANGES = {"srcc": (-1.0, 1.0), "plcc": (-1.0, 1.0), "pairwise": (0.0, 1.0), "coverage": (0.0, 1.0)}
ORACLE = "+oracle_epoch"
"""Ending of an adapter's name whose epoch was chosen on the query; ``finetune+oracle_epoch`` goes beside
``finetune`` as a column of its own and is never a row."""
FORMAT = 2

Key = tuple[str, str, str, int]
"""Train, test, adapter, k."""
_KEY = ("train", "test", "adapter", "k")
Result = Mapping[str, Any]
"""One row: a value for each of :data:`COLUMNS`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Results:
    """An evaluation's results and what they were computed with.

    Raises:
        ShapeError: columns are missing, unknown or of different lengths.
    """

    config: dict[str, Any]
    """Datasets, model name and hash, adapters, shots, repeats, seed, query, NaN policy, versions."""
    columns: Mapping[str, NDArray[Any]]
    """Those of :data:`COLUMNS`, each of shape (n,)."""
    draws: Mapping[Key, NDArray[np.float64]] = field(default_factory=dict)
    """The mean SRCC with other people and photos, over repeats; see :mod:`protocols.fewshot.two_way`."""

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns.values()}
        if tuple(self.columns) != COLUMNS or len(lengths) > 1:
            raise ShapeError(
                f"results have columns {', '.join(self.columns)} of lengths {sorted(lengths)}; "
                f"expected {', '.join(COLUMNS)} of one length"
            )

    @classmethod
    def from_rows(
        cls,
        config: dict[str, Any],
        rows: Iterable[Result],
        draws: Mapping[Key, NDArray[np.float64]] | None = None,
    ) -> Self:
        """Results from rows, one mapping with every column each."""
        listed = list(rows)
        columns: dict[str, NDArray[Any]] = {}
        for name in COLUMNS:
            kind: Any = object if name in TEXT else np.int64 if name in WHOLE else np.float64
            columns[name] = np.array([row[name] for row in listed], dtype=kind)
        return cls(config=config, columns=columns, draws=draws or {})

    def __len__(self) -> int:
        return len(self.columns["k"])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Results):
            return NotImplemented
        return self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def rows(self) -> list[dict[str, Any]]:
        """The results one by one, as plain Python values."""
        columns = [self.columns[name].tolist() for name in COLUMNS]
        return [dict(zip(COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]

    def to_frame(self) -> pd.DataFrame:
        """The results as a data frame."""
        import pandas as pd

        return pd.DataFrame(dict(self.columns))

    def to_json(self) -> str:
        """JSON text that :meth:`from_json` reads back to the bit; NaN is null."""
        columns: dict[str, Sequence[Any]] = {}
        for name in COLUMNS:
            values = self.columns[name].tolist()
            columns[name] = _nulls(values) if name in REAL else values
        draws = [
            {**dict(zip(_KEY, key, strict=True)), "srcc": _nulls(values.tolist())}
            for key, values in self.draws.items()
        ]
        content = {"format": FORMAT, "config": self.config, "results": columns, "draws": draws}
        return json.dumps(content)

    @classmethod
    def from_json(cls, text: str, *, source: str = "the results") -> Self:
        """Results from :meth:`to_json`, or from a file that somebody else filled as docs/results.md says.

        Raises:
            DatasetError: the text is not such results.
        """
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']}, expected {FORMAT}")
            return cls.from_rows(content.get("config", {}), _rows(content["results"]), _draws(content))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{source} cannot be read as results of `piaa evaluate` ({_reason(error)}); run it again, or "
                f"write them as docs/results.md says"
            ) from error

    def save(self, path: Path) -> None:
        """Write the JSON, whole or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        write_bytes(path, self.to_json().encode())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            DatasetError: the file is missing or holds something else.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(
                f"results {path} cannot be read ({error}); run `piaa evaluate` again"
            ) from error
        return cls.from_json(text, source=f"results {path}")


def _nulls(values: Sequence[Any]) -> list[Any]:
    """NaN, which JSON does not know, as None."""
    return [None if value != value else value for value in values]


def _check(name: str, column: Sequence[Any]) -> None:
    """Refuse what is not of the column's kind, which numpy might take for it."""
    kind: tuple[type, ...]
    kind, what = ((str,), "a text") if name in TEXT else ((int,), "a whole number from 0")
    low, high = _RANGES.get(name, (0.0, math.inf))
    if name in REAL:
        kind, what = (int, float, type(None)), f"null or a number from {low:g} to {high:g}"
    for place, value in enumerate(column):
        fits = isinstance(value, kind) and not isinstance(value, bool)
        # NaN is written as null, and is in no range.
        if not fits or (isinstance(value, int | float) and not low <= value <= high):
            raise ValueError(f"{name} {place} is {value!r}, expected {what}")


def _numbers(values: Sequence[Any]) -> list[float]:
    return [math.nan if value is None else float(value) for value in values]


def _rows(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The rows of columns; a metric that was not measured may be absent, the SRCC not."""
    n = len(columns["srcc"])
    optional = {name: [None] * n for name in REAL if name != "srcc"}
    given = {name: columns[name] if name in columns else optional[name] for name in COLUMNS}
    for name, column in given.items():
        _check(name, column)
    values = [_numbers(column) if name in REAL else column for name, column in given.items()]
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*values, strict=True)]


def _draws(content: Mapping[str, Any]) -> dict[Key, NDArray[np.float64]]:
    return {
        (one["train"], one["test"], one["adapter"], one["k"]): np.array(_numbers(one["srcc"]))
        for one in content.get("draws", ())
    }


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
