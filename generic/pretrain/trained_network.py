"""The network that is trained, and what a model file says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn

import generic.eat
import generic.residual_attention  # noqa: F401 - both register their presets with timm
from generic.eat import scorer as eat_scorer
from generic.eat.eat import EAT
from generic.eat.stems import REFUSALS
from generic.errors import CheckpointError, TrainingError
from generic.model import timm_scorer
from generic.photos.open import Fit
from generic.pretrain.config import NetworkSpec
from generic.pretrain.refusals import refusal
from generic.pretrain.schedule import head_of
from generic.seeds import stream


@dataclass(frozen=True, kw_only=True)
class Trainee:
    """A network with what it needs to know of images and of its outputs."""

    network: nn.Module
    """From normalised images (b, 3, size, size) to raw outputs (b, t), or (b, 1) for scores."""
    name: str
    """In timm's registry."""
    options: dict[str, Any]
    """Keyword arguments that build it, without outputs and weights."""
    size: int
    """Side of the input square in pixels."""
    bins: tuple[float, ...]
    """Score of each output, rising; empty for one output."""
    softmax: bool
    """Outputs are logits."""
    mean: tuple[float, ...]
    """Of images in [0, 1], by channel."""
    std: tuple[float, ...]
    """Their deviation."""
    extra: int = 0
    """Outputs beside those of the score, which a model file leaves out: what a teacher's embedding is."""

    @property
    def outputs(self) -> int:
        """How many numbers the network gives."""
        return (len(self.bins) or 1) + self.extra

    def head_names(self) -> set[str]:
        """The last layer's parameters."""
        last = head_of(self.network)
        return {name for name, parameter in self.network.named_parameters() if id(parameter) in last}

    def state(self, network: nn.Module) -> dict[str, Tensor]:
        """What a model file holds of the network or its running mean: without the extra outputs."""
        state = dict(network.state_dict())
        if self.extra:
            state |= {name: state[name][: self.outputs - self.extra] for name in self.head_names()}
        return state

    def normalise(self, pixels: Tensor) -> Tensor:
        """Images as the network takes them, (b, 3, h, w), of pixels (b, h, w, 3) in [0, 255]."""
        x = pixels.permute(0, 3, 1, 2).float()
        # The very arithmetic of scoring, so that a written file gives the scores that were validated.
        x = (x.div_(127.5).sub_(1.0) + 1) / 2
        mean, std = (torch.tensor(v, device=x.device)[:, None, None] for v in (self.mean, self.std))
        return (x - mean) / std

    def architecture(self, fit: Fit) -> dict[str, Any]:
        """For a model file's header; :func:`generic.model.networks.build` reads it."""
        if isinstance(self.network, EAT):
            options = self.network.options | {"num_classes": self.outputs - self.extra}
            described = eat_scorer.describe(options, bins=self.bins, softmax=self.softmax)
        else:
            described = timm_scorer.describe(
                self.name,
                self.options,
                size=self.size,
                outputs=self.outputs - self.extra,
                bins=self.bins,
                softmax=self.softmax,
                mean=self.mean,
                std=self.std,
            )
        return described if fit == "squash" else described | {"fit": fit}


def build_network(
    spec: NetworkSpec,
    *,
    bins: Sequence[float] = (),
    softmax: bool = True,
    extra: int = 0,
    seed: int = 0,
    hub: bool = False,
) -> Trainee:
    """A network with a random start that depends on its name and the seed alone.

    Args:
        spec: which network.
        bins: score of each output, rising; empty: one output, a unit score.
        softmax: outputs are logits.
        extra: outputs beside the score, see :class:`Trainee`.
        seed: of the random start.
        hub: begin with the weights that timm's hub publishes for it (for ``eat_lite``: for its stem).

    Raises:
        TrainingError: the network cannot be built so.
        CheckpointError: the hub has no weights of it, or cannot be reached.
        ShapeError: options of EAT that contradict each other.
    """
    if not timm.is_model(spec.name):
        raise TrainingError(f"timm knows no model {spec.name!r}; timm.list_models() lists all")
    options = dict(spec.options)
    if hub:
        options["pretrained_stem" if spec.name == "eat_lite" else "pretrained"] = True
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(seed, "pretrain", "start", spec.name).integers(2**31)))
        network, sized = _create(spec, (len(bins) or 1) + extra, options, hub=hub)
        _start_head(network, scores=not bins)
    cfg = cast("dict[str, Any]", network.pretrained_cfg)
    kept = dict(spec.options)
    if spec.name == "eat_lite":
        kept = {k: v for k, v in cast("Any", network).options.items() if k not in ("num_classes", "img_size")}
    side = spec.size or int(cfg["input_size"][1])
    if isinstance(network, EAT):
        side = network.config.img_size
    elif sized or spec.name == "eat_lite":
        kept["img_size"] = side
    return Trainee(
        network=network,
        name=spec.name,
        options=kept,
        size=side,
        bins=tuple(bins),
        softmax=softmax,
        mean=tuple(cfg["mean"]),
        std=tuple(cfg["std"]),
        extra=extra,
    )


def _start_head(network: nn.Module, *, scores: bool) -> None:
    """Let a fresh head begin near the middle of the scale.

    Some networks' own start is meant for 1000 classes; a single output would begin ten scales away.
    """
    found = cast("Any", network).get_classifier()
    for head in found if isinstance(found, tuple) else (found,):
        if isinstance(head, nn.Linear):
            nn.init.normal_(head.weight, std=0.01)
            if head.bias is not None:
                nn.init.zeros_(head.bias)
                if scores:
                    nn.init.constant_(head.bias[:1], 0.5)


def _create(spec: NetworkSpec, outputs: int, options: dict[str, Any], *, hub: bool) -> tuple[nn.Module, bool]:
    """The network, and whether it was told its image size."""
    sizes: list[dict[str, Any]] = [{}] if spec.size is None else [{"img_size": spec.size}, {}]
    refused: Exception = TypeError()
    for sized in sizes:
        try:
            return timm.create_model(spec.name, num_classes=outputs, **sized, **options), bool(sized)
        except TypeError as error:  # Most networks without position tables refuse to be given a size.
            refused = error
        except (*REFUSALS, OSError) as error:
            if isinstance(error, CheckpointError):
                raise
            if hub:
                raise CheckpointError(
                    f"timm's hub gave no weights of {spec.name!r} ({shorten(str(error), 200)}); without a "
                    f"way to it, fetch the file elsewhere and give it as --start FILE, or leave --start out"
                ) from error
            raise refusal(spec.name, error) from error
    raise refusal(spec.name, refused) from refused
