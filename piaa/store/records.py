"""What the store keeps, as plain values: photos seen, ratings, comparisons, flags, fitted adapters."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import StoreError

SOURCES = ("terminal", "table", "python", "http", "page", "xmp", "lightroom", "file")
"""Where a person may have said something."""
OUTCOMES = ("a", "b", "equal")
FLAGS = ("pick", "reject")
_MAX_NAME = 200


@dataclass(frozen=True, kw_only=True)
class SeenPhoto:
    """A photo as somebody saw it: its image data, its file, its name."""

    identity: str
    """Of the image data, 64 hex digits; see :mod:`generic.photos.identity`."""
    sha256: str | None = None
    """Of the file, 64 hex digits; None if unknown."""
    image: str
    """The name that she knows it by."""
    vector: NDArray[np.float32] | None = field(default=None, compare=False)
    """Shape (1 + d,); None if it was not computed."""
    width: int | None = field(default=None, compare=False)
    """Of the upright photo, in pixels."""
    height: int | None = field(default=None, compare=False)
    """Likewise."""
    taken: str | None = field(default=None, compare=False)
    """When it was taken: ISO 8601."""


@dataclass(frozen=True, kw_only=True)
class StoredRating:
    """One rating of a photo."""

    image: str
    """The photo's name, as the person gave it."""
    sha256: str | None = None
    """sha256 of the photo file, 64 hex digits; None if unknown."""
    score: float
    """The person's score, in the units of the scale."""
    photo: str = field(default="", compare=False)
    """Identity of the image data, 64 hex digits; empty if unknown."""
    scale: tuple[float, float] | None = field(default=None, compare=False)
    """Lowest and highest score that could be given; None is that of the version."""
    given: str = field(default="", compare=False)
    """When: ISO 8601, UTC."""
    source: str = field(default="", compare=False)
    """Where she said it: one of ``SOURCES``."""
    id: int = field(default=0, compare=False)
    """Its row in the store; 0 if it is in none."""


@dataclass(frozen=True, kw_only=True)
class StoredComparison:
    """Which of two photos a person prefers."""

    a: str
    """Name of the one photo."""
    b: str
    """Name of the other."""
    outcome: str = "a"
    """The preferred one: ``a``, ``b`` or ``equal``."""
    a_photo: str = field(default="", compare=False)
    """Identity of the one's image data, 64 hex digits; empty if unknown."""
    b_photo: str = field(default="", compare=False)
    """The other's."""
    given: str = field(default="", compare=False)
    """When: ISO 8601, UTC."""
    source: str = field(default="", compare=False)
    """Where she said it: one of ``SOURCES``."""
    id: int = field(default=0, compare=False)
    """Its row in the store; 0 if it is in none."""

    @property
    def pair(self) -> tuple[str, str]:
        """Names of the preferred photo and of the other; of equals in the order given."""
        return (self.b, self.a) if self.outcome == "b" else (self.a, self.b)


@dataclass(frozen=True, kw_only=True)
class StoredFlag:
    """A photo that a person picked or rejected, which says nothing of how she would rate it."""

    image: str
    """The photo's name, as the person gave it."""
    sha256: str | None = None
    """sha256 of the photo file, 64 hex digits; None if unknown."""
    flag: str
    """``pick`` or ``reject``."""
    photo: str = field(default="", compare=False)
    """Identity of the image data, 64 hex digits; empty if unknown."""
    given: str = field(default="", compare=False)
    """When: ISO 8601, UTC."""
    source: str = field(default="", compare=False)
    """Where she said it: one of ``SOURCES``."""


MAPPED = "n_mapped"
"""In ``extra`` of a version: how many of its vectors were worked out from another model's."""


@dataclass(frozen=True, kw_only=True)
class AdapterRecord:
    """A fitted adapter as it is handed to the store.

    Raises:
        StoreError: a value cannot be stored; all problems at once.
    """

    adapter: str
    """Name of the adapter, for example ``ridge``."""
    model_name: str
    """Name of the generic model it was fitted on."""
    model_hash: str
    """Hash of that model: its identity."""
    scale_low: float
    """Lowest score of the person's scale."""
    scale_high: float
    """Highest score of the person's scale."""
    state: bytes
    """The adapter's own state; the store does not look into it."""
    ratings: tuple[StoredRating, ...] = ()
    """The ratings that it was fitted on, in the order of fitting."""
    comparisons: tuple[StoredComparison, ...] = ()
    """The comparisons that it was fitted on beside them, in the order of fitting."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further facts, as JSON can hold them: text, finite numbers, true, false, None, lists and dicts."""

    def __post_init__(self) -> None:
        problems = [*_problems(self)]
        if problems:
            raise StoreError(f"this adapter cannot be stored: {'; '.join(problems)}; fit the user again")

    @property
    def n_ratings(self) -> int:
        """How many ratings the adapter was fitted on."""
        return len(self.ratings)


@dataclass(frozen=True, kw_only=True)
class StoredAdapter(AdapterRecord):
    """A fitted adapter as it came from the store."""

    user: str
    """Whose taste it is."""
    version: int
    """1 for the user's first adapter, then counting up."""
    created: str
    """When it was saved: ISO 8601, UTC."""


@dataclass(frozen=True, kw_only=True)
class VersionSummary:
    """One version of a user's adapter without its state and ratings."""

    version: int
    """1 for the user's first adapter, then counting up."""
    created: str
    """When it was saved: ISO 8601, UTC."""
    adapter: str
    """Name of the adapter."""
    model_name: str
    """Name of the generic model it was fitted on."""
    model_hash: str
    """Hash of that model."""
    scale_low: float
    """Lowest score of the person's scale."""
    scale_high: float
    """Highest score of the person's scale."""
    n_ratings: int
    """How many ratings it was fitted on."""
    n_bytes: int
    """Size of the adapter's state in bytes."""
    extra: Mapping[str, Any]
    """Further facts that were stored with it."""


def check_user(user: str) -> None:
    """Raises StoreError unless this can be a user's name: 1 to 200 characters, no control character.

    Raises:
        StoreError: it cannot; the message says why.

    Example:
        >>> check_user("Ána Lúcia; DROP TABLE users")
    """
    problem = _text_problem(user)
    if problem is None and len(user) > _MAX_NAME:
        problem = f"is {len(user)} characters long, but {_MAX_NAME} are allowed"
    if problem is not None:
        shown = user if len(user) <= _MAX_NAME else user[:20] + "..."
        raise StoreError(f"user name {shown!r} {problem}; choose another name")


def check_image(image: str) -> None:
    """Raises StoreError unless a photo can be kept under this name: some text that UTF-8 has.

    Raises:
        StoreError: it cannot.

    Example:
        >>> check_image("summer 2024/Größe 写真.jpg")
    """
    if not is_image(image):
        raise StoreError(f"photo {image!r} has no name in UTF-8; rename the file (nothing was stored)")


def is_image(text: str) -> bool:
    """Whether this can be the name of a photo in a store."""
    return bool(text) and _is_utf8(text) and "\0" not in text


def _text_problem(text: str) -> str | None:
    if not text:
        return "is empty"
    for character in text:
        # Cs is half a character, which has no place in UTF-8; the others would break a line in two.
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            return f"contains the control character U+{ord(character):04X}"
    return None


def _problems(record: AdapterRecord) -> list[str]:
    problems = []
    for name in ("adapter", "model_name", "model_hash"):
        value = getattr(record, name)
        problem = _text_problem(value) if isinstance(value, str) else "is not text"
        if problem:
            problems.append(f"{name} {value!r} {problem}")
    low, high = record.scale_low, record.scale_high
    if not (_is_number(low) and _is_number(high) and low < high):
        problems.append(f"scale {low!r} to {high!r} is not two finite numbers, the lower one first")
    if not isinstance(record.state, bytes):
        problems.append(f"state is {type(record.state).__name__}, expected bytes")
    for row, rating in enumerate(record.ratings, start=1):
        problem = _rating_problem(rating)
        if problem:
            problems.append(f"rating {row}: {problem}")
    if not isinstance(record.extra, Mapping) or not _is_json(dict(record.extra)):
        problems.append("extra holds something that JSON cannot")
    return problems


def _rating_problem(rating: StoredRating) -> str | None:
    # A file may have any name, control characters included, but SQLite keeps text as UTF-8.
    if not isinstance(rating.image, str) or not rating.image or not _is_utf8(rating.image):
        return f"image {rating.image!r} is not a name in UTF-8, rename the file"
    if rating.sha256 is not None and not is_sha256(rating.sha256):
        return f"sha256 {rating.sha256!r} is not 64 hex digits"
    if not _is_number(rating.score):
        return f"score {rating.score!r} is not a finite number"
    return None


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def is_sha256(value: object) -> bool:
    """Whether this is 64 hex digits."""
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _is_json(value: object, depth: int = 20) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return _is_utf8(value)
    if isinstance(value, dict):
        return depth > 0 and all(
            isinstance(key, str) and _is_json(key) and _is_json(item, depth - 1)
            for key, item in value.items()
        )
    if isinstance(value, list | tuple):
        return depth > 0 and all(_is_json(item, depth - 1) for item in value)
    return _is_number(value)
