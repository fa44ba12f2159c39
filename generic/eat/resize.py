"""Position tables and point starts moved from one map size to another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor, nn

from generic.errors import CheckpointError

_RESIZABLE = (".bias_table", ".interest.start")


def resize_tables(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Weights whose position tables and point starts fit ``network``; the rest is passed on as it is.

    A table (heads, 2H-1, 2W-1) holds a bias for every displacement on an H x W map, or in a window.
    Its first and last entries are the largest displacements, from border to border, and are so at
    every size: they stay, and the entries between are interpolated (``align_corners=True``). The
    released loader aligns the outer edges of entries instead (``align_corners=False``), which moves
    every displacement by up to half an entry and the borders beyond the map.

    Both axes go through a natural cubic spline. Unlike PyTorch's bicubic kernel, which bends a straight
    ramp of slope 1 over 13 entries by up to 0.015 at 27, it leaves constants and ramps what they are.
    A side of 1 has no ends; its entry is the middle one, no displacement.

    Args:
        state: weights under the network's names; ``*.bias_table`` and ``*.interest.start``, shape
            (1, 2, hp, wp), are looked at.
        network: whose shapes count; it may lie on the meta device.

    Returns:
        the weights; a tensor that needs no resizing is the one that was given.

    Raises:
        CheckpointError: a table holds one bias for each pair of positions (``bias="pairs"``), which says
            nothing of positions between them.
    """
    own = network.state_dict()
    return {
        name: _resized(name, value, own[name], network) if _differs(name, value, own.get(name)) else value
        for name, value in state.items()
    }


def _differs(name: str, value: Tensor, target: Tensor | None) -> bool:
    """Whether only the last two sides of a resizable tensor differ."""
    return (
        name.endswith(_RESIZABLE)
        and target is not None
        and value.ndim == target.ndim
        and value.shape[:-2] == target.shape[:-2]
        and value.shape != target.shape
    )


def _resized(name: str, value: Tensor, target: Tensor, network: nn.Module) -> Tensor:
    size, sides = tuple(value.shape[-2:]), tuple(target.shape[-2:])
    owner = network.get_submodule(name.rpartition(".")[0])
    # The sides 2H-1 are odd, so an even one is a number of positions.
    if getattr(owner, "bias", None) == "pairs" or (
        name.endswith(".bias_table") and not all(n % 2 for n in size)
    ):
        raise CheckpointError(
            f"{name} holds one bias for each of {size[0]} x {size[1]} pairs of positions and cannot become "
            f"{sides[0]} x {sides[1]}; keep the image size that the weights were trained at"
        )
    rows, columns = (_weights(n, m).to(value.device) for n, m in zip(size, sides, strict=True))
    return (rows @ value.double() @ columns.T).to(value.dtype)


def _weights(n: int, m: int) -> Tensor:
    """What each of n entries adds to each of m, shape (m, n): natural cubic splines through unit vectors."""
    if n == 1:
        return torch.ones(m, 1, dtype=torch.float64)
    places = np.linspace(-1, 1, m) if m > 1 else np.zeros(1)
    return torch.from_numpy(CubicSpline(np.linspace(-1, 1, n), np.eye(n), bc_type="natural")(places))
