"""What every adapter is: it learns one person from k rated photos and predicts with an interval.

Adapters see model vectors, shape (n, 1 + d): column 0 is the generic unit score, the rest the
embedding. Fitting may use any library; predicting needs numpy alone, so that a stored person is
scored at once. What an adapter can do beyond fitting and predicting it declares itself, and whoever
wants to know asks it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from generic.errors import CheckpointError
from generic.photos.lazy_pixels import LazyPixels
from piaa.adapters.prediction import Array, State
from piaa.adapters.prediction import Prediction as Prediction

if TYPE_CHECKING:
    from generic.model.generic_model import GenericModel
    from piaa.adapters.compared import Compared
    from piaa.adapters.linear_form import LinearForm
    from piaa.adapters.prior import Prior
    from piaa.meta.start import Start

Input: TypeAlias = Any
"""What an adapter is given of n photos: model vectors, shape (n, 1 + d), or :class:`Photos`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Photos:
    """What an adapter that needs pixels is given of n photos."""

    vectors: NDArray[Any]
    """Model vectors, shape (n, 1 + d)."""
    pixels: LazyPixels | NDArray[np.uint8]
    """Shape (n, size, size, 3), RGB in [0, 255], decoded when rows of it are asked for."""

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, rows: NDArray[np.intp]) -> Photos:
        """Some of the photos."""
        lazy = isinstance(self.pixels, LazyPixels)
        pixels = self.pixels.take(rows) if lazy else self.pixels[rows]
        return Photos(vectors=self.vectors[rows], pixels=pixels)


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What an adapter may be made of."""

    prior: Prior | None
    """How people differ, if the model file says it."""
    start: Start | None = None
    """Of ``piaa meta-train``, for an adapter that needs one."""
    generic: GenericModel | None = None
    """The model itself, for an adapter that changes its network."""
    keep_epochs: bool = False
    """Whether a fit is to remember every epoch, for :meth:`Adapter.predict_epochs`."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What follows the name, for an adapter that takes options."""


class Adapter(ABC):
    """One way to learn a person, and what it can do.

    A new one needs a name and the four methods ``fit``, ``predict``, ``state`` and ``restore``. Refitting
    forgets, predicting changes nothing, no score depends on what else is scored, and ``restore`` takes over
    what ``state`` gave to the bit. The other methods are for those that declare the ability.

    Args:
        prior: the model's prior, if it has one.

    Raises:
        CheckpointError: it has none, and the adapter needs one.
    """

    name: ClassVar[str]
    """What it is called by people, in stores and in tables."""
    needs_pixels: ClassVar[bool] = False
    """``fit`` and ``predict`` are given :class:`Photos` and not model vectors."""
    needs_prior: ClassVar[bool] = False
    """It cannot be made for a model without a prior."""
    needs_start: ClassVar[bool] = False
    """It fits from a start of ``piaa meta-train``; without one it can be restored and predict."""
    fits_many: ClassVar[bool] = False
    """It has :meth:`fit_many`."""
    keeps_support: ClassVar[bool] = False
    """Its state holds what it was fitted on: it has :attr:`support`."""
    takes_comparisons: ClassVar[bool] = False
    """It has :meth:`fit_both` and :meth:`preferring`."""
    most_both: ClassVar[int] = 0
    """Most ratings and comparisons together that it takes."""
    has_linear_form: ClassVar[bool] = False
    """It has :meth:`linear_form`."""
    takes_options: ClassVar[bool] = False
    """Options may follow its name, see :func:`piaa.adapters.registry.make_adapter`."""
    learns_in_epochs: ClassVar[bool] = False
    """It has :meth:`predict_epochs`."""

    def __init__(self, prior: Prior | None = None) -> None:
        if self.needs_prior and prior is None:
            raise CheckpointError(
                f"adapter {self.name!r} needs a prior, but the model file has none; use --adapter auto, or "
                "learn one: piaa models learn-prior"
            )
        self._prior = prior

    @classmethod
    def make(cls, given: Ingredients) -> Self:
        """A new one; an adapter that is made of more than the prior takes it here.

        Raises:
            CheckpointError: what it needs is not there.
        """
        return cls(given.prior)

    @property
    def prior(self) -> Prior:
        """The prior of an adapter that needs one."""
        return cast("Prior", self._prior)

    @abstractmethod
    def fit(self, features: Input, unit_scores: NDArray[Any]) -> Self:
        """Learn from k photos; forgets earlier fits.

        Args:
            features: model vectors, shape (k, 1 + d), or :class:`Photos`.
            unit_scores: shape (k,), in [0, 1].

        Raises:
            TooFewRatings: k is 0.
            ShapeError: the arrays do not fit together.
        """

    @abstractmethod
    def predict(self, features: Input) -> Prediction:
        """Predict the person's unit scores; changes nothing.

        Args:
            features: model vectors, shape (n, 1 + d), or :class:`Photos`.

        Raises:
            NotFitted: ``fit`` was not called.
        """

    @abstractmethod
    def state(self) -> State:
        """What was learned, as named arrays."""

    @abstractmethod
    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """Take over what ``state`` gave."""

    @property
    def identity(self) -> str:
        """What tells runs of one adapter apart, such as the hash of its start; empty if nothing does."""
        return ""

    @property
    def trained_on(self) -> Mapping[str, Any]:
        """``dataset``, ``users`` and ``images_sha256`` of what it begins with, so that leaks are found."""
        return {}

    @property
    def n_bytes(self) -> int:
        """Memory that a person takes beside the generic model, in bytes."""
        return sum(np.asarray(value).nbytes for value in self.state().values())

    def at_once(self, k: int, width: int) -> int:
        """How many people are best fitted at once, each with k ratings on vectors of ``width`` numbers."""
        del k, width
        return 1

    def fit_many(self, features: Sequence[Input], unit_scores: Sequence[NDArray[Any]]) -> list[Self]:
        """Fit one adapter for each of several people at once; each equals its own :meth:`fit`.

        Args:
            features: of each person's support; k may differ.
            unit_scores: each person's unit scores, shapes (k,).

        Raises:
            TooFewRatings: a k is 0.
            ShapeError: arrays do not fit together.
        """
        raise NotImplementedError(self._lacks("fit_many"))

    def fit_both(self, features: NDArray[Any], unit_scores: NDArray[Any], compared: Compared) -> Self:
        """Learn from ratings and comparisons, in one posterior; forgets earlier fits.

        Args:
            features: model vectors of the rated photos, shape (k, 1 + d).
            unit_scores: shape (k,), in [0, 1]; k may be 0 if there are comparisons.
            compared: the comparisons; if there are none this is :meth:`fit`.

        Raises:
            TooFewRatings: there is nothing to learn from.
            ShapeError: the arrays do not fit together, or a number is not finite.
        """
        raise NotImplementedError(self._lacks("fit_both"))

    def preferring(self, one: NDArray[Any], other: NDArray[Any]) -> Array:
        """Probability that she prefers the one photo to the other if she has to choose; changes nothing.

        Args:
            one: model vectors, shape (n, 1 + d).
            other: of the photos that they are compared with, shape (n, 1 + d), or of a single one (1, 1 + d).

        Returns:
            shape (n,).

        Raises:
            NotFitted: ``fit`` was not called.
        """
        raise NotImplementedError(self._lacks("preferring"))

    @property
    def compared(self) -> Compared | None:
        """The comparisons that it was fitted on beside the ratings, if there were any."""
        return None

    @property
    def support(self) -> tuple[NDArray[Any], Array]:
        """Features (k, 1 + d) and unit scores (k,) that it was fitted on, in the order given."""
        raise NotImplementedError(self._lacks("support"))

    def linear_form(self) -> LinearForm:
        """What it learned in a form that scores many users at once; its scores are those of ``predict``.

        Raises:
            NotFitted: ``fit`` was not called.
        """
        raise NotImplementedError(self._lacks("linear_form"))

    def predict_epochs(self, features: Input) -> Sequence[Prediction]:
        """As :meth:`predict`, once for each epoch of the fit, from 0; for ``oracle_epoch`` alone."""
        raise NotImplementedError(self._lacks("predict_epochs"))

    def _lacks(self, method: str) -> str:
        return f"adapter {self.name!r} declares no {method}; ask before you call it"
