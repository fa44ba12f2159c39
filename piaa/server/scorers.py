"""Users' adapters ready to score: linear forms where they have one, others remembered."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as unpack

from generic.errors import StoreError, StoreUnavailable, UnknownUser
from piaa.adapters.base import Adapter, Photos
from piaa.adapters.linear_form import LinearForm, unit_scores
from piaa.adapters.prediction import Array, Prediction
from piaa.adapters.registry import adapter_class, make_adapter
from piaa.people.model import Model
from piaa.server.recent import Recent
from piaa.store.serving import Active, ServingStore
from piaa.store.store import Store

_LOG = logging.getLogger(__name__)


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

    def unit_scores(
        self, users: Sequence[Active], features: NDArray[Any]
    ) -> tuple[dict[str, Array], dict[str, str]]:
        """Unit scores of every user's photos, shape (n,), and of users without scores the reason.

        Args:
            users: whose scores; none with an adapter that needs pixels.
            features: model vectors, shape (n, 1 + d).
        """
        forms, broken = self._many_forms(users, features.shape[1] - 1)
        names = list(forms)
        scores: dict[str, Array] = {}
        if names:
            found = unit_scores([forms[name] for name in names], features, self._model.prior)
            scores = dict(zip(names, found, strict=True))
        for user in users:
            if user.user not in scores and user.user not in broken:
                prediction = self.tried(user, features)
                if isinstance(prediction, str):
                    broken[user.user] = prediction
                else:
                    scores[user.user] = prediction.score
        return scores, broken

    def tried(
        self, user: Active, features: NDArray[Any], pixels: NDArray[np.uint8] | None = None
    ) -> Prediction | str:
        """As :meth:`predict`, or why it cannot be: what one user's row holds must not cost another anything.

        Raises:
            Changed: the user changed meanwhile.
        """
        try:
            return self.predict(user, features, pixels)
        except (Changed, StoreUnavailable):
            raise
        except Exception as error:
            _LOG.warning("version %d of a user cannot be used: %r", user.version, error)
            return damaged(user)

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
        if hashlib.sha256(stored.state).hexdigest() != user.digest:
            raise StoreError(damaged(user))
        adapter = make_adapter(user.adapter, self._model.prior, generic=self._model.generic)
        return adapter.restore(unpack(stored.state))

    @staticmethod
    def _changed(user: Active) -> Changed:
        """Between two requests a user may be fitted again or deleted."""
        return Changed(f"user {user.user!r} was fitted again or deleted just now; ask again")

    def _many_forms(self, users: Sequence[Active], d: int) -> tuple[dict[str, LinearForm], dict[str, str]]:
        """The forms of those users that have one, and of those whose form is damaged the reason."""
        known: dict[str, LinearForm | None] = {user.user: self._forms.get(_key(user)) for user in users}
        forms = {user: form for user, form in known.items() if form is not None}
        missing = [
            user for user in users if user.user not in forms and adapter_class(user.adapter).has_linear_form
        ]
        stored = self._serving.linear_forms([user.user for user in missing], self._model.generic.hash)
        broken = {}
        for user in missing:
            try:
                form = self._form(user, *stored.get(user.user, ("", None)), d)
            except (Changed, StoreUnavailable):
                raise
            except Exception as error:
                _LOG.warning("version %d of a user cannot be used: %r", user.version, error)
                broken[user.user] = damaged(user)
            else:
                forms[user.user] = form
                self._forms.put(_key(user), form, form.n_bytes)
        return forms, broken

    def _form(self, user: Active, digest: str, content: bytes | None, d: int) -> LinearForm:
        form = LinearForm.unpack(content, self._model.prior, d) if content and digest == user.digest else None
        return form or self._restored(user).linear_form()


def damaged(user: Active) -> str:
    """What a client is told of a user whose version cannot be used."""
    return f"version {user.version} of user {user.user!r} is damaged; fit the user again, or roll back"


def needs_files(user: Active) -> bool:
    """Whether this user's adapter looks at the photo itself, and not at its vector."""
    return adapter_class(user.adapter).needs_pixels


def _key(user: Active) -> str:
    return f"{user.adapter} {user.model_hash} {user.digest}"
