"""EAT as a generic model: pixels in, a unit score and an embedding out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from generic.eat.eat import EAT
from generic.errors import ShapeError
from generic.losses import expected_score


class EATScorer(nn.Module):
    """An EAT network between what a generic model is given and what it gives.

    Args:
        network: with one output, taken as the unit score, or with one for each bin.
        bins: score of each bin, rising from the low to the high end of the scale; empty for one output.
        softmax: outputs are logits; False takes them as shares as they stand, as the released EAT does,
            and a unit score may then leave [0, 1].

    Raises:
        ShapeError: the bins do not rise, or are not as many as the outputs.
    """

    def __init__(self, network: EAT, *, bins: Sequence[float] = (), softmax: bool = True) -> None:
        super().__init__()
        needed = network.num_classes if network.num_classes != 1 else 0
        if len(bins) != needed or list(bins) != sorted(set(bins)):
            raise ShapeError(
                f"an EAT with {network.num_classes} outputs needs {needed} rising bins, got {list(bins)}; "
                f"give the score of each output, or none for a single output"
            )
        self.network = network
        self.softmax = softmax
        # Real even where the network is laid out on the meta device, and no part of the weights.
        for name, values in (("mean", IMAGENET_DEFAULT_MEAN), ("std", IMAGENET_DEFAULT_STD), ("bins", bins)):
            self.register_buffer(
                name, torch.tensor(values, dtype=torch.float32, device="cpu"), persistent=False
            )
        self.mean: Tensor
        self.std: Tensor
        self.bins: Tensor

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score and embed photos.

        Args:
            x: shape (b, 3, size, size), RGB in [-1, 1].

        Returns:
            unit scores (b,): the expected score, 0 at the first bin and 1 at the last, or the single
            output; and the embedding (b, d): the mean over positions of the last, normalised map.
        """
        x = self._normalise(x)
        embedding = self.network.forward_head(self.network.forward_features(x), pre_logits=True)
        outputs: Tensor = self.network.head(embedding)
        if len(self.bins) == 0:
            return outputs[:, 0], embedding
        low, high = self.bins[0], self.bins[-1]
        return (expected_score(outputs, bins=self.bins, softmax=self.softmax) - low) / (high - low), embedding

    def raw(self, x: Tensor) -> Tensor:
        """The network's outputs (b, t) as they are, for the same photos: logits, shares or unit scores."""
        return cast("Tensor", self.network(self._normalise(x)))

    def _normalise(self, x: Tensor) -> Tensor:
        return ((x + 1) / 2 - self.mean[:, None, None]) / self.std[:, None, None]


def describe(options: Mapping[str, Any], *, bins: Sequence[float], softmax: bool) -> dict[str, Any]:
    """What a model file's header says of an EAT and its scorer, as JSON reads it again; for :func:`build`.

    Args:
        options: of the network, see :attr:`generic.eat.eat.EAT.options`.
        bins: see :class:`EATScorer`.
        softmax: see :class:`EATScorer`.
    """
    scorer = {"size": options["img_size"], "bins": list(bins), "softmax": softmax}
    described: dict[str, Any] = json.loads(json.dumps({"kind": "eat", **options, **scorer}))
    return described


def build(architecture: Mapping[str, Any], state: Mapping[str, NDArray[Any]]) -> EATScorer:
    """The scorer of a model file, in evaluation mode.

    Args:
        architecture: the header's; ``kind``, ``head`` and ``fit`` are not for the network, ``size`` is its
            ``img_size``, ``bins`` and ``softmax`` are the scorer's, all others EAT's options.
        state: EAT's tensors, in any float type.

    Raises:
        ShapeError: options that contradict each other.
        RuntimeError: tensors that do not fit.
        TypeError: an option that EAT does not have.
    """
    options = {key: value for key, value in architecture.items() if key not in ("kind", "head", "fit")}
    options["img_size"] = options.pop("size")
    bins, softmax = options.pop("bins"), options.pop("softmax")
    with torch.device("meta"):  # no random start that the file would overwrite
        network = EAT(**options)
    tensors = {key: torch.from_numpy(value.astype(np.float32)) for key, value in state.items()}
    network.load_state_dict(tensors, assign=True)
    scorer = EATScorer(network, bins=bins, softmax=softmax).eval().requires_grad_(requires_grad=False)
    return scorer.to(memory_format=torch.channels_last)
