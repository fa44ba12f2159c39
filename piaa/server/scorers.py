"""Users' adapters ready to score: linear forms where they have one, others remembered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as unpack

from generic.errors import StoreError, UnknownUser
from piaa.adapters.base import Adapter, Photos
from piaa.adapters.linear_form import LinearForm, unit_scores
from piaa.adapters.prediction import Array, Prediction
from piaa.adapters.registry import adapter_class, make_adapter
from piaa.people.model import Model
from piaa.server.recent import Recent
from piaa.store.serving import Active, ServingStore
from piaa.store.store import Store


class Changed(StoreError):
    """A user changed while being scored."""


class Scorers:
    """Scores of many users, computed from what the store holds now.

    Args:
        store: where the adapters lie.
        model: the generic model.
        n_bytes: memory for linear forms and for restored adapters, each.
    """

    def __init__(self, store: Store, model: Model, n_bytes: int = 2**28) -> None:
        self._store, self._model = store, model
        self._serving = ServingStore(store.database)
        self._forms, self._adapters = Recent(n_bytes), Recent(n_bytes)

    def unit_scores(self, users: Sequence[Active], features: NDArray[Any]) -> Array:
        """Unit scores of every user and photo, shape (u, n).

        Args:
            users: whose scores; none with an adapter that needs pixels.
            features: model vectors, shape (n, 1 + d).
        """
        forms = self._many_forms(users, features.shape[1] - 1)
        ready = {place: form for place, form in enumerate(forms) if form is not None}
        scores = np.empty((len(users), len(features)))
        if ready:
            scores[list(ready)] = unit_scores(list(ready.values()), features, self._model.prior)
        for place in sorted(set(range(len(users))) - set(ready)):
            scores[place] = self.predict(users[place], features).score
        return scores

    def predict(
        self, user: Active, features: NDArray[Any], pixels: NDArray[np.uint8] | None = None
    ) -> Prediction:
        """One user's unit scores with intervals, by the adapter itself.

        Args:
            user: whose scores.
            features: model vectors, shape (n, 1 + d).
            pixels: the photos, for an adapter that needs them.
        """
        given = features if pixels is None else Photos(vectors=features, pixels=pixels)
        return self._adapter(user).predict(given)

    def _adapter(self, user: Active) -> Adapter:
        found: Adapter | None = self._adapters.get(_key(user))
        if found is None:
            found = self._restored(user)
            self._adapters.put(_key(user), found, found.n_bytes)
        return found

    def _restored(self, user: Active) -> Adapter:
        try:
            stored = self._store.load(user.user, user.version)
        except UnknownUser:
            raise self._changed(user) from None
        if (stored.adapter, stored.model_hash) != (user.adapter, user.model_hash):
            raise self._changed(user)
        adapter = make_adapter(user.adapter, self._model.prior, generic=self._model.generic)
        return adapter.restore(unpack(stored.state))

    @staticmethod
    def _changed(user: Active) -> Changed:
        """Between two requests a user may be fitted again or deleted."""
        return Changed(f"user {user.user!r} was fitted again or deleted just now; ask again")

    def _many_forms(self, users: Sequence[Active], d: int) -> list[LinearForm | None]:
        forms: dict[str, LinearForm | None] = {user.user: self._forms.get(_key(user)) for user in users}
        missing = [
            user for user in users if forms[user.user] is None and adapter_class(user.adapter).has_linear_form
        ]
        stored = self._serving.linear_forms([user.user for user in missing], self._model.generic.hash)
        for user in missing:
            digest, content = stored.get(user.user, ("", None))
            form = (
                LinearForm.unpack(content, self._model.prior, d)
                if content and digest == user.digest
                else None
            )
            if form is None:
                form = self._restored(user).linear_form()
            forms[user.user] = form
            self._forms.put(_key(user), form, form.n_bytes)
        return [forms[user.user] for user in users]


def needs_files(user: Active) -> bool:
    """Whether this user's adapter looks at the photo itself, and not at its vector."""
    return adapter_class(user.adapter).needs_pixels


def _key(user: Active) -> str:
    return f"{user.adapter} {user.model_hash} {user.digest}"
