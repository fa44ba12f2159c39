"""Users' adapters ready to score: rows of numbers where they have that form, others remembered."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as unpack

from generic.errors import StoreError
from generic.model.generic_model import GenericModel
from piaa.adapters.base import AnyAdapter, Array, Photos, Prediction
from piaa.adapters.prior import Prior
from piaa.adapters.registry import NETWORK, make_adapter
from piaa.server.rows import AS_ROWS, Row, row_of, unit_scores, unpack_row
from piaa.store.service import Active, ServiceStore

_ENTRY = 500
"""What Python itself takes for a remembered value: its key, objects around it; in bytes, roughly."""


class Changed(StoreError):
    """A user changed while being scored."""


class Recent:
    """The most recently used values within a number of bytes; may be used from several threads."""

    def __init__(self, n_bytes: int) -> None:
        self._limit, self._used = n_bytes, 0
        self._values: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Any:  # noqa: ANN401  (rows, vectors or adapters)
        """The value, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: str, value: object, n_bytes: int) -> None:
        """Remember a value of this size; what was not used for longest goes."""
        n_bytes += _ENTRY
        with self._lock:
            self._used += n_bytes - self._values.pop(key, (None, 0))[1]
            self._values[key] = (value, n_bytes)
            while self._used > self._limit and len(self._values) > 1:
                self._used -= self._values.popitem(last=False)[1][1]


class Heads:
    """Scores of many users, computed from what the store holds now.

    Args:
        store: where the adapters lie.
        model: the generic model.
        prior: of the model.
        n_bytes: memory for rows and for restored adapters, each.
    """

    def __init__(
        self, store: ServiceStore, model: GenericModel, prior: Prior | None, n_bytes: int = 2**28
    ) -> None:
        self._store, self._model, self._prior = store, model, prior
        self._rows, self._adapters = Recent(n_bytes), Recent(n_bytes)

    def unit_scores(self, users: Sequence[Active], features: NDArray[Any]) -> Array:
        """Unit scores of every user and photo, shape (u, n).

        Args:
            users: whose scores; none with an adapter that needs pixels.
            features: model vectors, shape (n, 1 + d).
        """
        rows = self._many_rows(users, features.shape[1] - 1)
        ready = {place: row for place, row in enumerate(rows) if row is not None}
        scores = np.empty((len(users), len(features)))
        if ready:
            scores[list(ready)] = unit_scores(list(ready.values()), features, self._prior)
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
        adapter: Any = self._adapter(user)
        given = features if pixels is None else Photos(vectors=features, pixels=pixels)
        predicted: Prediction = adapter.predict(given)
        return predicted

    def _adapter(self, user: Active) -> AnyAdapter:
        found: AnyAdapter | None = self._adapters.get(_key(user))
        if found is not None:
            return found
        state = self._state(user)
        adapter = make_adapter(user.adapter, self._prior, generic=self._model).restore(unpack(state))
        self._adapters.put(_key(user), adapter, getattr(adapter, "n_bytes", len(state)))
        return adapter

    def _many_rows(self, users: Sequence[Active], d: int) -> list[Row | None]:
        rows: dict[str, Row | None] = {user.user: self._rows.get(_key(user)) for user in users}
        missing = [user for user in users if rows[user.user] is None and user.adapter in AS_ROWS]
        stored = self._store.heads([user.user for user in missing])
        for user in missing:
            digest, head = stored.get(user.user, ("", None))
            row = unpack_row(head, self._prior, d) if head and digest == user.digest else None
            if row is None:
                row = row_of(user.adapter, unpack(self._state(user)), self._prior, d)
            if row is not None:
                rows[user.user] = row
                self._rows.put(_key(user), row, row.n_bytes)
        return [rows[user.user] for user in users]

    def _state(self, user: Active) -> bytes:
        """The state that the digest names; between two requests a user may be fitted again or deleted."""
        digest, state = self._store.states([user.user]).get(user.user, ("", b""))
        if digest != user.digest:
            raise Changed(f"user {user.user!r} was fitted again or deleted just now; ask again")
        return state


def needs_files(user: Active) -> bool:
    """Whether this user's adapter looks at the photo itself, and not at its vector."""
    return user.adapter in NETWORK


def _key(user: Active) -> str:
    return f"{user.adapter} {user.model_hash} {user.digest}"
