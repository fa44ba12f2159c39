"""What would be written into which sidecar; nothing is written here."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generic.cache.contents import Content
from generic.errors import StarsError
from generic.photos.find import printable
from piaa.ratings.scale import Scale
from piaa.stars.gather import Gathered, Judged, name_of, sidecar_bytes
from piaa.stars.marks import MOST
from piaa.stars.splice import NEW, Marks, with_marks


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is to be written besides the scores."""

    stars: bool = False
    """Stars too, where the photo has none."""
    label: str | None = None
    keyword: str | None = None

    def __post_init__(self) -> None:
        for what, text in (("label", self.label), ("keyword", self.keyword)):
            if text is not None and not (text.strip() and text.isprintable()):
                raise StarsError(f"the {what} {text!r} is no line of text; give some printable characters")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One sidecar, before and after."""

    path: Path
    before: bytes | None
    """None if there is no file."""
    after: bytes
    star: int | None
    """The star of ours that is in it afterwards, if one was wished for and there was none."""
    photos: tuple[Content, ...]
    """What the photo's files hold."""
    name: str
    """Of the photo."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that would be written."""

    root: Path
    wishes: tuple[Wish, ...] = ()
    n_same: int = 0
    """Sidecars that say all of it already."""
    n_rated: int = 0
    """Photos that get no star, since they have one, or were rated or rejected."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Photos whose sidecar cannot be written safely, with the reason."""

    @property
    def n_new(self) -> int:
        """Sidecars that are not there yet."""
        return sum(one.before is None for one in self.wishes)

    @property
    def n_stars(self) -> int:
        """Sidecars with a star of ours."""
        return sum(one.star is not None for one in self.wishes)


def make_plan(
    gathered: Gathered,
    rows: Mapping[str, Mapping[str, Any]],
    facts: Mapping[str, str],
    scale: Scale,
    wishes: Wishes,
    contents: Mapping[Path, Content],
    rated: frozenset[str],
) -> Plan:
    """Marks for every photo that was scored, as sidecars with them.

    Args:
        gathered: the folder's photos, with what is known of stars that piaa wrote.
        rows: score, low and high of photos by name, as a score table has them.
        facts: what all of them say under our namespace.
        scale: of the scores.
        wishes: what else is to be written.
        contents: what the photos' files hold.
        rated: identities of photos that she rated, wherever.
    """
    plan = Plan(root=gathered.root)
    found: list[Wish] = []
    n_same = n_rated = 0
    for one in gathered.photos:
        row = _row_of(one, gathered.root, rows)
        if row is None:
            continue
        pictures = tuple(contents[path] for path in one.shot.files if path in contents)
        hers = one.hers is not None or not rated.isdisjoint(it.identity for it in pictures)
        star = star_of(row["score"], scale) if wishes.stars and not hers else None
        n_rated += wishes.stars and hers
        scores = {**facts, **{key.title(): f"{row[key]:.4g}" for key in ("score", "low", "high")}}
        marks = Marks(scores=scores, star=star, label=wishes.label, keyword=wishes.keyword)
        try:
            wish = _wish(one, gathered.root, marks, pictures)
        except StarsError as error:
            plan.skipped[one.name] = str(error)
            continue
        n_same += wish.before == wish.after
        found += [wish] if wish.before != wish.after else []
    return Plan(root=gathered.root, wishes=tuple(found), n_same=n_same, n_rated=n_rated, skipped=plan.skipped)


def star_of(score: float, scale: Scale) -> int:
    """Stars from 1 to 5 of a score on a person's scale, rounded; half a star counts up.

    Example:
        >>> star_of(3.5, Scale(1, 5)), star_of(10, Scale(0, 10)), star_of(0, Scale(0, 10))
        (4, 5, 1)
    """
    unit = (score - scale.low) / (scale.high - scale.low)
    return max(1, min(MOST, math.floor(1 + (MOST - 1) * unit + 0.5)))


def check_target(path: Path, root: Path) -> None:
    """Make sure that a sidecar is a file of its own in the folder, or none yet.

    Raises:
        StarsError: it is a link, or lies behind one, which leads elsewhere; or it is write-protected.
    """
    if not path.parent.resolve().is_relative_to(root.resolve()):
        raise StarsError(
            f"{printable(str(path.parent))} is a link out of the folder, where nothing is changed; name the "
            "folder that it leads to"
        )
    if path.is_symlink():
        raise StarsError(
            f"{printable(str(path))} is a link; what it leads to is not changed: put a file in its place"
        )
    if path.exists() and not os.access(path, os.W_OK):
        raise StarsError(f"{printable(str(path))} is write-protected; allow writing to it")


def _row_of(one: Judged, root: Path, rows: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The score of a photo, by any of its files, of which the one that is looked at comes first."""
    return next((rows[name] for path in one.shot.files if (name := name_of(path, root)) in rows), None)


def _wish(one: Judged, root: Path, marks: Marks, pictures: tuple[Content, ...]) -> Wish:
    path = next(iter(one.shot.sidecars), one.shot.new_sidecar)
    check_target(path, root)
    before = sidecar_bytes(path) if path.exists() else None
    after = with_marks(NEW if before is None else before, marks, printable(str(path)))
    return Wish(path=path, before=before, after=after, star=marks.star, photos=pictures, name=one.name)
