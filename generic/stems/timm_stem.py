"""A network of timm as a stem: means and deviations of what its later blocks give.

As in ``piaa-lite``, whose frozen network this is in general: of all blocks the second half is tapped, and of
each map mean and standard deviation over its positions. Which modules are blocks, timm itself says of every
network (``group_matcher``, made for learning rates by depth).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any, cast

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import generic.eat
import generic.residual_attention  # noqa: F401 - both register their presets with timm
from generic.cache.features import Features
from generic.engine.engine import Engine
from generic.errors import CheckpointError
from generic.lite.packaged_weights import PACKAGES, package_of, packaged_state
from generic.lite.stems import moments
from generic.model.third_party import read_weights
from generic.photos.find import printable

PREFIX = "timm:"


class TimmStem(nn.Module):
    """A timm network, in evaluation mode, and the blocks that are tapped.

    Args:
        name: of the network in timm.
        network: without a classifier.
        words: where its weights come from.
    """

    def __init__(self, name: str, network: nn.Module, words: str) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.name, self.words = name, words
        cfg = cast("dict[str, Any]", network.pretrained_cfg)
        self.size = int(cfg["input_size"][1])
        """Side of the square that it looks at, pixels."""
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(cfg[name])[:, None, None], persistent=False)
        self.mean: Tensor
        self.std: Tensor
        self.tapped = _later_half(network)

    def forward(self, photo: Tensor) -> Tensor:
        """Taps (1, t) of a photo, uint8 (1, size, size, 3)."""
        x = photo.permute(0, 3, 1, 2).float() / 255
        found: list[Tensor] = []
        handles = [
            self.network.get_submodule(name).register_forward_hook(
                lambda _module, _inputs, output: found.append(output)
            )
            for name in self.tapped
        ]
        try:
            last = cast("Any", self.network)((x - self.mean) / self.std)
        finally:
            for handle in handles:
                handle.remove()
        return torch.cat([pooled(each) for each in found] or [last.flatten(1)], 1)

    def engine(self) -> Engine:
        """The stem run by torch, for comparison."""
        return _ByTorch(self)


class _ByTorch(Engine):
    callers = 1

    def __init__(self, stem: TimmStem) -> None:
        self._stem = stem

    def vector(self, pixels: NDArray[np.uint8]) -> Features:
        """See :meth:`Engine.vector`."""
        with torch.inference_mode():
            return np.ascontiguousarray(self._stem(torch.from_numpy(np.array(pixels[None])))[0].numpy())


def pooled(output: Tensor) -> Tensor:
    """Moments over positions, (b, 2c), of maps (b, c, h, w) or (b, h, w, c), or of tokens (b, n, c)."""
    if output.ndim == 3:
        output = output.transpose(1, 2)[..., None]
    elif output.ndim == 4 and output.shape[1] == output.shape[2] != output.shape[3]:
        output = output.permute(0, 3, 1, 2)  # Swin's and others' maps have their channels last
    return moments(output) if output.ndim == 4 else output.flatten(1)


def _later_half(network: nn.Module) -> list[str]:
    """Names of the blocks in the second half, in the order in which they run; none where timm names none."""
    matcher = getattr(network, "group_matcher", None)
    if matcher is None:
        return []
    blocks = matcher(coarse=False).get("blocks", ())
    patterns = [blocks] if isinstance(blocks, str) else [pattern for pattern, *_ in blocks]
    found = [
        name
        for name, module in network.named_modules()
        if not isinstance(module, nn.Identity) and any(re.fullmatch(pattern, name) for pattern in patterns)
    ]
    return found[len(found) // 2 :]


def is_timm(text: str) -> bool:
    """Whether NAME, timm:NAME, or either with =FILE, names a network of timm."""
    return timm.is_model(_parts(text)[0])


def load_timm_stem(text: str) -> TimmStem:
    """A network of timm with its weights.

    Args:
        text: ``NAME`` or ``timm:NAME``, with weights that a package brings or that timm's hub publishes;
            or with ``=FILE``, weights in a file.

    Raises:
        CheckpointError: timm knows no such network, or its weights cannot be had or do not fit.
    """
    name, file = _parts(text)
    if not timm.is_model(name):
        raise CheckpointError(f"timm knows no model {printable(name)!r}; timm.list_models() lists all")
    if file is not None:
        return TimmStem(name, _filled(name, read_weights(file), file.name), f"{name}, weights of {file.name}")
    if name in PACKAGES:
        return TimmStem(
            name,
            _filled(name, packaged_state(name), package_of(name)),
            f"{name}, ImageNet weights of {package_of(name)}",
        )
    try:
        network = timm.create_model(name, pretrained=True, num_classes=0)
        return TimmStem(name, network, f"{name}, timm's weights")
    except Exception as error:  # of the hub, of the network, of the file: they have no common base
        raise CheckpointError(
            f"timm's hub gave no weights of {name!r} ({shorten(str(error), 200)}); without a way to it, "
            f"fetch the file elsewhere and give it as {name}=FILE"
        ) from error


def _parts(text: str) -> tuple[str, Path | None]:
    name, _, file = text.removeprefix(PREFIX).partition("=")
    return name, Path(file) if file else None


def _filled(name: str, state: dict[str, Tensor], source: str) -> nn.Module:
    """The network with these weights; what they have beyond it, such as a classifier, is left."""
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = timm.create_model(name, num_classes=0)
    own = network.state_dict()
    unfit = _unfit(own, state)
    if unfit:
        raise CheckpointError(
            f"weights of {printable(source)} do not fit {name}: {len(unfit)} of its {len(own)} tensors are "
            f"missing or have another shape, such as {unfit[0]}; give weights of that very network"
        )
    network.load_state_dict({key: state[key] for key in own})
    return network


def _unfit(own: dict[str, Tensor], state: dict[str, Tensor]) -> Sequence[str]:
    return [key for key, value in own.items() if key not in state or state[key].shape != value.shape]
