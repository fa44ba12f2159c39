"""The only file that knows learn2learn (Arnold et al., arXiv:2008.12284): clone a head and adapt it.

    MAML      Finn, Abbeel & Levine, ICML 2017: all layers adapt, at one rate.
    ANIL      Raghu et al., ICLR 2020: the last layer adapts, the body is meta-learned.
    Meta-SGD  Li et al., arXiv:1707.09835: all layers adapt, at rates learned for each weight.

Each in second order, which differentiates through the steps, or in first order, which does not.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from generic.errors import MissingPackage
from piaa.meta.config import Algorithm

if TYPE_CHECKING:
    from piaa.meta.head import Weights


class Head(nn.Module):
    """:mod:`piaa.meta.head` in torch.

    Args:
        inputs: 1 + d.
        units: hidden units u.
    """

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.body = nn.Linear(inputs, units)
        self.last = nn.Linear(units + 1, 1)

    def features(self, z: Tensor) -> Tensor:
        """Features of the last layer, shape (n, u + 1)."""
        return torch.cat([nn.functional.silu(self.body(z)), z[:, :1]], 1)

    def forward(self, z: Tensor) -> Tensor:
        """What is added to the generic score, shape (n,), of standardised vectors, shape (n, 1 + d)."""
        residual: Tensor = self.last(self.features(z))[:, 0]
        return residual


class Learner(nn.Module):
    """A head and how it adapts: all that meta-training changes.

    Args:
        algorithm: one of :data:`piaa.meta.config.ALGORITHMS`.
        head: its weights are the start.
        rate: step size; for Meta-SGD the one that all weights begin with.
        first_order: do not differentiate through the steps.
        caution: see :mod:`piaa.meta.head`.

    Raises:
        MissingPackage: learn2learn is not installed.
    """

    def __init__(
        self, algorithm: Algorithm, head: Head, *, rate: float, first_order: bool, caution: float
    ) -> None:
        super().__init__()
        algorithms = load_learn2learn().algorithms
        if algorithm == "meta-sgd":
            self.meta = algorithms.MetaSGD(head, lr=rate, first_order=first_order)
        else:
            # Both flags: without them learn2learn prints and goes on with an unbound variable when a
            # weight has no part in the loss, as at a ReLU that never fires, or must not move.
            flags: dict[str, bool] = {"allow_unused": True, "allow_nograd": True}
            moving = head.last if algorithm == "anil" else head
            self.meta = algorithms.MAML(moving, lr=rate, first_order=first_order, **flags)
        self.algorithm, self.rate, self.caution = algorithm, rate, caution
        self.head = head

    def adapt(self, z: Tensor, targets: Tensor, steps: int) -> Callable[[Tensor], Tensor]:
        """A person's head after some steps on her support; the start itself does not move.

        Args:
            z: standardised vectors, shape (k, 1 + d).
            targets: unit score minus generic score, shape (k,).
            steps: how many.

        Returns:
            from standardised vectors (n, 1 + d) to what is added to the generic score (n,). Gradients
            reach the start and the rates.
        """
        person = self.meta.clone()

        def predict(x: Tensor) -> Tensor:
            if self.algorithm != "anil":
                return torch.as_tensor(person(x))
            # Not from another clone: the body does not adapt, so it is the start's.
            return torch.as_tensor(person(self.head.features(x)))[:, 0]

        weight = len(targets) + self.caution
        for _ in range(steps):
            person.adapt(((predict(z) - targets) ** 2).sum() / weight)
        return predict

    def weights(self) -> Weights:
        """The start, as :mod:`piaa.meta.head` takes it."""
        return {key: value.detach().double().numpy().copy() for key, value in self.head.state_dict().items()}

    def rates(self) -> Weights:
        """The step size of each layer that moves."""
        names = [name for name, _ in self.head.named_parameters()]
        if self.algorithm == "meta-sgd":
            return {
                name: rate.detach().double().numpy().copy()
                for name, rate in zip(names, self.meta.lrs, strict=True)
            }
        moving = [name for name in names if self.algorithm == "maml" or name.startswith("last.")]
        return {name: torch.tensor(self.rate, dtype=torch.float64).numpy() for name in moving}


def load_learn2learn() -> ModuleType:
    """The package, without gym's notice that it is no longer kept up.

    Raises:
        MissingPackage: it is not installed, or does not import.
    """
    notice: Any = io.StringIO()
    try:
        with (
            contextlib.redirect_stderr(notice),
            contextlib.redirect_stdout(notice),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            import learn2learn
    except ImportError as error:
        raise MissingPackage(
            f"meta-training needs learn2learn, which cannot be imported ({error}); install it with "
            f"uv sync --extra meta, or see docs/meta-learning.md for pip"
        ) from error
    module: ModuleType = learn2learn
    return module
