"""The one way in which a person is learned, whoever asks: from what she said, and the photos' vectors."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as pack

from generic.errors import ModelMismatch, PiaaError, TooFewRatings
from generic.words import counted, none_of
from piaa.adapters.base import Adapter
from piaa.adapters.compared import Compared
from piaa.adapters.pairs import PairsAdapter
from piaa.adapters.registry import adapter_class
from piaa.store.records import MAPPED, AdapterRecord, StoredComparison, StoredRating
from piaa.store.said import Said
from piaa.store.versions import unit_scores

if TYPE_CHECKING:
    from piaa.people.opened_model import OpenedModel


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What was learned from a person, and from what."""

    adapter: Adapter
    ratings: tuple[StoredRating, ...] = ()
    """In the order of the adapter's support."""
    comparisons: tuple[StoredComparison, ...] = ()
    """In the order of the adapter's comparisons."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """What she said of photos that could not be used, with the reason."""
    n_mapped: int = 0
    """Photos among them whose vector was worked out from another model's."""
    n_unused: int = 0
    """Comparisons of a person whose adapter learns from ratings alone, or has too many of these."""


def count_of(said: Said) -> str:
    """How much somebody said, in words."""
    counts = ((len(said.ratings), "rating"), (len(said.comparisons), "comparison"))
    return " and ".join(counted(n, word) for n, word in counts if n) or "0 ratings"


def adapter_name(said: Said, wanted: str | None, default: str) -> str:
    """Which adapter learns from what a person said: comparisons alone are not for all of them.

    Args:
        said: what she said.
        wanted: the adapter that was asked for, if one was.
        default: the adapter otherwise.

    Raises:
        PiaaError: another one was asked for than can learn from it.
    """
    if said.ratings or not said.comparisons:
        return wanted or default
    if wanted is not None and not adapter_class(wanted).takes_comparisons:
        raise PiaaError(
            f"adapter {wanted!r} learns from ratings, but she gave {count_of(said)} and no rating; leave it "
            "out, or rate some photos"
        )
    return wanted or PairsAdapter.name


def learn(
    model: OpenedModel,
    user: str,
    said: Said,
    make: Callable[[], Adapter],
    files: Mapping[str, Path] | None = None,
) -> Learned:
    """Learn a person from her ratings, and from her comparisons by an adapter that takes them.

    Args:
        model: whose vectors those of ``said`` are.
        user: the person's name, for messages.
        said: what she said.
        make: gives a new adapter.
        files: for an adapter that needs pixels: the file of each photo, by identity.

    Raises:
        TooFewRatings: there is nothing to learn from.
        ModelMismatch: there is no vector of the model of some photos.
        PiaaError: the adapter needs files that are not there.
    """
    check_vectors(model, user, said)
    adapter = make()
    used, compared, skipped = _usable(user, said, adapter)
    features = np.stack([said.vectors[one.photo] for one in used]) if used else np.zeros((0, 0), np.float32)
    scores = unit_scores(used, said.scale)
    if compared:
        adapter.fit_both(features, scores, compared_of(compared, said.vectors))
    else:
        given = features
        if adapter.needs_pixels:
            given = _with_pixels(model, user, adapter.name, used, features, files or {})
        adapter.fit(given, scores)
    unused = 0 if _takes(adapter, said) else len(said.comparisons)
    photos = {one.photo for one in used} | {side for one in compared for side in (one.a_photo, one.b_photo)}
    return Learned(
        adapter=adapter,
        ratings=used,
        comparisons=compared,
        skipped=skipped,
        n_mapped=len(photos & said.mapped),
        n_unused=unused,
    )


def _usable(
    user: str, said: Said, adapter: Adapter
) -> tuple[tuple[StoredRating, ...], tuple[StoredComparison, ...], dict[str, str]]:
    """The ratings and comparisons that an adapter can learn from, and damaged photos with the reason.

    Raises:
        TooFewRatings: there are none.
    """
    used = tuple(one for one in said.ratings if one.photo in said.vectors)
    taken = said.comparisons if _takes(adapter, said) else ()
    compared = tuple(one for one in taken if one.a_photo in said.vectors and one.b_photo in said.vectors)
    photos = {one.image: one.photo for one in said.ratings}
    for one in taken:
        photos |= {one.a: one.a_photo, one.b: one.b_photo}
    skipped = _damaged(photos, said)
    if not (said.ratings or taken):
        raise TooFewRatings(
            f"user {user!r} gave {count_of(said)} and no rating, but adapter {adapter.name!r} learns from "
            "ratings alone; rate some photos, or use the adapter auto"
        )
    if not (used or compared):
        name, reason = next(iter(skipped.items()))
        what = none_of(len(said.ratings), "rating") if said.ratings else none_of(len(taken), "comparison")
        raise TooFewRatings(f"{what} of user {user!r} can be used; the first is of {name!r}: {reason}")
    return used, compared, skipped


def _takes(adapter: Adapter, said: Said) -> bool:
    """Whether an adapter learns from the comparisons, too: not beside more ratings than it can."""
    few = len(said.ratings) + len(said.comparisons) <= adapter.most_both
    return adapter.takes_comparisons and (few or not said.ratings)


def compared_of(comparisons: Sequence[StoredComparison], vectors: Mapping[str, NDArray[Any]]) -> Compared:
    """Comparisons as an adapter takes them, in their order: the preferred photo on one side.

    Args:
        comparisons: one or more, of photos whose vectors are there.
        vectors: by a photo's identity, shape (1 + d,) each.
    """
    sides = [
        (one.b_photo, one.a_photo) if one.outcome == "b" else (one.a_photo, one.b_photo)
        for one in comparisons
    ]
    return Compared(
        one=np.stack([vectors[one] for one, _ in sides]),
        other=np.stack([vectors[other] for _, other in sides]),
        equal=np.array([one.outcome == "equal" for one in comparisons]),
    )


def check_vectors(model: OpenedModel, user: str, said: Said) -> None:
    """Make sure that the model has a vector of every photo that a person is learned from.

    Raises:
        TooFewRatings: there is none.
        ModelMismatch: some vectors are of another model only.
    """
    photos = [one.photo for one in said.ratings]
    photos += [side for one in said.comparisons for side in (one.a_photo, one.b_photo)]
    photos = list(dict.fromkeys(photos))
    if not photos:
        raise TooFewRatings(f"user {user!r} gave 0 ratings, but at least 1 is needed; rate some photos first")
    old = sum(photo not in said.vectors and photo not in said.damaged for photo in photos)
    if old:
        raise ModelMismatch(
            f"of {old} of {counted(len(photos), 'photo')} that user {user!r} rated there is no vector of "
            f"model {model.generic.name} {model.generic.hash[:8]}; have the photos read anew "
            f"(piaa users refit {shlex.quote(user)} --images DIR), or use the model under which they were "
            "rated"
        )


def _damaged(photos: Mapping[str, str], said: Said) -> dict[str, str]:
    reason = "its vector in the store is damaged; give the rating again, with the photo"
    return {name: reason for name, photo in photos.items() if photo in said.damaged}


def _with_pixels(
    model: OpenedModel,
    user: str,
    adapter: str,
    ratings: tuple[StoredRating, ...],
    features: Any,  # noqa: ANN401  (shape (k, 1 + d))
    files: Mapping[str, Path],
) -> Any:  # noqa: ANN401  (what the adapter takes)
    absent = [one.image for one in ratings if one.photo not in files]
    if absent:
        raise PiaaError(
            f"adapter {adapter!r} learns from the photos themselves, but {len(absent)} of the {len(ratings)} "
            f"that user {user!r} rated are not there, the first is {absent[0]!r}; pass the folder that holds "
            "them with --images, or use another adapter"
        )
    return model.photos(features, [files[one.photo] for one in ratings])


def record_of(model: OpenedModel, learned: Learned, scale: tuple[float, float]) -> AdapterRecord:
    """What was learned, as the store takes it.

    Args:
        model: that it was learned on.
        learned: its ratings or comparisons are rows of the store.
        scale: of the person.
    """
    state = {key: np.ascontiguousarray(value) for key, value in learned.adapter.state().items()}
    return AdapterRecord(
        adapter=learned.adapter.name,
        model_name=model.generic.name,
        model_hash=model.generic.hash,
        scale_low=scale[0],
        scale_high=scale[1],
        state=pack(state),
        ratings=learned.ratings,
        comparisons=learned.comparisons,
        extra={MAPPED: learned.n_mapped} if learned.n_mapped else {},
    )


def linear_form_of(adapter: Adapter) -> bytes | None:
    """Its linear form for the store, if it has one."""
    return adapter.linear_form().pack() if adapter.has_linear_form else None
