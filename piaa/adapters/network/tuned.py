"""What ``lora`` and ``finetune`` share: they change the network itself, and are given photos."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from generic.engine.torch_engine import TorchEngine
from generic.errors import CheckpointError
from generic.model.generic_model import GenericModel
from piaa.adapters.base import Adapter, Ingredients, Photos
from piaa.adapters.checks import check_support, fitted
from piaa.adapters.network.options import TuneOptions
from piaa.adapters.prediction import Array, Prediction, State
from piaa.adapters.prior import Prior
from piaa.adapters.state_format import FORMAT, VERSION, check_format

if TYPE_CHECKING:
    from torch import Tensor, nn

    from piaa.adapters.network.tune import TuneConfig

_ONE_AT_A_TIME = threading.Lock()
"""Torch uses all cores by itself; and starting weights are drawn from its one global stream, seeded here."""
_CHANGE = "change."
_NUMBERS = ("level", "deviation")
_WEIGHT = "weight"
"""Of the tuned network beside the generic one. A state without it is of a release where it counts alone."""
_OWN = 10.0
"""Ratings that the population's error counts as much as."""


class TunedNetwork(Adapter):
    """A personal copy of a generic network.

    A person's score is the copy's score plus a level. At no epoch the copy is the generic network, and the
    score needs no photo but its vector.

    Args:
        generic: the model that persons are fitted on.
        prior: gives the spread of ratings around the generic score.
        keep_epochs: remember the network after each epoch of :meth:`fit`, for :meth:`predict_epochs`.
        options: rate, epochs, gate and part.
    """

    needs_pixels: ClassVar[bool] = True
    takes_options: ClassVar[bool] = True
    learns_in_epochs: ClassVar[bool] = True

    def __init__(
        self,
        generic: GenericModel | None = None,
        prior: Prior | None = None,
        *,
        keep_epochs: bool = False,
        options: TuneOptions = TuneOptions(),  # noqa: B008 - it is frozen
    ) -> None:
        super().__init__(prior)
        if generic is None:
            raise CheckpointError(f"adapter {self.name!r} needs a generic model, whose network it changes")
        generic.check_plain("adapters that change the network")
        self._generic, self._keep_epochs = generic, keep_epochs
        self._options = options
        self._spread = prior.residual if prior else 0.25
        self._state: State | None = None
        self._network: nn.Module | None = None
        self._epochs: list[dict[str, NDArray[Any]]] = []

    @classmethod
    def make(cls, given: Ingredients) -> Self:
        """See :class:`piaa.adapters.base.Adapter`."""
        options = TuneOptions.of(cls.name, given.options)
        return cls(given.generic, given.prior, keep_epochs=given.keep_epochs, options=options)

    # ---- what differs ----

    @abstractmethod
    def usual(self) -> TuneConfig:
        """How to train unless options say otherwise."""

    def settings(self) -> TuneConfig:
        """How to train."""
        usual, asked = self.usual(), self._options
        return replace(
            usual, rate=asked.rate or usual.rate, epochs=asked.epochs or usual.epochs, gate=asked.gate
        )

    @abstractmethod
    def copy(
        self, network: nn.Module, names: Collection[str] | None = None
    ) -> tuple[nn.Module, dict[str, nn.Parameter]]:
        """A personal copy, and what is trained in it by name; equal to the network at first.

        Args:
            network: what is copied.
            names: what was trained, of a person who is restored; None: what the options say.
        """

    def part_of(self, network: nn.Module, every: Iterable[str], names: Collection[str] | None) -> list[str]:
        """Which parameters are trained, of all that could be; ``names`` as :meth:`copy` has them."""
        from piaa.adapters.network.copies import in_closed_form, last_layers

        whole = list(every)
        last = last_layers(whole)
        own = {
            part: [name for name in parameters if not in_closed_form(network, name)]
            for part, parameters in (("whole", whole), ("last", last))
        }
        if names is None:
            return own[self._options.part]
        # Releases before trained what was worked out in closed form, too: people whom they fitted go on.
        return next((part for part in (*own.values(), last, whole) if set(part) == set(names)), own["whole"])

    @abstractmethod
    def change(self, now: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
        """What is stored of the trained parameters, in half precision."""

    @abstractmethod
    def apply(
        self,
        change: Mapping[str, NDArray[Any]],
        trained: Mapping[str, nn.Parameter],
        start: Mapping[str, Tensor],
    ) -> None:
        """Put what :meth:`change` gave into a copy."""

    # ---- the adapter ----

    def fit(self, features: Photos, unit_scores: NDArray[Any]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`; up to 5 ratings teach the level alone."""
        from piaa.adapters.network.tune import level_of

        x, y = check_support(features.vectors, unit_scores)
        order = np.lexsort((*x.T[::-1], y))  # one order of training, whatever the order of the ratings
        photos, x, y = features.take(order), x[order], y[order]
        generic, k = x[:, 0], len(y)
        level = level_of(y - generic)
        change, weight, errors = self._tune(photos, y, generic, level)
        spread = np.sqrt((_OWN * self._spread**2 + np.sum(errors**2)) / (_OWN + k))
        self._use(
            {_CHANGE + key: value for key, value in change.items()}
            | {
                "level": np.array(level),
                "deviation": np.array(spread),
                **({_WEIGHT: np.array(weight)} if change else {}),
            }
        )
        return self

    def _tune(
        self, photos: Photos, scores: Array, generic: Array, level: float
    ) -> tuple[dict[str, NDArray[Any]], float, Array]:
        """What to store of the training, its weight, and errors of ratings that were held out, shape (k,)."""
        from piaa.adapters.network.copies import reader
        from piaa.adapters.network.tune import MIN_RATINGS, cross_validate, level_errors, train

        self._epochs = [{}]
        if len(scores) < MIN_RATINGS:
            return {}, 0.0, level_errors(scores - generic)
        with _ONE_AT_A_TIME:
            settings, (network, trained) = self.settings(), self.copy(self._generic.network)
            start = {key: value.detach().clone() for key, value in trained.items()}
            read = reader(network, self._generic.network, photos, trained)
            found = cross_validate(trained, start, read, scores, generic, settings)
            snapshots: list[dict[str, NDArray[Any]]] = [{}]
            train(
                trained,
                start,
                read,
                np.arange(len(scores)),
                scores - level,
                settings,
                epochs=settings.epochs if self._keep_epochs else found.epochs,
                name="all",
                after=lambda _: snapshots.append(self.change(trained, start)),
            )
        if self._keep_epochs:
            self._epochs = snapshots
        return snapshots[found.epochs], found.weight, found.errors

    def predict(self, features: Photos) -> Prediction:
        """See :class:`piaa.adapters.base.Adapter`."""
        state = fitted(self._state, self.name)
        mean = self._scores(self._network, features) + state["level"]
        return Prediction.from_normal(mean, np.full_like(mean, state["deviation"]))

    def predict_epochs(self, features: Photos, wanted: Sequence[int] | None = None) -> Sequence[Prediction]:
        """See :class:`piaa.adapters.base.Adapter`: after each epoch of training on the whole support.

        With few ratings nothing is trained, and there is one prediction.

        Args:
            features: of the photos.
            wanted: numbers of epochs, from 0; of all without it.
        """
        state, found = fitted(self._state, self.name), []
        for epoch in range(len(self._epochs)) if wanted is None else wanted:
            mean = self._epoch_scores(self._epochs[epoch], features) + state["level"]
            found.append(Prediction.from_normal(mean, np.full_like(mean, state["deviation"])))
        return found

    def _scores(self, network: nn.Module | None, photos: Photos) -> Array:
        """Unit scores, shape (n,): those of the vectors, and by its weight the network's if there is one."""
        generic = np.asarray(photos.vectors[:, 0], dtype=np.float64)
        if network is None:
            return generic
        engine = TorchEngine(network)
        tuned = [engine.vector(photos.pixels[np.array([row])][0])[0] for row in range(len(photos))]
        return self._weighed(generic, tuned)

    def _epoch_scores(self, change: Mapping[str, NDArray[Any]], photos: Photos) -> Array:
        """As :meth:`_scores` after an epoch. A stem that stayed as it was is asked once for all epochs."""
        generic = np.asarray(photos.vectors[:, 0], dtype=np.float64)
        network = self._personal(change)
        if network is None:
            return generic
        import torch

        from piaa.adapters.network.copies import reader

        with _ONE_AT_A_TIME, torch.no_grad():
            read = reader(network, self._generic.network, photos, change)
            tuned = [float(read(torch.tensor([row]))) for row in range(len(photos))]
        return self._weighed(generic, tuned)

    def _weighed(self, generic: Array, tuned: Sequence[float]) -> Array:
        weight = float(np.ravel(fitted(self._state, self.name).get(_WEIGHT, 1.0))[0])  # a file's: (1,)
        return (1 - weight) * generic + weight * np.array(tuned, dtype=np.float64)

    def _personal(self, change: Mapping[str, NDArray[Any]]) -> nn.Module | None:
        """The network with a change in it; None if there is none."""
        if not change:
            return None
        with _ONE_AT_A_TIME:
            network, trained = self.copy(self._generic.network, tuple(change))
            start = {key: value.detach().clone() for key, value in trained.items()}
            self.apply(change, trained, start)
        return network.requires_grad_(requires_grad=False)

    def _use(self, state: State) -> None:
        """Take over a state; what was just fitted predicts from what will be stored, to the bit."""
        change = {key.removeprefix(_CHANGE): value for key, value in state.items() if key.startswith(_CHANGE)}
        self._network, self._state = self._personal(change), state

    def state(self) -> State:
        """See :class:`piaa.adapters.base.Adapter`."""
        return {**fitted(self._state, self.name), VERSION: np.array(FORMAT)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """See :class:`piaa.adapters.base.Adapter`.

        Raises:
            StoreError: an older or a newer piaa saved it.
            CheckpointError: its tensors do not fit the network.
        """
        check_format(state, self.name)
        own = {key for key in state if not key.startswith(_CHANGE)} - {_WEIGHT}
        if own != {*_NUMBERS, VERSION}:
            raise CheckpointError(
                f"a stored person of adapter {self.name!r} has {sorted(own)} beside the network's change, "
                f"expected {sorted((*_NUMBERS, VERSION))}; fit the person again"
            )
        self._use({key: value for key, value in state.items() if key != VERSION})
        return self

    @property
    def n_bytes(self) -> int:
        """The state, and parameters that are not shared with the generic model."""
        own = sum(value.nbytes for value in (self._state or {}).values())
        if self._network is None:
            return own
        shared = {parameter.data_ptr() for parameter in self._generic.network.parameters()}
        return own + sum(
            parameter.numel() * parameter.element_size()
            for parameter in self._network.parameters()
            if parameter.data_ptr() not in shared
        )
