"""How fast each layer learns: a function of the step alone, so that a resumed run needs no state of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from timm.models import group_parameters
from timm.optim._param_groups import param_groups_layer_decay, param_groups_weight_decay
from torch import nn

from generic.errors import TrainingError
from generic.pretrain.config import Settings

MOMENTUM = 0.9
"""Of stochastic gradient descent."""


def rate_factor(settings: Settings, step: int, steps_per_epoch: int) -> float:
    """What the highest rate is multiplied by at a step (counted from 0), in [0, 1].

    Example:
        >>> fixed = Settings(schedule="steps", step_epochs=5, step_factor=0.1, warmup=0)
        >>> [round(rate_factor(fixed, step, 10), 3) for step in (0, 49, 50, 100)]
        [1.0, 1.0, 0.1, 0.01]
    """
    total = settings.epochs * steps_per_epoch
    rise = settings.warmup * total
    if step < rise:
        return (step + 1) / (rise + 1)
    if settings.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(total - rise, 1)))
    if settings.schedule == "steps":
        return float(settings.step_factor ** (step // steps_per_epoch // settings.step_epochs))
    return 1.0


def make_optimiser(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """The optimiser with a group of parameters for each rate and decay; a group's ``scale`` is its share.

    Raises:
        TrainingError: layer-wise rates of a network that does not say which layers it has.
    """
    excepted = getattr(network, "no_weight_decay", None)
    names = excepted() if callable(excepted) else set()
    if settings.layer_decay == 1:
        groups = param_groups_weight_decay(network, settings.decay, no_weight_decay_list=names)
    else:
        _matcher(network, "layer-wise rates", "layer_decay to 1")
        groups = param_groups_layer_decay(
            network, settings.decay, no_weight_decay_list=names, layer_decay=settings.layer_decay
        )
    named = {id(parameter): name for name, parameter in network.named_parameters()}
    for group in groups:
        group["scale"] = group.pop("lr_scale", 1.0)
    if settings.stem_rate < 1:
        groups = [part for group in groups for part in _apart(group, head_of(network), settings.stem_rate)]
    for group in groups:
        # Timm gathers names in dictionaries; sorted, so that a state fits wherever it is read.
        group["params"] = sorted(group["params"], key=lambda p: named[id(p)])
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=settings.rate, momentum=MOMENTUM)
    kind = torch.optim.Adam if settings.optimiser == "adam" else torch.optim.AdamW
    return kind(groups, lr=settings.rate)


def head_of(network: nn.Module) -> set[int]:
    """Identities of the last layer's parameters; of both, where a network has two (distilled ones)."""
    found = cast("Any", network).get_classifier()
    layers = found if isinstance(found, tuple) else (found,)
    return {id(parameter) for layer in layers for parameter in layer.parameters()}


def _apart(group: dict[str, Any], head: set[int], stem_rate: float) -> list[dict[str, Any]]:
    """A group of parameters as up to two: what is before the head, at its own rate, and the head."""
    before = [parameter for parameter in group["params"] if id(parameter) not in head]
    last = [parameter for parameter in group["params"] if id(parameter) in head]
    parts = ((before, group["scale"] * stem_rate), (last, group["scale"]))
    return [{**group, "params": params, "scale": scale} for params, scale in parts if params]


def set_rate(optimiser: Any, rate: float) -> None:  # noqa: ANN401 - accelerate wraps it
    """Every group's learning rate is its share of ``rate`` from now on."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["scale"]


def mean_decay(limit: float, updates: int) -> float:
    """Decay of the running mean of weights at its next update.

    A fixed decay near 1 would leave a short run with little but its start: 0.9998 keeps 94 % of it for 300
    steps. So the mean begins over few steps and grows with the run, up to the limit.

    Args:
        limit: in [0, 1).
        updates: that were made before.

    Example:
        >>> [round(mean_decay(0.999, n), 3) for n in (0, 90, 9000)]
        [0.1, 0.91, 0.999]
    """
    return min(limit, (1 + updates) / (10 + updates))


def frozen_share(settings: Settings, epoch: int) -> float:
    """Share of the layers that is not trained in an epoch (counted from 0).

    Example:
        >>> [frozen_share(Settings(freeze=((0, 1.0), (2, 0.5))), epoch) for epoch in (0, 1, 2, 9)]
        [1.0, 1.0, 0.5, 0.5]
    """
    return next((share for start, share in reversed(settings.freeze) if epoch >= start), 0.0)


def freeze(network: nn.Module, share: float) -> None:
    """Leave the first layers, a share of all, as they are: no gradient, and no statistics of batches.

    The last layer is always trained. The layers are those of timm's ``group_matcher``; where a network has
    none, only shares 0 and 1 are possible.

    Args:
        network: in training mode.
        share: in [0, 1].

    Raises:
        TrainingError: a share in between, of a network that does not say which layers it has.
    """
    network.requires_grad_(True)
    if share == 0:
        return
    head = head_of(network)
    still = _first_layers(network, share)
    for name, parameter in network.named_parameters():
        if (still is None or name in still) and id(parameter) not in head:
            parameter.requires_grad_(False)
    for module in network.modules():
        own = list(module.parameters())
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()


def _first_layers(network: nn.Module, share: float) -> set[str] | None:
    """Names of parameters in the first layers; None for all layers."""
    if share == 1:
        return None
    matcher = _matcher(network, "a partly frozen network", "the shares of freeze to 0 or 1")
    layers = group_parameters(network, matcher(coarse=False))
    n = round(share * len(layers))
    return {name for layer in sorted(layers)[:n] for name in layers[layer]}


def _matcher(network: nn.Module, what: str, cure: str) -> Callable[..., Any]:
    matcher = getattr(network, "group_matcher", None)
    if matcher is None:
        raise TrainingError(
            f"{type(network).__name__} does not say which layers it has, which {what} would need; set {cure}"
        )
    return cast("Callable[..., Any]", matcher)
