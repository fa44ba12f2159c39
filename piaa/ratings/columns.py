"""The columns of a table of ratings, found under the names that datasets and people give them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generic.errors import RatingsError
from piaa.ratings.files.raw_table import TableKind

MOST_BYTES = 100 << 20
"""Of a table that a person hands in: some four million rows."""

RATINGS = TableKind(
    what="ratings",
    error=RatingsError,
    columns=("user", "image", "score"),
    example='{"user": "ana", "image": "a.jpg", "score": 4}',
    missing="does not exist; check the path of the ratings",
    empty="is empty, expected ratings; give it the columns user, image, score",
    not_utf8=" line {line}: byte {byte} at offset {offset} is not UTF-8; save the file as UTF-8",
    by_people=True,
    most_bytes=MOST_BYTES,
)

ALIASES: dict[str, tuple[str, ...]] = {
    "user": ("user", "worker", "userId", "user_id", "rater"),
    "image": ("image", "imagePair", "imageName", "file", "filename", "photo", "path"),
    "score": ("score", "rating", "aestheticScore", "stars"),
}
"""Accepted names of each column. Upper and lower case are the same, as are ``filename``, ``file_name`` and
``File Name``; what exiftool writes before a colon (``XMP:Rating``) does not count. Others are ignored."""

_ALSO = {
    "image": ("SourceFile", "file path"),
    "score": ("star rating", "my rating", "my score", "my stars"),
}
"""Names that are accepted, but not the first to advise."""

MARK = "predicted_by"
"""The column by which a table of ours says that its scores are predictions."""

_PREDICTED = {"low", "high"}


def _folded(name: str) -> str:
    """What all spellings of a column's name have in common."""
    return re.sub(r"[\s_-]", "", name.rpartition(":")[2]).casefold()


_MEANING = {
    _folded(alias): column
    for accepted in (ALIASES, _ALSO)
    for column, aliases in accepted.items()
    for alias in aliases
}
_SOURCE_FILE = _folded("SourceFile")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The places of the three columns that matter among the names of a table."""

    user: int | None
    """None where the table has no such column and every row belongs to one user."""

    image: int
    score: int

    notes: tuple[str, ...] = ()
    """What to know of how they were chosen."""


def find_columns(names: Sequence[str], *, source: str, user: str | None) -> Columns:
    """Find the three columns among the names of a header.

    Args:
        names: every column name of the table, in order, repeated names included.
        source: the table's name for messages.
        user: to whom all rows belong when there is no user column.

    Raises:
        RatingsError: a column is missing, two columns mean the same, or the scores are what piaa predicted.
    """
    found: dict[str, list[int]] = {"user": [], "image": [], "score": []}
    for place, name in enumerate(names):
        meaning = _MEANING.get(_folded(name))
        if meaning is not None:
            found[meaning].append(place)
    notes: tuple[str, ...] = ()
    if _is_predicted(names):
        found["score"], notes = _her_own(names, found["score"], source)
    found["image"] = _fullest(names, found["image"])
    for meaning, places in found.items():
        if len(places) > 1:
            raise RatingsError(
                f"{source}: the columns {names[places[0]]!r} and {names[places[1]]!r} both mean the "
                f"{meaning}; rename or delete one of them"
            )
    _need(names, found, source=source, user=user)
    whose = found["user"][0] if found["user"] else None
    return Columns(user=whose, image=found["image"][0], score=found["score"][0], notes=notes)


def _need(names: Sequence[str], found: Mapping[str, list[int]], *, source: str, user: str | None) -> None:
    missing = [column for column in ("image", "score") if not found[column]]
    if missing:
        lacks = " and ".join(f"no {column} column" for column in missing)
        cure = " and ".join(f"the {column} column one of {', '.join(ALIASES[column])}" for column in missing)
        raise RatingsError(f"{source} has {lacks}; its columns are {_listed(names)}; name {cure}")
    if not found["user"] and user is None:
        raise RatingsError(
            f"{source} has no user column and no user is named; its columns are {_listed(names)}; "
            f"add a column named one of {', '.join(ALIASES['user'])}"
        )


def _fullest(names: Sequence[str], places: list[int]) -> list[int]:
    """Of the columns that name the photo the one of exiftool, which has the whole path, if it is there."""
    whole = [place for place in places if _folded(names[place]) == _SOURCE_FILE]
    return whole if len(whole) == 1 else places


def _is_predicted(names: Sequence[str]) -> bool:
    """Whether this is a table of ``piaa score``, or was made from one."""
    folded = {_folded(name) for name in names}
    return not folded.isdisjoint((_folded(MARK), "generic")) or folded >= _PREDICTED


def _her_own(names: Sequence[str], places: list[int], source: str) -> tuple[list[int], tuple[str, ...]]:
    """The column of ratings that somebody added to a table of predictions, and what to say of it.

    Raises:
        RatingsError: there is none beside that of the predictions.
    """
    own = [place for place in places if _folded(names[place]) != "score"]
    if not own or len(own) == len(places):
        ours = [repr(name) for name in names if _folded(name) in {"low", "high", "generic", _folded(MARK)}]
        say = f"column {ours[0]} says" if len(ours) == 1 else f"columns {', '.join(ours)} say"
        raise RatingsError(
            f"{source} holds scores that piaa predicted, as its {say}; nothing of a "
            "person is learned from these: add a column 'rating' with what she says herself, or pass the "
            "table that she filled in"
        )
    told = f"{source}: learned from its column {names[own[0]]!r}; its 'score' is what piaa predicted"
    return own, (told,) if len(own) == 1 else ()


def _listed(names: Sequence[str]) -> str:
    """The names in quotes; a wide table is cut after ten."""
    shown = ", ".join(repr(name.strip()[:40]) for name in names[:10]) or "none"
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
