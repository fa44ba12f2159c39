"""Any timm model as a generic model: pixels in, a unit score and an embedding out.

EAT has its own kind of model file (:mod:`generic.eat.scorer`); this one is for every other network: EAT
stages on a stem, PS-ViT, and the models that timm ships.

Notation: b images, d embedding size, t score bins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import generic.eat
import generic.residual_attention  # noqa: F401 - both register their presets with timm
from generic.errors import ShapeError
from generic.losses import expected_score


class TimmScorer(nn.Module):
    """A timm model between what a generic model is given and what it gives.

    Args:
        network: with one output, taken as the unit score, or with one for each bin.
        bins: score of each bin, rising from the low to the high end of the scale; empty for one output.
        softmax: outputs are logits; False takes them as shares as they stand.
        mean: of images in [0, 1], by channel, that the network is given.
        std: their deviation.

    Raises:
        ShapeError: the bins do not rise, or are not as many as the outputs.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        bins: Sequence[float],
        softmax: bool,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        outputs = cast("int", network.num_classes)
        needed = outputs if outputs != 1 else 0
        if len(bins) != needed or list(bins) != sorted(set(bins)):
            raise ShapeError(
                f"a network with {outputs} outputs needs {needed} rising bins, got {list(bins)}; give the "
                f"score of each output, or none for a single output"
            )
        self.network = network
        self.softmax = softmax
        for name, values in (("mean", mean), ("std", std), ("bins", bins)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)
        self.mean: Tensor
        self.std: Tensor
        self.bins: Tensor

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score and embed photos.

        Args:
            x: shape (b, 3, size, size), RGB in [-1, 1].

        Returns:
            unit scores (b,): the expected score, 0 at the first bin and 1 at the last, or the single
            output; and the embedding (b, d): what the network's last layer is given.
        """
        x = self._normalise(x)
        network = cast("Any", self.network)
        features = network.forward_features(x)
        # Twice through the head, which is cheap: not every head is its last layer after its pooling.
        embedding: Tensor = network.forward_head(features, pre_logits=True).flatten(1)
        outputs: Tensor = network.forward_head(features)
        if len(self.bins) == 0:
            return outputs[:, 0], embedding
        low, high = self.bins[0], self.bins[-1]
        return (expected_score(outputs, bins=self.bins, softmax=self.softmax) - low) / (high - low), embedding

    def raw(self, x: Tensor) -> Tensor:
        """The network's outputs (b, t) as they are, for the same photos: logits, shares or unit scores."""
        return cast("Tensor", self.network(self._normalise(x)))

    def _normalise(self, x: Tensor) -> Tensor:
        return ((x + 1) / 2 - self.mean[:, None, None]) / self.std[:, None, None]


def describe(
    name: str,
    options: Mapping[str, Any],
    *,
    size: int,
    outputs: int,
    bins: Sequence[float],
    softmax: bool,
    mean: Sequence[float],
    std: Sequence[float],
) -> dict[str, Any]:
    """What a model file's header says of a timm model and its scorer, as JSON reads it; for :func:`build`.

    Args:
        name: in timm's registry.
        options: keyword arguments that build it, without ``num_classes``.
        size: side of the input square, pixels.
        outputs: 1, or one for each bin.
        bins: see :class:`TimmScorer`.
        softmax: see :class:`TimmScorer`.
        mean: see :class:`TimmScorer`.
        std: see :class:`TimmScorer`.
    """
    scorer = {
        "outputs": outputs,
        "bins": list(bins),
        "softmax": softmax,
        "mean": list(mean),
        "std": list(std),
    }
    content = {"kind": "timm", "name": name, "options": dict(options), "size": size, **scorer}
    described: dict[str, Any] = json.loads(json.dumps(content))
    return described


def build(architecture: Mapping[str, Any], state: Mapping[str, NDArray[Any]]) -> TimmScorer:
    """The scorer of a model file, in evaluation mode.

    Raises:
        KeyError: an entry of :func:`describe` is missing.
        RuntimeError: an unknown name, or tensors that do not fit.
        TypeError: an option that the network does not have.
        ShapeError: options that contradict each other.
    """
    # Not on the meta device: timm's models have buffers that no file holds.
    with torch.random.fork_rng(devices=[]):
        network = timm.create_model(
            architecture["name"], num_classes=architecture["outputs"], **architecture["options"]
        )
    tensors = {key: torch.tensor(value) for key, value in state.items()}  # copies: a file's are read-only
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    scorer = TimmScorer(network, **{key: architecture[key] for key in ("bins", "softmax", "mean", "std")})
    return scorer.eval().requires_grad_(requires_grad=False).to(memory_format=torch.channels_last)
