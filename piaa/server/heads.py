"""Users' adapters ready to score: linear ones as rows of one matrix, others restored and remembered.

A row ``h`` of shape (2 + d,) gives the unbounded unit score ``h[0] + h[1:] @ x`` of a model vector x of
shape (1 + d,). Ten thousand users and one photo are then one product.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as unpack

from generic.errors import StoreError
from piaa.adapters import make_adapter
from piaa.adapters.base import Adapter, Array, Prediction, bend
from piaa.prior import Prior
from piaa.store_service import Active, ServiceStore

LINEAR = ("generic", "ridge", "bayes")
"""Adapters that are linear in the model vector."""


class Changed(StoreError):
    """A user changed while being scored."""


def head_of(adapter: str, state: Mapping[str, NDArray[Any]], prior: Prior | None, d: int) -> Array | None:
    """A fitted adapter as one row, or None if it is not linear in the model vector.

    Args:
        adapter: its name.
        state: what it learned.
        prior: of the model.
        d: length of the embedding.
    """
    row = np.zeros(2 + d)
    keys = set(state)
    if adapter == "generic" and keys == {"deviation"}:
        row[1] = 1.0
    elif adapter == "ridge" and keys == {"weights", "level", "deviation"}:
        row[0], row[1], row[2:] = state["level"].item(), 1.0, state["weights"]
    elif adapter == "bayes" and prior is not None and keys == {"mean", "covariance", "noise"}:
        mean = state["mean"]
        row[1] = mean[1] / prior.spread
        row[0] = mean[0] - row[1] * prior.center
        row[2 : 2 + prior.n_directions] = mean[2:]
    else:
        return None
    return row


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
        with self._lock:
            self._used += n_bytes - self._values.pop(key, (None, 0))[1]
            self._values[key] = (value, n_bytes)
            while self._used > self._limit and len(self._values) > 1:
                self._used -= self._values.popitem(last=False)[1][1]


class Heads:
    """Scores of many users, computed from what the store holds now.

    Args:
        store: where the adapters lie.
        prior: of the model.
        n_bytes: memory for rows and for restored adapters, each.
    """

    def __init__(self, store: ServiceStore, prior: Prior | None, n_bytes: int = 2**28) -> None:
        self._store, self._prior = store, prior
        self._rows, self._adapters = Recent(n_bytes), Recent(n_bytes)

    def unit_scores(self, users: Sequence[Active], features: NDArray[Any]) -> Array:
        """Unit scores of every user and photo, shape (u, n).

        Args:
            users: whose scores.
            features: model vectors, shape (n, 1 + d).
        """
        x = np.asarray(features, dtype=np.float64)
        rows = self._many_rows(users, x.shape[1] - 1)
        linear = {place: row for place, row in enumerate(rows) if row is not None}
        scores = np.empty((len(users), len(x)))
        if linear:
            matrix = np.stack(list(linear.values()))
            scores[list(linear)] = bend(matrix[:, :1] + matrix[:, 1:] @ x.T)
        for place in sorted(set(range(len(users))) - set(linear)):
            scores[place] = self.predict(users[place], features).score
        return scores

    def predict(self, user: Active, features: NDArray[Any]) -> Prediction:
        """One user's unit scores with intervals, by the adapter itself."""
        key = _key(user)
        adapter: Adapter | None = self._adapters.get(key)
        if adapter is None:
            state = self._state(user)
            adapter = make_adapter(user.adapter, self._prior).restore(unpack(state))
            self._adapters.put(key, adapter, len(state))
        return adapter.predict(features)

    def _many_rows(self, users: Sequence[Active], d: int) -> list[Array | None]:
        rows: dict[str, Array | None] = {user.user: self._rows.get(_key(user)) for user in users}
        missing = [user for user in users if rows[user.user] is None]
        stored = self._store.heads([user.user for user in missing])
        for user in missing:
            digest, head = stored.get(user.user, ("", None))
            current = head if digest == user.digest else None
            row = np.frombuffer(current, "<f8") if current else self._from_state(user, d)
            if row is not None and len(row) == 2 + d:
                rows[user.user] = row
                self._rows.put(_key(user), row, row.nbytes)
        return [rows[user.user] for user in users]

    def _from_state(self, user: Active, d: int) -> Array | None:
        if user.adapter not in LINEAR:
            return None
        return head_of(user.adapter, unpack(self._state(user)), self._prior, d)

    def _state(self, user: Active) -> bytes:
        """The state that the digest names; between two requests a user may be fitted again or deleted."""
        digest, state = self._store.states([user.user]).get(user.user, ("", b""))
        if digest != user.digest:
            raise Changed(f"user {user.user!r} was fitted again or deleted just now; ask again")
        return state


def _key(user: Active) -> str:
    return f"{user.adapter} {user.model_hash} {user.digest}"
