"""Adapters as rows of numbers, so that many users' scores are a few matrix products.

The unbounded unit score of a model vector x of shape (1 + d,) is

    line[0] + line[1:] . x + sum_i weights[i] exp(-|z(x) - places[i]|^2 / 2),

with z of :func:`piaa.adapters.kernel.places`. The sum over the person's rated photos is ``auto``'s smooth
function; adapters that are linear in the model vector have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.base import Array, bend
from piaa.adapters.kernel import places
from piaa.adapters.prior import Prior
from piaa.adapters.state_format import VERSION, check_format
from piaa.adapters.vectors import FEATURES, SCORES

AS_ROWS = ("generic", "bias", "ridge", "bayes", "auto")
"""Adapters that have this form."""
_AT_ONCE = 2**22
"""Kernel values in memory at once: 32 MiB."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One person."""

    line: Array
    """Shape (2 + d,)."""
    weights: Array
    """Of the smooth function, shape (k,); k is 0 if there is none."""
    places: Array
    """Where the rated photos lie, shape (k, m)."""

    @property
    def n_bytes(self) -> int:
        """Memory, in bytes."""
        return self.line.nbytes + self.weights.nbytes + self.places.nbytes

    def pack(self) -> bytes:
        """For the store; :func:`unpack_row` is the inverse."""
        parts = (self.line, self.weights, self.places.ravel())
        return np.concatenate(parts).astype("<f8").tobytes()


def unpack_row(content: bytes, prior: Prior | None, d: int) -> Row | None:
    """A row that :meth:`Row.pack` gave, or None if it does not belong to this model.

    Args:
        content: the bytes.
        prior: of the model.
        d: length of the embedding.
    """
    values, m = np.frombuffer(content, "<f8"), _width(prior, d)
    k, rest = divmod(len(values) - 2 - d, 1 + m)
    if k < 0 or rest:
        return None
    line, weights, flat = np.split(values, [2 + d, 2 + d + k])
    return Row(line=line, weights=weights, places=flat.reshape(k, m))


def row_of(adapter: str, state: Mapping[str, NDArray[Any]], prior: Prior | None, d: int) -> Row | None:
    """A fitted adapter as a row, or None if it has not this form.

    Args:
        adapter: its name.
        state: what it learned.
        prior: of the model.
        d: length of the embedding.

    Raises:
        StoreError: an older or a newer piaa saved the state.
    """
    if adapter not in AS_ROWS:
        return None
    check_format(state, adapter)
    learned = {key: value for key, value in state.items() if key not in (FEATURES, SCORES, VERSION)}
    line, weights, z = np.zeros(2 + d), np.zeros(0), np.zeros((0, _width(prior, d)))
    if adapter == "generic":
        line[1] = 1.0
    elif adapter == "ridge":
        line[0], line[1], line[2:] = learned["level"].item(), 1.0, learned["weights"]
    else:
        z = learned.get("rated", z)
        mean = learned["mean"]
        tastes, weights = np.split(mean[2:], [len(mean) - 2 - len(z)])
        center, spread = (0.5, 1.0) if prior is None else (prior.center, prior.spread)
        line[1] = mean[1] / spread
        line[0] = mean[0] - line[1] * center
        line[2 : 2 + len(tastes)] = tastes
    return Row(line=line, weights=weights, places=z)


def unit_scores(rows: Sequence[Row], features: NDArray[Any], prior: Prior | None) -> Array:
    """Unit scores of u people and n photos, shape (u, n).

    Args:
        rows: the people.
        features: model vectors, shape (n, 1 + d).
        prior: of the model.
    """
    x = np.asarray(features, dtype=np.float64)
    lines = np.stack([row.line for row in rows])
    means = lines[:, :1] + lines[:, 1:] @ x.T
    smooth = [place for place, row in enumerate(rows) if len(row.weights)]
    if smooth:
        z = places(x, prior)
        for some in _parts(rows, smooth, len(x)):
            means[some] += _smooth([rows[place] for place in some], z)
    return bend(means)


def _parts(rows: Sequence[Row], chosen: Sequence[int], n: int) -> list[list[int]]:
    """The chosen places in lists, each with a bounded number of kernel values."""
    parts: list[list[int]] = [[]]
    used = 0
    for place in chosen:
        size = n * len(rows[place].weights)
        if parts[-1] and used + size > _AT_ONCE:
            parts.append([])
            used = 0
        parts[-1].append(place)
        used += size
    return parts


def _smooth(rows: Sequence[Row], z: Array) -> Array:
    """The smooth functions of people who have one at places z, shape (u, n)."""
    rated = np.concatenate([row.places for row in rows])
    weights = np.concatenate([row.weights for row in rows])
    lengths = np.einsum("km,km->k", rated, rated)[:, None] + np.einsum("nm,nm->n", z, z)
    kernel = np.exp(-np.maximum(lengths - 2 * rated @ z.T, 0.0) / 2) * weights[:, None]
    starts = np.cumsum([0, *(len(row.weights) for row in rows[:-1])])
    return np.asarray(np.add.reduceat(kernel, starts, axis=0))


def _width(prior: Prior | None, d: int) -> int:
    return d if prior is None else prior.n_directions
