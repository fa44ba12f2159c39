"""``suggest`` for photo files: the album read, photos judged and copies left out, the picks as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from generic.atomic import write_bytes
from generic.cache.features import FeatureCache
from generic.errors import ImageError, OutputError, PiaaError
from generic.progress import Progress, no_progress
from generic.words import all_are, none_of
from piaa.adapters.bayes import BayesAdapter
from piaa.adapters.compared import Compared
from piaa.adapters.prediction import Array
from piaa.people.asking import RATINGS, Seconds
from piaa.people.bursts import bursts, moments_of, scene_places
from piaa.people.known_scores import known_scores
from piaa.people.learn import check_vectors, compared_of
from piaa.people.suggest import knowledge, suggest
from piaa.ratings.files.write import csv_bytes, csv_text
from piaa.ratings.spelling import escaped
from piaa.store.said import Said
from piaa.store.versions import unit_scores

if TYPE_CHECKING:
    from generic.cache.features import Features
    from generic.model.generic_model import Embedded
    from piaa.adapters.prior import Prior
    from piaa.people.opened_model import OpenedModel
    from piaa.ratings.scale import Scale

FORMATS = (".csv", ".json")
LITTLE = 0.005
"""Gain of 20 answers below which asking on is not worth her time."""
_MORE = 20
_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Pick:
    """One photo to rate, or two to compare."""

    image: str
    """Its name, relative to the folder."""
    other: str | None = None
    """That of the photo to compare it with; None is a photo to rate."""
    before: float
    """Standard deviation of what she would give the album's photos, level aside, before this answer; in units
    of her scale."""
    after: float
    """The same after it."""
    gain: float
    """What it is expected to add to the SRCC of the album's ranking with her own ratings."""


@dataclass(frozen=True, kw_only=True)
class Picks:
    """What to ask next, the most instructive for a second first."""

    picks: tuple[Pick, ...]
    n_album: int
    """Photos that could be read."""
    n_rated: int
    """Those of them that were rated already, copies included."""
    skipped: Mapping[str, str]
    """Photos that could not be read, with the reason."""
    more: int
    """As many answers as ``gain_of_more`` is of: these, or 20 if they are fewer."""
    gain_of_more: float
    """What so many answers are expected to add to the SRCC of the album's ranking with her own ratings."""

    def to_csv(self) -> str:
        """CSV text ``image,other,before,after,gain``; ``other`` is empty for a photo to rate."""
        rows = [
            (one.image, one.other or "", *(round(x, _DIGITS) for x in (one.before, one.after, one.gain)))
            for one in self.picks
        ]
        return csv_text(("image", "other", "before", "after", "gain"), rows)

    def outlook(self) -> str:
        """What more answers are worth, in words, and when that is little."""
        gain = f"{max(self.gain_of_more, 0):.3f}"
        added = f"{self.more} more answers would add about {gain} to the ranking's SRCC"
        return f"{added}: that is little, stop here" if self.gain_of_more < LITTLE else added

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "suggestions": [asdict(one) for one in self.picks],
            "n_album": self.n_album,
            "n_rated": self.n_rated,
            "more": self.more,
            "gain_of_more": self.gain_of_more,
            "skipped": dict(self.skipped),
        }

    def write(self, path: Path, **facts: Any) -> None:
        """Write the picks whole or not at all, in the format of the suffix.

        Raises:
            OutputError: the file cannot be written.
        """
        check_suffix(path)
        content = json.dumps({**facts, **self.facts()}, indent=2, ensure_ascii=False) + "\n"
        write_bytes(path, csv_bytes(self.to_csv()) if path.suffix.lower() == ".csv" else content.encode())


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
    model: OpenedModel,
    paths: Sequence[Path],
    names: Sequence[str],
    n: int,
    *,
    user: str = "me",
    said: Said | None = None,
    scale: Scale | None = None,
    seconds: Seconds = RATINGS,
    progress: Progress = no_progress,
) -> Picks:
    """Pick photos to rate next, or pairs to compare.

    Args:
        model: the generic model.
        paths: the album's photo files.
        names: what to call them.
        n: how many to pick.
        user: who will rate, for messages.
        said: what the person who will rate said so far; None is somebody new.
        scale: of somebody new; None is 1 to 5.
        seconds: what an answer of either kind costs.
        progress: called with the number of photos newly done.

    Raises:
        CheckpointError: the model file has no prior.
        ImageError: not one photo can be read.
        PiaaError: every photo is rated already, or of a burst with a photo that is.
        ModelMismatch: there is no vector of this model of some photos that she rated.
    """
    known = knowledge(model.prior, *answers_of(model, user, said))
    prior = cast("Prior", model.prior)  # or knowledge had refused
    with FeatureCache.open(model.settings.cache) as cache:
        results = model.generic.embed(
            paths, cache=cache, max_pixels=model.settings.max_pixels, progress=progress
        )
        readable: list[Embedded] = []
        read_names: list[str] = []
        skipped: dict[str, str] = {}
        for name, item in zip(names, results, strict=True):
            if item.vector is None:
                skipped[escaped(name)] = str(item.error)
            else:
                readable.append(item)
                read_names.append(escaped(name))
    if not readable:
        raise ImageError(f"{none_of(len(skipped), 'photo')} can be read; the first is {_first(skipped)}")
    rated = [score is not None for score in known_scores(said.ratings if said else (), readable)]
    vectors = np.stack([cast("Features", item.vector) for item in readable])
    scenes = _scenes(readable, vectors, said, prior)
    compared = {side for one in (said.comparisons if said else ()) for side in (one.a_photo, one.b_photo)}
    judged = [given or item.identity in compared for given, item in zip(rated, readable, strict=True)]
    asked = {scenes[row] for row, given in enumerate(judged) if given} | set(scenes[len(readable) :])
    candidates = [row for row in range(len(readable)) if scenes[row] not in asked]
    if not candidates:
        alike = "" if all(judged) else ", or of a burst with one that is"
        raise PiaaError(
            f"{all_are(len(readable), 'photo')} rated already{alike}; name a folder with photos that are not"
        )
    picks = suggest(
        prior,
        known,
        vectors,
        max(n, _MORE),
        candidates=candidates,
        bursts=scenes[: len(readable)],
        seconds=seconds,
    )
    low, high = said.scale if said else (scale.low, scale.high) if scale else (1.0, 5.0)
    return Picks(
        picks=tuple(
            Pick(
                image=read_names[one.row],
                other=None if one.other is None else read_names[one.other],
                before=(high - low) * one.before,
                after=(high - low) * one.after,
                gain=one.gain,
            )
            for one in picks[:n]
        ),
        more=len(picks),
        gain_of_more=sum(one.gain for one in picks),
        n_album=len(readable),
        n_rated=sum(rated),
        skipped=skipped,
    )


def _scenes(
    album: Sequence[Embedded], vectors: NDArray[Any], said: Said | None, prior: Prior
) -> NDArray[np.intp]:
    """The bursts of the album's photos, then of those that she rated elsewhere.

    When the latter were taken is not asked: a burst of which a part lies elsewhere is told by its looks.
    """
    here = {item.identity for item in album}
    photos = [one.photo for one in said.ratings] if said else []
    photos += [side for one in (said.comparisons if said else ()) for side in (one.a_photo, one.b_photo)]
    known = {photo: said.vectors.get(photo) for photo in photos} if said else {}
    elsewhere = [vector for photo, vector in known.items() if vector is not None and photo not in here]
    moments = moments_of([item.path for item in album])
    everything = np.concatenate([vectors, *(vector[None] for vector in elsewhere)])
    return bursts(scene_places(everything, prior), np.concatenate([moments, np.full(len(elsewhere), np.nan)]))


def answers_of(
    model: OpenedModel, user: str, said: Said | None
) -> tuple[tuple[NDArray[Any], Array] | None, Compared | None]:
    """What she rated, as vectors and unit scores, and what she compared; None for nothing."""
    if said is None or not (said.ratings or said.comparisons):
        return None, None
    check_vectors(model, user, said)
    used = [one for one in said.ratings if one.photo in said.vectors]
    taken = [one for one in said.comparisons if {one.a_photo, one.b_photo} <= said.vectors.keys()]
    rated, compared = None, None
    if used:
        rated = np.stack([said.vectors[one.photo] for one in used]), unit_scores(used, said.scale)
    if taken and len(used) + len(taken) <= BayesAdapter.most_both:
        compared = compared_of(taken, said.vectors)
    return rated, compared


def _first(skipped: Mapping[str, str]) -> str:
    name, reason = next(iter(skipped.items()))
    return f"{name!r}: {reason}"
