"""Personal copies of a generic network, which share with it what does not change."""

from __future__ import annotations

import copy
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from generic.engine.torch_engine import as_input
from generic.errors import CheckpointError
from piaa.adapters.base import Photos

STEM = "stem"
"""Child of a network that its ``forward`` hands the photos to as they come, and nobody else; where there
is one, it can stay frozen, and what it says of a photo is computed once. ``piaa-lite`` has one."""

CLOSED_FORM = "closed_form"
"""Attribute of a network: names of children whose weights were worked out in closed form, not learned by
steps. Nobody's steps change them: those that suit filters spoil them (docs/meta-learning.md)."""

LAST = 0.25
"""Share of the layers that are the last ones."""
MEMORY = 256 << 20
"""Bytes of a frozen stem's maps to remember, for each network."""
_SAID: WeakKeyDictionary[nn.Module, OrderedDict[bytes, tuple[Tensor, ...]]] = WeakKeyDictionary()

Read = Callable[[Tensor], Tensor]
"""From row numbers (b,) to unit scores (b,)."""


def personal_copy(network: nn.Module, own: Iterable[str]) -> nn.Module:
    """A copy whose parameters are the network's, but for its ``own``, which are new and can be trained."""
    names = set(own)
    shared: list[Tensor] = [tensor for name, tensor in network.named_parameters() if name not in names]
    shared += list(network.buffers())
    twin = copy.deepcopy(network, {id(tensor): tensor for tensor in shared})
    for name, parameter in twin.named_parameters():
        if name in names:
            parameter.requires_grad = True
    return twin.eval()


def in_stem(network: nn.Module, name: str) -> bool:
    """Whether a module or parameter is the network's stem or part of it."""
    return has_stem(network) and (name == STEM or name.startswith(f"{STEM}."))


def in_closed_form(network: nn.Module, name: str) -> bool:
    """Whether a parameter is of a child that ``CLOSED_FORM`` names."""
    return name.startswith(tuple(f"{child}." for child in getattr(network, CLOSED_FORM, ())))


def last_layers(names: Iterable[str], share: float = LAST) -> list[str]:
    """The parameters of the last layers, in the network's own order.

    Args:
        names: of parameters, as the network lists them.
        share: of the layers, which are parameters of one module.
    """
    listed = list(names)
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in listed))
    last = set(layers[-max(1, round(share * len(layers))) :])
    return [name for name in listed if name.rpartition(".")[0] in last]


def has_stem(network: nn.Module) -> bool:
    """Whether the network has a child that can stay frozen; see ``STEM``."""
    return STEM in dict(network.named_children())


def halves(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Tensors in half precision, as they are stored."""
    return {key: value.detach().to(torch.float16).contiguous().numpy() for key, value in tensors.items()}


def wholes(arrays: Mapping[str, NDArray[Any]], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Stored tensors again, one for each of ``like``.

    Raises:
        CheckpointError: some are missing or of another shape.
    """
    # A number alone comes back from a file as an array of one.
    wanted = {key: tuple(value.shape) or (1,) for key, value in like.items()}
    if {key: value.shape or (1,) for key, value in arrays.items()} != wanted:
        raise CheckpointError(
            f"a stored person has {len(arrays)} tensors that do not fit the {len(wanted)} that this piaa "
            f"trains; fit the person again"
        )
    return {
        key: torch.from_numpy(value.astype(np.float32)).reshape(like[key].shape)
        for key, value in arrays.items()
    }


def reader(network: nn.Module, original: nn.Module, photos: Photos, trained: Iterable[str]) -> Read:
    """How a personal copy reads these photos.

    Args:
        network: the copy.
        original: what it is a copy of.
        photos: decoded as they are needed.
        trained: names of what changes; if nothing of the stem does, its maps are computed here, once.
    """
    if not has_stem(network) or any(in_stem(network, name) for name in trained):

        def read(rows: Tensor) -> Tensor:
            return cast("Tensor", network(as_input(photos.pixels[rows.numpy()]))[0])

        return read
    stem = cast("nn.Module", getattr(network, STEM))
    replay = Replay(remembered(original, photos))

    def replayed(rows: Tensor) -> Tensor:
        setattr(network, STEM, replay)
        try:
            return cast("Tensor", network(rows)[0])
        finally:
            setattr(network, STEM, stem)

    return replayed


def remembered(network: nn.Module, photos: Photos) -> list[tuple[Tensor, ...]]:
    """What the network's stem says of each photo; remembered up to ``MEMORY`` bytes.

    Photos are known by their pixels: people of a study rate the same ones.
    """
    memory = _SAID.setdefault(network, OrderedDict())
    said: list[tuple[Tensor, ...]] = []
    for row in range(len(photos)):
        pixels = photos.pixels[np.array([row])]
        key = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
        if key not in memory:
            memory[key] = _run_stem(network, pixels)
        said.append(memory[key])
        memory.move_to_end(key)
        if len(memory) > MEMORY // sum(part.numel() * part.element_size() for part in said[-1]):
            memory.popitem(last=False)
    return said


def _run_stem(network: nn.Module, pixels: NDArray[np.uint8]) -> tuple[Tensor, ...]:
    """What the stem says of one photo, which is alone: quicker, and the same whatever others there are."""
    with torch.no_grad():
        said = cast("nn.Module", getattr(network, STEM))(as_input(pixels))
    return said if isinstance(said, tuple) else (said,)


class Replay(nn.Module):
    """Stands in for a stem: gives what it said of photos by their row numbers.

    Args:
        said: of each photo, as a batch of one.
    """

    def __init__(self, said: list[tuple[Tensor, ...]]) -> None:
        super().__init__()
        self._said = said

    def forward(self, rows: Tensor) -> tuple[Tensor, ...] | Tensor:
        """As the stem, for photos (b,): joined in the stem's own order of memory, hence to the same bits."""
        said = tuple(
            torch.cat(parts) for parts in zip(*(self._said[row] for row in rows.tolist()), strict=True)
        )
        return said if len(said) > 1 else said[0]
