"""A person goes into a store: what she said first, then what was learned from all that the store knows."""

from __future__ import annotations

import dataclasses

from generic.errors import StoreError, UnknownUser
from piaa.adapters.registry import make_adapter
from piaa.people.fitted import Fitted, Unsaved
from piaa.people.learn import Learned, adapter_name, count_of, learn, linear_form_of, record_of
from piaa.people.learn_on import check_learns_on
from piaa.store.place import Place
from piaa.store.records import SeenPhoto
from piaa.store.said import Said
from piaa.store.saying import Saying
from piaa.store.store import Store


def save_person(person: Fitted, place: Place, *, add: bool, replace: bool, source: str = "python") -> int:
    """See :meth:`piaa.people.person.Person.save`."""
    unsaved, version, generic = person.unsaved, person.version, person.model.generic
    if version is not None and place not in (None, unsaved.place):
        unsaved, version = copied(person), None  # another store does not know her
    elif version is not None and replace and unsaved.said is not None:
        # All that she has in hand, or a single rating that was added would be all that is left.
        unsaved = dataclasses.replace(copied(person), withdrawn=unsaved.withdrawn, place=unsaved.place)
    if version is not None and unsaved.said is None:
        return version  # as it was loaded
    store = Store(unsaved.place if place is None else place)
    try:
        if not (add or replace or version is not None):
            check_new(store, person.user, generic.hash)
        if add:
            check_learns_on(person.user, person.adapter)
        saying = Saying(
            ratings=unsaved.ratings,
            comparisons=unsaved.comparisons,
            model_hash=generic.hash,
            source=source,
            scale=(person.scale.low, person.scale.high) if unsaved.ratings else None,
        )
        store.say(person.user, saying, replace=replace, withdrawn=unsaved.withdrawn)
        return _keep(store, person, unsaved.said)
    finally:
        store.close()


def copied(person: Fitted) -> Unsaved:
    """All that a person who was loaded has to tell another store."""
    known = person.unsaved.known(person.user, person.model.generic.hash)
    judged: list[tuple[str, str, str | None]] = []
    for one in known.comparisons:
        judged += [(one.a, one.a_photo, None), (one.b, one.b_photo, None)]
    judged += [(rated.image, rated.photo, rated.sha256) for rated in known.ratings]
    seen = {
        photo: SeenPhoto(identity=photo, sha256=sha256, image=image, vector=known.vectors.get(photo))
        for image, photo, sha256 in judged
    }
    return Unsaved(
        said=known if _learned_from_all(person, known) else None,
        ratings=tuple((seen[one.photo], one.score) for one in known.ratings),
        comparisons=tuple((seen[one.a_photo], seen[one.b_photo], one.outcome) for one in known.comparisons),
    )


def _learned_from_all(person: Fitted, known: Said) -> bool:
    rated = [{(one.photo, one.score) for one in each.ratings} for each in (person, known)]
    return rated[0] == rated[1] and len(person.comparisons) + person.n_unused == len(known.comparisons)


def check_new(store: Store, user: str, model_hash: str) -> None:
    """Make sure that nothing that somebody said is mixed up with what another one says.

    Raises:
        StoreError: the store knows ratings or comparisons of this user.
    """
    try:
        said = store.said(user, model_hash)
    except UnknownUser:
        return
    if said.ratings or said.comparisons:
        raise refusal(store.name, user, said)


def refusal(store: str, user: str, said: Said) -> StoreError:
    """What somebody is answered who does not say what becomes of ratings that a store knows."""
    return StoreError(
        f"store {store!r} knows {count_of(said)} of user {user!r}; pass --add to add to them, or "
        "--replace to put these in their place (they stay in the history)"
    )


def _keep(store: Store, person: Fitted, known: Said | None) -> int:
    while True:
        said = store.said(person.user, person.model.generic.hash)
        learned = _same(person, known, said) or _learned(person, said)
        record = record_of(person.model, learned, said.scale)
        version = store.keep(person.user, record, said, linear_form=linear_form_of(learned.adapter))
        if version is not None:
            return version


def _same(person: Fitted, known: Said | None, said: Said) -> Learned | None:
    """What was learned already, if it was from all that the store knows, as rows of the store."""
    if known is None or not (known.digest == said.digest or _seen_by_itself(person, known, said)):
        return None
    ratings = {one.photo: one for one in said.ratings}
    compared = {(one.a_photo, one.b_photo, one.outcome): one for one in said.comparisons}
    try:
        return Learned(
            adapter=person.adapter,
            ratings=tuple(ratings[one.photo] for one in person.ratings),
            comparisons=tuple(compared[one.a_photo, one.b_photo, one.outcome] for one in person.comparisons),
        )
    except KeyError:  # somebody saw a photo meanwhile that was known by its file alone
        return None


def _seen_by_itself(person: Fitted, known: Said, said: Said) -> bool:
    """Whether the same was said to an adapter that looks at photos.

    It cannot be learned again from a store's vectors, whose last bits may be those of another machine.
    """
    told = [{(one.photo, one.score, one.scale) for one in each.ratings} for each in (known, said)]
    return person.adapter.needs_pixels and known.scale == said.scale and told[0] == told[1]


def _learned(person: Fitted, said: Said) -> Learned:
    name = adapter_name(said, None, person.adapter.name)
    return learn(person.model, person.user, said, lambda: make_adapter(name, person.model.prior))
