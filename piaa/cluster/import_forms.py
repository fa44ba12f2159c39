"""People whose linear forms are there go into a store, for ``piaa serve``: what they said, then a version.

Nothing is taken on trust: a person is learned from her ratings and the photos' vectors, as anybody is, and
what comes out must be the form that is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from generic.errors import ClusterError, StoreError
from generic.progress import Progress, no_progress
from piaa.cluster.current import form_of
from piaa.cluster.folder import Folder
from piaa.cluster.forms import Forms, form_files, read_forms
from piaa.cluster.photos_of import photos_of
from piaa.cluster.vectors import SMALL, Seen, VectorFolder
from piaa.people.learn import learn, linear_form_of, record_of
from piaa.people.model import Model
from piaa.people.tell import known_of
from piaa.store.records import SeenPhoto, check_user
from piaa.store.said import Said
from piaa.store.saying import Saying
from piaa.store.store import Store


@dataclass
class Imported:
    """What became of the people."""

    users: int = 0
    """Newly in the store."""
    before: int = 0
    """Who were there with the same ratings and a version of the same adapter."""
    refused: dict[str, str] = field(default_factory=dict)
    """People who are not in the store as they are in the forms, and why."""


def import_forms(
    forms: Folder,
    vectors: Folder,
    store: Store,
    model: Model,
    *,
    replace: bool = False,
    progress: Progress = no_progress,
) -> Imported:
    """Put everybody of a folder of forms into a store; who is there already stays as she is.

    Args:
        forms: of piaa fit-users.
        vectors: of piaa embed, from which they were fitted.
        store: where.
        model: whose vectors these are.
        replace: whether ratings that the store knows of somebody become history; else she is refused.
        progress: called with the number of people newly done.

    Raises:
        ClusterError: forms or vectors are missing, damaged or of another model, or vectors are small ones.
    """
    source, done = VectorFolder(vectors, model.generic.hash), Imported()
    if form_of(source) == SMALL:
        raise ClusterError(
            f"{vectors.shown} holds small vectors, and a store keeps whole ones; make those with piaa embed "
            "into another folder, then fit the users on them"
        )
    for name in form_files(forms):
        some = read_forms(forms, name, said=True)
        if some.model != source.model:
            raise ClusterError(
                f"{name} in {forms.shown} was fitted on model {some.model[:8]}, the loaded model is "
                f"{model.generic.name} {source.model[:8]}; name the same one with --model"
            )
        seen = photos_of({uri for uris in some.images for uri in uris}, source)
        for row, user in enumerate(some.users):
            try:
                _check_name(user)
                new = _import(some, row, seen, store, model, replace=replace)
            except _Refused as error:
                done.refused[user] = str(error)
            else:
                done.users += new
                done.before += not new
            progress(1)
    return done


class _Refused(Exception):
    """Why a person is left out."""


def _check_name(user: str) -> None:
    """Of her name alone: a store that fails ends everything, a name that it does not take leaves her out."""
    try:
        check_user(user)
    except StoreError as error:
        raise _Refused(str(error)) from None


def _import(
    forms: Forms, row: int, seen: Mapping[str, Seen], store: Store, model: Model, *, replace: bool
) -> bool:
    """One person; whether she is new."""
    user, rated = forms.users[row], _rated(forms, row, seen)
    known = known_of(store, user, forms.model)
    same = known is not None and _same(known, rated)
    if same and _has_version(store, user, forms, len(rated)):
        return False
    if known is not None and not (same or replace):
        raise _Refused("the store knows other ratings or comparisons; pass --replace to make them history")
    if not same:
        low, high = forms.scales[row].tolist()
        saying = Saying(ratings=rated, model_hash=forms.model, source="table", scale=(low, high))
        store.say(user, saying, replace=replace)
    _keep(forms, row, store, model)
    return True


def _rated(forms: Forms, row: int, seen: Mapping[str, Seen]) -> list[tuple[SeenPhoto, float]]:
    """What a person rated, and her scores."""
    uris, scores = forms.images[row], forms.scores[row]
    absent = next((uri for uri in uris if uri not in seen), None)
    if absent is not None:
        raise _Refused(f"{absent} has no vector any more; fit the users again")
    photos = [seen[uri] for uri in uris]
    if len({photo.identity for photo in photos}) < len(photos):
        raise _Refused("she rated one picture under two names; keep one of these ratings")
    return [(_seen(photo), score) for photo, score in zip(photos, scores, strict=True)]


def _seen(photo: Seen) -> SeenPhoto:
    return SeenPhoto(
        identity=photo.identity,
        sha256=photo.sha256,
        image=photo.uri,
        vector=photo.vector,
        taken=photo.taken,
    )


def _same(known: Said, rated: Sequence[tuple[SeenPhoto, float]]) -> bool:
    ratings = {one.photo: one.score for one in known.ratings}
    return not known.comparisons and ratings == {photo.identity: score for photo, score in rated}


def _has_version(store: Store, user: str, forms: Forms, n: int) -> bool:
    found = ((one.model_hash, one.adapter, one.n_ratings) for one in store.versions(user))
    return (forms.model, forms.adapter, n) in found


def _keep(forms: Forms, row: int, store: Store, model: Model) -> None:
    """Learn from what the store knows, and keep it."""
    user = forms.users[row]
    while True:  # again, if she withdraws something meanwhile
        said = store.said(user, forms.model)
        learned = learn(model, user, said, model.maker(forms.adapter))
        found = learned.adapter.linear_form().coefficients
        if not np.allclose(found, forms.coefficients[row], rtol=1e-6, atol=1e-9):
            raise _Refused("her ratings and the vectors give another form than is there; fit the users again")
        record, form = record_of(model, learned, said.scale), linear_form_of(learned.adapter)
        if store.keep(user, record, said, linear_form=form) is not None:
            return
