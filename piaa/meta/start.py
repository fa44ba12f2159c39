"""A meta-learned start in a file: safetensors with the header of a model file, bound to its generic model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import CheckpointError, ModelMismatch
from generic.model.checkpoint import Header, load_checkpoint, save_checkpoint
from piaa.meta.config import Algorithm
from piaa.meta.head import BODY, LAST, Array, Standard, Weights

KIND = "meta-start"
_WEIGHTS, _RATES, _CHOICES = "weights.", "rates.", "choices."


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What held-out training users say is best for k ratings; each array of shape (number of k,)."""

    k: Array
    """Numbers of ratings, rising."""
    steps: Array
    """Gradient steps."""
    caution: Array
    """See :mod:`piaa.meta.head`."""
    query: Array
    """Mean squared error of held-out users' new photos, unit scores squared."""
    support: Array
    """Mean squared error of the ratings that they were fitted on."""

    def nearest(self, k: int) -> int:
        """The entry for a support of k: the nearest in ratio."""
        return int(np.abs(np.log(self.k) - np.log(k)).argmin())


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where every person begins, and how far she goes."""

    algorithm: Algorithm
    model_hash: str
    """Of the generic model whose vectors it takes."""
    weights: Weights
    rates: Weights
    """Step sizes of the layers that move."""
    standard: Standard
    choices: Choices
    training: Mapping[str, Any] = field(default_factory=dict)
    """Dataset, users, SHA-256 of photos, settings, course of the training."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Measured on held-out training users."""
    hash: str = ""
    """SHA-256 of the file's content; empty before it is saved."""

    def save(self, path: Path) -> Start:
        """Write the file, whole or not at all.

        Returns:
            the same with its hash.

        Raises:
            OutputError: it cannot be written.
        """
        tensors: dict[str, NDArray[Any]] = {_WEIGHTS + key: value for key, value in self.weights.items()}
        tensors |= {_RATES + key: value for key, value in self.rates.items()}
        tensors |= {_CHOICES + key: value for key, value in vars(self.choices).items()}
        tensors |= {"mean": self.standard.mean, "deviation": self.standard.deviation}
        header = Header(
            name=self.algorithm,
            architecture={"kind": KIND, "algorithm": self.algorithm, "model_hash": self.model_hash},
            scale=(0.0, 1.0),
            training=dict(self.training),
            figures=dict(self.figures),
        )
        return Start(**{**vars(self), "hash": save_checkpoint(path, header, tensors).hash})

    @classmethod
    def load(cls, path: Path) -> Start:
        """Read what :meth:`save` wrote.

        Raises:
            CheckpointError: the file is missing, damaged or something else.
        """
        if not path.is_file():
            raise CheckpointError(f"there is no meta-learned start {path}; make it with `piaa meta-train`")
        try:
            header, tensors = load_checkpoint(path)
        except CheckpointError as error:
            raise CheckpointError(
                f"meta-learned start {path} is damaged or something else; run `piaa meta-train` again"
            ) from error
        kind = header.architecture.get("kind")
        if kind != KIND:
            raise CheckpointError(
                f"{path} is no meta-learned start: it holds a network of kind {kind!r}; "
                f"name a file that `piaa meta-train` wrote"
            )
        try:
            return cls(
                algorithm=header.architecture["algorithm"],
                model_hash=header.architecture["model_hash"],
                weights={key: tensors[_WEIGHTS + key] for key in (*BODY, *LAST)},
                rates=_under(tensors, _RATES),
                standard=Standard(mean=tensors["mean"], deviation=tensors["deviation"]),
                choices=Choices(**_under(tensors, _CHOICES)),
                training=header.training,
                figures=header.figures,
                hash=header.hash,
            )
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"meta-learned start {path} cannot be understood ({error!r}); run `piaa meta-train` again"
            ) from error

    def check(self, algorithm: str, model_name: str, model_hash: str, path: Path) -> None:
        """It is of this adapter, and of this generic model.

        Raises:
            CheckpointError: it is of another adapter.
            ModelMismatch: it was trained on another model's vectors.
        """
        if self.algorithm != algorithm:
            raise CheckpointError(
                f"{path} is a start for adapter {self.algorithm!r}, not for {algorithm!r}; "
                f"use --adapter {self.algorithm}, or run `piaa meta-train --algorithm {algorithm}`"
            )
        if self.model_hash != model_hash:
            raise ModelMismatch(
                f"start {path} was meta-trained on model {self.model_hash[:8]}, but the loaded model is "
                f"{model_name} {model_hash[:8]}; pass the other with --model, or meta-train on this one"
            )


def _under(tensors: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
