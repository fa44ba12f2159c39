"""The columns of a table of ratings, found under the names that datasets and people give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generic.errors import RatingsError
from piaa.ratings.files.raw_table import TableKind

RATINGS = TableKind(
    what="ratings",
    error=RatingsError,
    columns=("user", "image", "score"),
    example='{"user": "ana", "image": "a.jpg", "score": 4}',
    missing="does not exist; check the path of the ratings",
    empty="is empty, expected ratings; give it the columns user, image, score",
    not_utf8=" line {line}: byte {byte} at offset {offset} is not UTF-8; save the file as UTF-8",
)

ALIASES: dict[str, tuple[str, ...]] = {
    "user": ("user", "worker", "userId", "user_id", "rater"),
    "image": ("image", "imagePair", "imageName", "file", "filename", "photo", "path"),
    "score": ("score", "rating", "aestheticScore", "stars"),
}
"""Accepted names of each column; upper and lower case are the same, other columns are ignored."""

_MEANING = {alias.lower(): column for column, aliases in ALIASES.items() for alias in aliases}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names, as the table writes them, of the three columns that matter."""

    user: str | None
    """None where the table has no such column and every row belongs to one user."""

    image: str
    score: str


def find_columns(names: Sequence[str], *, source: str, user: str | None) -> Columns:
    """Find the three columns among the names of a header.

    Args:
        names: every column name of the table, in order, repeated names included.
        source: the table's name for messages.
        user: to whom all rows belong when there is no user column.

    Returns:
        the names, stripped of spaces around them.

    Raises:
        RatingsError: a column is missing, or two columns mean the same.
    """
    found: dict[str, str] = {}
    for name in (raw.strip() for raw in names):
        meaning = _MEANING.get(name.lower())
        if meaning is None:
            continue
        if meaning in found:
            raise RatingsError(
                f"{source}: the columns {found[meaning]!r} and {name!r} both mean the {meaning}; "
                "rename or delete one of them"
            )
        found[meaning] = name
    missing = [column for column in ("image", "score") if column not in found]
    if missing:
        lacks = " and ".join(f"no {column} column" for column in missing)
        cure = " and ".join(f"the {column} column one of {', '.join(ALIASES[column])}" for column in missing)
        raise RatingsError(f"{source} has {lacks}; its columns are {_listed(names)}; name {cure}")
    if "user" not in found and user is None:
        raise RatingsError(
            f"{source} has no user column and no user is named; its columns are {_listed(names)}; "
            f"add a column named one of {', '.join(ALIASES['user'])}"
        )
    return Columns(user=found.get("user"), image=found["image"], score=found["score"])


def _listed(names: Sequence[str]) -> str:
    """The names in quotes; a wide table is cut after ten."""
    shown = ", ".join(repr(name.strip()[:40]) for name in names[:10]) or "none"
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
