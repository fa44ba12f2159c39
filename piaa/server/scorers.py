"""Users' adapters ready to score: linear forms where they have one, others remembered."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as unpack

from generic.errors import StoreError, StoreUnavailable, UnknownUser
from piaa.adapters.base import Adapter, Photos
from piaa.adapters.prediction import Array, Prediction
from piaa.adapters.registry import adapter_class, make_adapter
from piaa.people.model import Model
from piaa.server.matrices import Changed, Matrices, damaged
from piaa.store.recent import Recent
from piaa.store.serving import Active, ServingStore
from piaa.store.store import Store

_LOG = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class Units:
    """Unit scores of many users, as they are found."""

    rows: dict[str, int] = field(default_factory=dict)
    """Which row is whose."""
    inexact: set[str] = field(default_factory=set)
    """Whose smooth function was left out."""
    broken: dict[str, str] = field(default_factory=dict)
    """Of users without scores the reason."""
    _parts: list[Array] = field(default_factory=list)

    def add(self, users: Sequence[str], scores: Array) -> None:
        """The next users' scores, shape (u, n)."""
        self.rows.update(zip(users, range(len(self.rows), len(self.rows) + len(users)), strict=True))
        self._parts.append(scores)

    @property
    def scores(self) -> Array:
        """Of everybody, shape (u, n); there must be somebody."""
        return np.concatenate(self._parts)


class Scorers:
    """Scores of many users, computed from what the store holds now.

    Args:
        store: where the adapters lie.
        model: the generic model.
        n_bytes: memory for matrices of linear forms and for restored adapters, each.
    """

    def __init__(self, store: Store, model: Model, n_bytes: int = 2**28) -> None:
        self._store, self._model = store, model
        self._serving = ServingStore(store.database)
        self._matrices = Matrices(self._serving, model, self._restored, n_bytes)
        self._adapters = Recent(n_bytes)

    def unit_scores(self, users: Sequence[Active], features: NDArray[Any], *, exact: bool = True) -> Units:
        """Unit scores of every user's photos.

        Args:
            users: whose scores; none with an adapter that needs pixels.
            features: model vectors, shape (n, 1 + d).
            exact: as the adapter itself scores; else without smooth functions, which is quicker.
        """
        quick = {name for name in _adapters(users) if adapter_class(name).has_linear_form}
        found, linear = Units(), [user for user in users if user.adapter in quick]
        for names, forms, broken in self._matrices.groups(linear, features.shape[1] - 1, exact=exact):
            found.broken |= broken
            if forms is not None:
                found.add(names, forms.unit_scores(features, self._model.prior))
                found.inexact.update(compress(names, ~forms.exact))
        for user in users:
            if user.adapter not in quick:
                self._add(user, features, found)
        return found

    def _add(self, user: Active, features: NDArray[Any], found: Units) -> None:
        prediction = self.tried(user, features)
        if isinstance(prediction, str):
            found.broken[user.user] = prediction
        else:
            found.add([user.user], prediction.score[None])

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
        found: Adapter | None = self._adapters.get(user.key)
        if found is None:
            found = self._restored(user)
            self._adapters.put(user.key, found, found.n_bytes)
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


def with_files(users: Iterable[Active]) -> list[Active]:
    """Those whose adapter looks at the photo itself, and not at its vector."""
    chosen = list(users)
    looking = {name for name in _adapters(chosen) if adapter_class(name).needs_pixels}
    return [user for user in chosen if user.adapter in looking] if looking else []


def _adapters(users: Iterable[Active]) -> set[str]:
    return {user.adapter for user in users}
