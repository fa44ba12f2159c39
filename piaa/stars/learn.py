"""A person's own stars of ten years go into the store: only what is new or changed, and none of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import FeatureCache
from generic.errors import NotFitted, ScaleError, TooFewRatings, UnknownUser
from generic.progress import Progress, no_progress
from piaa.adapters.base import Adapter
from piaa.people.model import Model
from piaa.people.rated import see
from piaa.people.tell import known_of
from piaa.stars.gather import Gathered, Judged
from piaa.stars.marks import LIGHTROOM, PLACES
from piaa.stars.proof import Proof, prove
from piaa.store.records import SeenPhoto, StoredRating
from piaa.store.saying import Saying
from piaa.store.store import Store

STARS = (1.0, 5.0)
"""The scale of stars."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The stars of a folder, each picture once."""

    stars: tuple[Judged, ...]
    """Photos that she gave stars."""
    flags: tuple[Judged, ...]
    """Photos that she picked or rejected."""
    unrated: frozenset[str]
    """Names of photos without stars of hers."""
    pictures: Mapping[str, SeenPhoto]
    """What is known of them without a look at the picture, by name."""
    n_photos: int
    """All photos of the folder."""
    n_ours: int
    """Photos whose stars piaa wrote."""
    n_disagree: int
    """Photos of which places say different stars."""
    skipped: Mapping[str, str]
    """What could not be understood, or read, with the reason."""

    @property
    def counts(self) -> dict[int, int]:
        """How many photos have how many stars, from five down to one."""
        counted = Counter(one.stars for one in self.stars)
        return {stars: counted[stars] for stars in range(5, 0, -1)}

    @property
    def n_rejected(self) -> int:
        """Photos that she rejected."""
        return sum(one.flag == "reject" for one in self.flags)

    @property
    def n_picked(self) -> int:
        """Photos that she picked."""
        return sum(one.flag == "pick" for one in self.flags)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What became of them."""

    proof: Proof | None
    n_new: int
    """Photos whose stars the store did not know."""
    n_changed: int
    """Photos whose stars were others the last time."""
    n_same: int
    n_gone: int
    """Photos that have no stars any more; what she said of them stays."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """The file of each rated photo, by identity."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Rated photos that cannot be read, with the reason."""


def find_stars(model: Model, store: Store, gathered: Gathered) -> Found:
    """Her stars and flags among what a folder holds, without those that piaa wrote.

    Of one picture under two names the more binding place counts, else the first name.

    Args:
        model: how photos are read.
        store: which stars were written.
        gathered: what the folder holds.
    """
    said = [one for one in gathered.photos if one.marks]
    with FeatureCache.open(model.settings.cache) as cache:
        contents, errors = cache.digest_many([one.shot.main for one in said])
    skipped = dict(gathered.skipped)
    skipped |= {one.name: str(errors[one.shot.main]) for one in said if one.shot.main in errors}
    written = store.written([content.identity for content in contents.values()])
    pictures, known = {}, []
    for one in said:
        content = contents.get(one.shot.main)
        if content is not None:
            pictures[one.name] = SeenPhoto(identity=content.identity, sha256=content.sha256, image=one.name)
            known.append(one.known(written.get(content.identity, frozenset())))
    stars = _each_once([one for one in known if one.stars], pictures)
    return Found(
        stars=stars,
        flags=_each_once([one for one in known if one.flag], pictures),
        unrated=frozenset({one.name for one in gathered.photos} - {one.name for one in known if one.stars}),
        pictures=pictures,
        n_photos=len(gathered.photos),
        n_ours=sum(one.only_ours for one in known),
        n_disagree=sum(one.disagree for one in known) + _n_twins_that_differ(known, pictures),
        skipped=skipped,
    )


def _each_once(photos: Sequence[Judged], pictures: Mapping[str, SeenPhoto]) -> tuple[Judged, ...]:
    first: dict[str, Judged] = {}
    for one in sorted(photos, key=lambda one: PLACES.index(one.hers.place if one.hers else PLACES[-1])):
        first.setdefault(pictures[one.name].identity, one)
    return tuple(sorted(first.values(), key=lambda one: one.name))


def _n_twins_that_differ(photos: Sequence[Judged], pictures: Mapping[str, SeenPhoto]) -> int:
    stars: dict[str, set[int]] = {}
    for one in photos:
        if one.stars:
            stars.setdefault(pictures[one.name].identity, set()).add(one.stars)
    return sum(len(some) > 1 for some in stars.values())


def keep_stars(
    model: Model,
    store: Store,
    user: str,
    found: Found,
    make: Callable[[], Adapter],
    *,
    progress: Progress = no_progress,
) -> Kept:
    """Look at the rated photos, prove what can be learned from them, and keep what is new or changed.

    Args:
        model: whose vectors are kept with them.
        store: where.
        user: whose stars they are.
        found: her stars and flags.
        make: gives the adapter that she will be learned by, for the proof.
        progress: called with the number of photos newly done.

    Raises:
        ScaleError: she rated on another scale before.
        TooFewRatings: there is no star of hers that could be learned from; flags are kept.
    """
    check_scale(store, user, model.generic.hash)
    seen = see(model, {one.name: one.shot.main for one in found.stars}, progress=progress)
    read = [one for one in found.stars if one.name in seen.photos]
    before = _imported(store, user)
    earlier = {one.name: before.get(seen.photos[one.name].identity) for one in read}
    new = [one for one in read if earlier[one.name] is None]
    changed = [one for one in read if (known := earlier[one.name]) and known.score != one.stars]
    proof = None
    if read and not make().needs_pixels:
        ordered = sorted(read, key=lambda one: seen.photos[one.name].identity)  # whatever files are called
        vectors = np.stack([vector_of(seen.photos[one.name]) for one in ordered])
        proof = prove(make, vectors, np.array([((one.stars or 0) - 1) / (STARS[1] - 1) for one in ordered]))
    flags = _new_flags(store, user, found)
    for source in ("xmp", "lightroom"):
        _say(model, store, user, source, [*new, *changed], flags, found, seen.photos)
    _show(model, store, user, [seen.photos[one.name] for one in read])
    if not read and not before:
        raise TooFewRatings(_nothing(found, seen.skipped))
    return Kept(
        proof=proof,
        n_new=len(new),
        n_changed=len(changed),
        n_same=len(read) - len(new) - len(changed),
        n_gone=len({one.image for one in before.values()} & found.unrated),
        files=seen.files,
        skipped=seen.skipped,
    )


def check_scale(store: Store, user: str, model_hash: str) -> None:
    """Make sure that stars can stand beside what a person said before.

    Raises:
        ScaleError: she rated on another scale.
    """
    known = known_of(store, user, model_hash)
    if known is not None and known.ratings and known.scale != STARS:
        raise ScaleError(
            f"user {user!r} rated on {known.scale[0]:g}..{known.scale[1]:g} so far, but stars are 1..5; "
            "learn them as another user, or put ratings on 1..5 in the place of the old ones: "
            "piaa fit-user --replace"
        )


def _show(model: Model, store: Store, user: str, photos: Sequence[SeenPhoto]) -> None:
    """Give the store this model's vectors of photos that were rated under another, with the same ratings."""
    try:
        said = store.said(user, model.generic.hash)
    except UnknownUser:
        return
    unseen = {one.photo: one for one in said.ratings if one.photo not in said.vectors}
    again = [(photo, unseen[photo.identity]) for photo in photos if photo.identity in unseen]
    for source in sorted({one.source for _, one in again}):
        ratings = [(photo, one.score) for photo, one in again if one.source == source]
        store.say(user, Saying(ratings=ratings, model_hash=model.generic.hash, source=source, scale=STARS))


def is_learned(store: Store, user: str, model_hash: str) -> bool:
    """Whether there is a version of a person for this model."""
    with suppress(UnknownUser, NotFitted):
        return store.load(user, model_hash=model_hash).model_hash == model_hash
    return False


def vector_of(photo: SeenPhoto) -> NDArray[np.float32]:
    """The vector of a photo that was looked at."""
    assert photo.vector is not None  # noqa: S101  (of photos that cannot be read there is none here)
    return photo.vector


def _imported(store: Store, user: str) -> dict[str, StoredRating]:
    """The star that was imported last of each photo of which a rating counts, by identity."""
    try:
        ever = store.rated(user)
        counts = {one.photo for one in store.said(user, "").ratings}
    except UnknownUser:
        return {}
    return {one.photo: one for one in ever if one.source in ("xmp", "lightroom") and one.photo in counts}


def _new_flags(store: Store, user: str, found: Found) -> list[Judged]:
    try:
        known = {one.photo: one.flag for one in store.flags(user)}
    except UnknownUser:
        known = {}
    return [one for one in found.flags if known.get(found.pictures[one.name].identity) != one.flag]


def _say(
    model: Model,
    store: Store,
    user: str,
    source: str,
    stars: Sequence[Judged],
    flags: Sequence[Judged],
    found: Found,
    seen: Mapping[str, SeenPhoto],
) -> None:
    """Keep what comes from one source."""
    ratings = [(seen[one.name], float(one.stars or 0)) for one in stars if _source(one) == source]
    looked = {**found.pictures, **seen}
    marks = [(looked[one.name], one.flag or "") for one in flags if _source(one) == source]
    if ratings or marks:
        saying = Saying(
            ratings=ratings,
            flags=marks,
            model_hash=model.generic.hash,
            source=source,
            scale=STARS if ratings else None,
        )
        store.say(user, saying)


def _source(one: Judged) -> str:
    return "lightroom" if one.hers and one.hers.place == LIGHTROOM else "xmp"


def _nothing(found: Found, skipped: Mapping[str, str]) -> str:
    if skipped:
        name, reason = next(iter(skipped.items()))
        return f"none of the {len(skipped)} photos with stars can be read; the first is {name!r}: {reason}"
    ours = f" but for {found.n_ours} that piaa wrote itself" if found.n_ours else ""
    return (
        f"none of {found.n_photos} photos has a star{ours}; rate some in the program that you use and save "
        "the stars into the files or sidecars, or name its catalogue with --lightroom"
    )
