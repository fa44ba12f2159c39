"""Adapters in linear form, so that many users' scores are a few products (:mod:`piaa.adapters.linear_forms`).

The unbounded unit score of a model vector x of shape (1 + d,) is

    coefficients[0] + coefficients[1:] . x + sum_i weights[i] exp(-|z(x) - places[i]|^2 / (2 width^2)),

with z of :func:`piaa.adapters.kernel.places`. The sum over the person's rated photos is a smooth function,
such as that of ``auto``; adapters that are linear in the model vector have none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from piaa.adapters.kernel import places, squared_distances
from piaa.adapters.prediction import Array
from piaa.adapters.prior import Prior

_VECTORS = b"v"
"""Ends a packed form with vectors; without them the length is a multiple of 8."""
_WIDTH = b"w"
"""Ends a packed form whose smooth function has a width of its own, which stands in the 8 bytes before."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearForm:
    """One person."""

    coefficients: Array
    """Shape (2 + d,)."""
    weights: Array = field(default_factory=lambda: np.zeros(0))
    """Of the smooth function, shape (k,); k is 0 if there is none."""
    places: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """Where the rated photos lie, shape (k, m)."""
    rated: NDArray[np.float32] | None = None
    """The rated photos' vectors, shape (k, 1 + d), without a richer part, from which the places come, if they
    are float32: half as large, they are packed in their stead."""
    width: float = 1.0
    """Of the smooth function, in units of the places."""

    def smooth(self, z: Array) -> Array:
        """The smooth function at places z (n, m), shape (n,)."""
        if not len(self.weights):
            return np.zeros(len(z))
        return np.asarray(np.exp(-squared_distances(z, self.places) / (2 * self.width**2)) @ self.weights)

    @property
    def n_bytes(self) -> int:
        """Memory, in bytes."""
        rated = 0 if self.rated is None else self.rated.nbytes
        return self.coefficients.nbytes + self.weights.nbytes + self.places.nbytes + rated

    def pack(self) -> bytes:
        """For the store; :meth:`unpack` is the inverse."""
        head = np.concatenate((self.coefficients, self.weights)).astype("<f8").tobytes()
        if self.rated is None:
            content = head + self.places.astype("<f8").tobytes()
        else:
            content = head + np.ascontiguousarray(self.rated, "<f4").tobytes() + _VECTORS
        return content if self.width == 1 else content + np.array(self.width, "<f8").tobytes() + _WIDTH

    @classmethod
    def unpack(cls, content: bytes, prior: Prior | None, d: int) -> LinearForm | None:
        """What :meth:`pack` gave, or None if it does not belong to this model.

        Args:
            content: the bytes.
            prior: of the model.
            d: length of the embedding.
        """
        if len(content) % 4 and content.endswith(_WIDTH):
            form = cls.unpack(content[:-9], prior, d)
            width = float(np.frombuffer(content[-9:-1], "<f8")[0])
            return form if form is None else replace(form, width=width)
        if len(content) % 4:
            return cls._of_vectors(content, prior, d)
        values, m = np.frombuffer(content, "<f8"), _width(prior, d)
        k, rest = divmod(len(values) - 2 - d, 1 + m)
        if k < 0 or rest:
            return None
        coefficients, weights, flat = np.split(values, [2 + d, 2 + d + k])
        return cls(coefficients=coefficients, weights=weights, places=flat.reshape(k, m))

    @classmethod
    def _of_vectors(cls, content: bytes, prior: Prior | None, d: int) -> LinearForm | None:
        numbers = content.removesuffix(_VECTORS)
        leading = 1 + d - (0 if prior is None or not prior.knows_richer(1 + d) else prior.n_richer)
        k, rest = divmod(len(numbers) - 8 * (2 + d), 8 + 4 * leading)
        if k < 0 or rest or numbers == content:
            return None
        coefficients, weights = np.split(np.frombuffer(numbers, "<f8", 2 + d + k), [2 + d])
        rated = np.frombuffer(numbers, "<f4", offset=8 * (2 + d + k)).reshape(k, leading)
        return cls(
            coefficients=coefficients,
            weights=weights,
            places=places(rated.astype(np.float64), prior),
            rated=rated,
        )


def _width(prior: Prior | None, d: int) -> int:
    return d if prior is None else prior.n_directions
