"""The models that a server answers with: the one of now, and while people move to it the one of before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from piaa.people.model import Model
from piaa.server.embedder import Embedder
from piaa.server.scorers import Scorers
from piaa.store.said import Said
from piaa.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Served:
    """One model, ready to score."""

    model: Model
    embedder: Embedder
    scorers: Scorers

    @property
    def hash(self) -> str:
        """The model's."""
        return self.model.generic.hash


def said_under(store: Store, models: Sequence[Model], user: str) -> tuple[Model, Said]:
    """The model that a user is learned under, and what she said as far as it has vectors of it.

    That is the first model that has a vector of every photo that counts, or by which she is scored already;
    if there is none, the one that has most vectors.
    Of a server with one model that is all that she said, whatever vectors there are.

    Args:
        store: what she said.
        models: the first one is to be preferred.
        user: who.

    Raises:
        UnknownUser: there is no such user.
    """
    found = [(model, store.said(user, model.generic.hash)) for model in models]
    if len(found) == 1:
        return found[0]
    learned = {one.model_hash for one in store.versions(user)}
    now, said = found[0]
    if now.generic.hash in learned:  # perhaps without photos that are gone: what she says now is to count
        return now, said.with_vectors()
    for model, said in found:
        if not _missing(said):
            return model, said
    model, said = max(found, key=lambda one: len(one[1].vectors))
    return model, said.with_vectors()


def _missing(said: Said) -> set[str]:
    sides = {photo for one in said.comparisons for photo in (one.a_photo, one.b_photo)}
    photos = {one.photo for one in said.ratings} | sides
    return photos - set(said.vectors) - said.damaged
