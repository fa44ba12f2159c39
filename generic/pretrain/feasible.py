"""Whether a training can be done at all, asked before a run's folder is begun."""

from __future__ import annotations

from torch import nn

from generic.errors import TrainingError
from generic.pretrain.batches import Plan
from generic.pretrain.config import Settings
from generic.pretrain.schedule import freeze, make_optimiser


def check_feasible(network: nn.Module, settings: Settings, n: int, *, n_processes: int) -> None:
    """Photos, settings and network fit each other; what is wrong leaves no folder that a cure would refuse.

    Args:
        network: to be trained; all of it is trainable afterwards.
        settings: how.
        n: photos to train on.
        n_processes: how many processes train.

    Raises:
        TrainingError: they do not.
    """
    Plan(n, settings, n_processes=n_processes)
    make_optimiser(network, settings)
    for _, share in settings.freeze:
        freeze(network, share)
    network.requires_grad_(True)
    if settings.grad_checkpointing:
        recompute_activations(network)


def recompute_activations(network: nn.Module) -> None:
    """Keep fewer activations for the backward pass and compute the others again.

    Raises:
        TrainingError: the network cannot do so.
    """
    switch = getattr(network, "set_grad_checkpointing", None)
    if switch is None:
        raise TrainingError(
            f"{type(network).__name__} cannot recompute its activations; set grad_checkpointing to false"
        )
    try:
        switch(enable=True)
    except AssertionError as error:  # timm's word for it
        raise TrainingError(
            f"{type(network).__name__} cannot recompute its activations ({error}); set grad_checkpointing to "
            f"false"
        ) from error
