"""``suggest`` for photo files: the album read, rated photos and copies left out, the picks as a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from generic.atomic import write_bytes
from generic.cache.features import FeatureCache, Features
from generic.errors import ImageError, OutputError, PiaaError
from generic.progress import Progress, no_progress
from piaa.adapters.prediction import Array
from piaa.people.suggest import knowledge, suggest
from piaa.ratings.scale import Scale

if TYPE_CHECKING:
    from piaa.adapters.prior import Prior
    from piaa.people.model import Model
    from piaa.people.person import Person

FORMATS = (".csv", ".json")
_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Pick:
    """One photo to rate."""

    image: str
    """Its name, relative to the folder."""
    before: float
    """Standard deviation of what she would give the album's photos, level aside, before this rating; in units
    of her scale."""
    after: float
    """The same after it."""


@dataclass(frozen=True, kw_only=True)
class Picks:
    """Photos to rate next, the most instructive first."""

    picks: tuple[Pick, ...]
    n_album: int
    """Photos that could be read."""
    n_rated: int
    """Those of them that were rated already, copies included."""
    skipped: Mapping[str, str]
    """Photos that could not be read, with the reason."""

    def to_csv(self) -> str:
        """CSV text ``image,before,after``."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("image", "before", "after"))
        writer.writerows(
            (one.image, round(one.before, _DIGITS), round(one.after, _DIGITS)) for one in self.picks
        )
        return text.getvalue()

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "suggestions": [asdict(one) for one in self.picks],
            "n_album": self.n_album,
            "n_rated": self.n_rated,
            "skipped": dict(self.skipped),
        }

    def write(self, path: Path, **facts: Any) -> None:
        """Write the picks whole or not at all, in the format of the suffix.

        Raises:
            OutputError: the file cannot be written.
        """
        check_suffix(path)
        content = json.dumps({**facts, **self.facts()}, indent=2, ensure_ascii=False) + "\n"
        write_bytes(path, (self.to_csv() if path.suffix.lower() == ".csv" else content).encode())


def check_suffix(path: Path) -> None:
    """Refuse an output file that could not be written, before the work and not after it.

    Raises:
        OutputError: the suffix is none of ``FORMATS``, or the folder does not exist.
    """
    if path.suffix.lower() not in FORMATS:
        raise OutputError(
            f"cannot write {path}: the suffix {path.suffix!r} is no format of suggestions; "
            f"name a file that ends in {', '.join(FORMATS)}"
        )
    if not path.absolute().parent.is_dir():
        raise OutputError(
            f"cannot write {path}: the folder {path.absolute().parent} does not exist; create it first"
        )


def suggest_photos(
    model: Model,
    paths: Sequence[Path],
    names: Sequence[str],
    n: int,
    *,
    person: Person | None = None,
    scale: Scale | None = None,
    progress: Progress = no_progress,
) -> Picks:
    """Pick photos to rate next.

    Args:
        model: the generic model.
        paths: the album's photo files.
        names: what to call them.
        n: how many to pick.
        person: who will rate; None is somebody new.
        scale: of somebody new; None is 1 to 5.
        progress: called with the number of photos newly done.

    Raises:
        CheckpointError: the model file has no prior.
        ImageError: not one photo can be read.
        PiaaError: every photo is rated already, or the person was learned from something else than vectors.
    """
    known = knowledge(model.prior, _support(person))
    prior = cast("Prior", model.prior)  # or knowledge had refused
    with FeatureCache.open(model.settings.cache) as cache:
        results = model.generic.embed(
            paths, cache=cache, max_pixels=model.settings.max_pixels, progress=progress
        )
        readable: list[tuple[str, str]] = []
        vectors: list[Features] = []
        skipped: dict[str, str] = {}
        for name, item in zip(names, results, strict=True):
            if item.vector is None:
                skipped[name] = str(item.error)
            else:
                readable.append((name, item.digest))
                vectors.append(item.vector)
    if not vectors:
        raise ImageError(f"none of the {len(skipped)} photos can be read; the first is {_first(skipped)}")
    rated = {one.sha256 for one in person.ratings} if person else set()
    # Of copies of a photo the first alone: rating both would teach nothing more.
    seen: set[str | None] = set(rated)
    candidates = [
        row
        for row, (_, digest) in enumerate(readable)
        if not (digest in seen or seen.add(digest))  # type: ignore[func-returns-value]
    ]
    if not candidates:
        raise PiaaError(
            f"all {len(readable)} photos are rated already; name a folder with photos that are not"
        )
    picks = suggest(prior, known, np.stack(vectors), n, candidates=candidates)
    span = person.scale if person else scale or Scale(1, 5)
    width = span.high - span.low
    return Picks(
        picks=tuple(
            Pick(image=readable[one.row][0], before=width * one.before, after=width * one.after)
            for one in picks
        ),
        n_album=len(readable),
        n_rated=sum(digest in rated for _, digest in readable),
        skipped=skipped,
    )


def _support(person: Person | None) -> tuple[NDArray[Any], Array] | None:
    """What she rated, as vectors and unit scores; None for somebody new."""
    if person is None:
        return None
    if not person.adapter.keeps_support or person.pairs:
        what = "comparisons" if person.pairs else f"adapter {person.adapter.name!r}"
        raise PiaaError(
            f"user {person.user!r} was learned by {what}, from which no suggestions are made; leave out "
            "--user, or "
            "fit her from ratings with another adapter"
        )
    return person.adapter.support


def _first(skipped: Mapping[str, str]) -> str:
    name, reason = next(iter(skipped.items()))
    return f"{name!r}: {reason}"
