"""Score tables: best photo first, as text, CSV, JSON, Parquet or a pandas frame."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generic.atomic import atomic_path, write_bytes
from generic.errors import OutputError
from generic.extras import require
from piaa.ratings.columns import MARK
from piaa.ratings.files.write import csv_bytes, csv_text

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("image", "score", "low", "high", "generic")
"""Of a person's table; ``sure`` follows where her adapter says it."""
SURE = 0.8
"""Probability from which on a photo's half of the ranking is sure."""
PREDICTED_BY = "piaa"
"""By this, in a column or beside the rows, a file says that nobody is to learn from its scores."""
FORMATS = (".csv", ".json", ".parquet")
_DIGITS = 4  # of scores in text: finer than any rating, and the order is kept by the rows' own order


@dataclass(frozen=True, kw_only=True)
class ScoreTable:
    """Scores of n photos for one person, in the units of the person's scale, or for the crowd; best first."""

    images: tuple[str, ...]
    """Photo names, relative to the folder that was scored."""
    scores: NDArray[np.float64]
    """The person's predicted scores, shape (n,); ``low`` and ``high`` alike."""
    low: NDArray[np.float64] | None
    """Lower end of the 80 % interval for the person's rating; None for the crowd."""
    high: NDArray[np.float64] | None
    """Upper end; None for the crowd."""
    generic: NDArray[np.float64]
    """What people on average are predicted to give, on the same scale; the crowd's own score."""
    skipped: Mapping[str, str]
    """Photos that could not be read, with the reason."""
    sure: NDArray[np.float64] | None = None
    """Probability that a photo belongs into its half of the ranking: that of it and the middle one she
    prefers the one that is ranked higher; of the middle one, it and the next. None where nobody says it."""

    @classmethod
    def ranked(
        cls, images: Sequence[str], columns: NDArray[np.float64], skipped: Mapping[str, str]
    ) -> ScoreTable:
        """The table of photos in any order.

        Args:
            images: their names.
            columns: score, low, high and generic, shape (4, n), or the crowd's score, shape (1, n).
            skipped: photos without a score, with the reason.
        """
        # Equal scores are ordered by name, so that the table does not depend on the folder's order.
        order = np.lexsort((np.array(images), -columns[0]))
        names, sorted_ = tuple(images[i] for i in order), columns[:, order]
        low, high = (None, None) if len(columns) == 1 else sorted_[1:3]
        return cls(images=names, scores=sorted_[0], low=low, high=high, generic=sorted_[-1], skipped=skipped)

    @property
    def columns(self) -> dict[str, NDArray[np.float64]]:
        """The columns beside ``image``, by name: all of ``COLUMNS``, or ``score`` alone for the crowd."""
        if self.low is None or self.high is None:
            return {"score": self.scores}
        columns = (self.scores, self.low, self.high, self.generic)
        sure = {} if self.sure is None else {"sure": self.sure}
        return dict(zip(COLUMNS[1:], columns, strict=True)) | sure

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> ScoreTable:
        """The table of some of its rows, in their order."""
        chosen = np.asarray(rows, dtype=np.intp)
        columns = {name: values[chosen] for name, values in self.columns.items()}
        low, high = columns.get("low"), columns.get("high")
        images = tuple(self.images[row] for row in chosen)
        return replace(
            self,
            images=images,
            scores=columns["score"],
            low=low,
            high=high,
            generic=self.generic[chosen],
            sure=columns.get("sure"),
        )

    def rows(self, top: int | None = None) -> Iterator[dict[str, Any]]:
        """Rows as plain values, keys ``image`` and :attr:`columns`; the ``top`` best, or all."""
        names = ("image", *self.columns)
        for image, *values in list(zip(self.images, *self.columns.values(), strict=True))[:top]:
            yield dict(zip(names, (image, *(round(float(value), _DIGITS) for value in values)), strict=True))

    def to_frame(self) -> pd.DataFrame:
        """All rows as a pandas frame with columns ``image`` and :attr:`columns`."""
        import pandas as pd

        return pd.DataFrame({"image": list(self.images), **self.columns})

    def to_csv(self, top: int | None = None) -> str:
        """CSV text with a header line; its last column says that the scores are predictions."""
        rows = ((*row.values(), PREDICTED_BY) for row in self.rows(top))
        return csv_text(("image", *self.columns, MARK), rows)

    def to_json(self, top: int | None = None, **facts: Any) -> str:
        """:meth:`content` as JSON text."""
        return json.dumps(self.content(top, **facts), indent=2, ensure_ascii=False)

    def content(self, top: int | None = None, **facts: Any) -> dict[str, Any]:
        """For JSON: ``facts`` and the mark, then ``scores`` (rows) and ``skipped`` (name to reason)."""
        return {
            **facts,
            MARK: PREDICTED_BY,
            "scores": list(self.rows(top)),
            "skipped": dict(self.skipped),
        }

    def write(self, path: Path, top: int | None = None, **facts: Any) -> None:
        """Write the table whole or not at all, in the format of the suffix.

        Raises:
            OutputError: the suffix is none of ``FORMATS``, or the file cannot be written.
        """
        check_format(path)
        suffix = path.suffix.lower()
        if suffix == ".parquet":
            with atomic_path(path) as temporary:
                frame = self.to_frame().head(len(self) if top is None else top)
                frame.attrs[MARK] = PREDICTED_BY
                frame.to_parquet(temporary, index=False)
        elif suffix == ".csv":
            write_bytes(path, csv_bytes(self.to_csv(top)))
        else:
            write_bytes(path, f"{self.to_json(top, **facts)}\n".encode())


def check_format(path: Path) -> None:
    """Refuse an output file that could not be written, before the work and not after it.

    Raises:
        OutputError: the suffix is none of ``FORMATS``, or the folder does not exist.
        MissingPackage: the format is Parquet, and pyarrow is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise OutputError(
            f"cannot write {path}: the suffix {path.suffix!r} is no table format; "
            f"name a file that ends in {', '.join(FORMATS)}"
        )
    if not path.absolute().parent.is_dir():
        raise OutputError(
            f"cannot write {path}: the folder {path.absolute().parent} does not exist; create it first"
        )
    if path.suffix.lower() == ".parquet":
        require(f"writing {path}", "pyarrow")
