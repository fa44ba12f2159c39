"""Interest points and the guidance of their offsets.

Shuai He et al., "EAT: An Enhancer for Aesthetics-Oriented Transformers", ACM MM 2023,
section 4.1; equation numbers are that paper's.

A coordinate pair is (x, y); -1 is the centre of a map's first column or row, +1 the centre of
the last one.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Rotation = Literal["point", "image", "batch", "none"]


def map_grid(h: int, w: int, *, like: Tensor) -> Tensor:
    """Coordinates of every position of an (h, w) map, shape (h, w, 2), row by row."""
    rows = torch.linspace(-1, 1, h, device=like.device, dtype=like.dtype)
    columns = torch.linspace(-1, 1, w, device=like.device, dtype=like.dtype)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)


def edge_grid(h: int, w: int, *, like: Tensor) -> Tensor:
    """The same positions where -1 and +1 are the map's *edges*, shape (h, w, 2).

    The deformable attention that EAT grew from mixes the two conventions; the released weights
    expect that.
    """
    shrink = torch.tensor([(w - 1) / w, (h - 1) / h], device=like.device, dtype=like.dtype)
    return map_grid(h, w, like=like) * shrink


def cell_grid(grid: tuple[int, int], size: tuple[int, int], *, like: Tensor) -> Tensor:
    """Centres of ``grid`` equal cells laid over a map of ``size``, shape (hp, wp, 2)."""
    (hp, wp), (h, w) = grid, size
    # From edges to the centres of the outermost positions.
    stretch = torch.tensor([w / max(w - 1, 1), h / max(h - 1, 1)], device=like.device, dtype=like.dtype)
    return edge_grid(hp, wp, like=like) * stretch


def guide_offsets(offsets: Tensor, points: Tensor, eta: float, angles: Tensor | None = None) -> Tensor:
    """Weaken offsets that leave their point's quadrant, then rotate (eqs 6 to 8).

    No gradient passes through the choice of the weight, and nothing leaves the device.

    Args:
        offsets: shape (..., 2), pairs (x, y).
        points: broadcastable to that shape, in [-1, 1].
        eta: in [0, 1]; the weight of an offset whose direction is not in its point's quadrant.
        angles: radians, broadcastable to shape (...); None turns nothing.

    Returns:
        the guided offsets, shape (..., 2).

    Example:
        >>> guide_offsets(torch.tensor([[0.5, 0.5], [-0.5, 0.5]]), torch.full((2, 2), 0.1), eta=0.25)
        tensor([[ 0.5000,  0.5000],
                [-0.1250,  0.1250]])
    """
    x, y = (offsets * points > 0).unbind(-1)
    guided = torch.where((x & y)[..., None], offsets, offsets * eta)
    if angles is None:
        return guided
    x, y = guided.unbind(-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.stack((x * cos - y * sin, y * cos + x * sin), -1)


class Guidance(nn.Module):
    """Offset guidance with its state: how far the training is.

    While training, offsets turn at random by an angle that shrinks to nothing as ``progress``,
    the epoch fraction e/E, goes from 0 to 1 (eq. 9); see :func:`set_progress`. It begins at 1.

    Args:
        eta: quadrant weight (eq. 7), in [0, 1].
        rotate: one angle for each point, for each image, for the whole batch, or none.
    """

    def __init__(self, *, eta: float = 0.25, rotate: Rotation = "point") -> None:
        super().__init__()
        self.eta, self.rotate = eta, rotate
        # A tensor, so that a compiled network is not compiled again after every epoch. The device is
        # named so that it is real even where a network is laid out on the meta device.
        self.register_buffer("progress", torch.ones((), device="cpu"), persistent=False)
        self.progress: Tensor

    def angles(self, offsets: Tensor) -> Tensor | None:
        """Random angles in radians for offsets of shape (b, g, n, 2); None outside of training."""
        if not self.training or self.rotate == "none":
            return None
        b, g, n, _ = offsets.shape
        shape = {"point": (b, g, n), "image": (b, 1, 1), "batch": (1, 1, 1)}[self.rotate]
        uniform = torch.rand(shape, device=offsets.device, dtype=offsets.dtype) - 0.5
        return (1.0 - self.progress.to(offsets)) * math.pi * uniform

    def forward(self, offsets: Tensor, points: Tensor) -> Tensor:
        """Guided offsets, shape (b, g, n, 2), of offsets of that shape; ``points`` broadcast to it."""
        return guide_offsets(offsets, points, self.eta, self.angles(offsets))


def set_progress(network: nn.Module, fraction: float) -> None:
    """Tell every guidance module of a network how far the training is.

    Args:
        network: any network with EAT's modules in it.
        fraction: e/E, in [0, 1]; at 1 no offset turns.
    """
    for module in network.modules():
        if isinstance(module, Guidance):
            module.progress.fill_(fraction)


class InterestPoints(nn.Module):
    """Interest points from a map, by one convolution (eq. 4): P = tanh(conv(F)).

    Args:
        dim: channels c of the map.
        size: (h, w) of the map.
        k_in: kernel of the convolution; (h - k_in + 1) x (w - k_in + 1) points, so a larger
            kernel makes fewer of them. At 14 x 14, k_in = 8 leaves 7 x 7.
        stride: of the convolution; more than 1 where a map is much finer than its points.
        start: add the regular grid, as a learnable bias, to where the points begin. The
            convolution alone begins with every point near the centre, where all keys are alike
            and little data teaches nothing.
        over_batch: mean over the batch before the tanh, as the released network has it; a score
            then depends on the batch.
    """

    def __init__(
        self,
        dim: int,
        size: tuple[int, int],
        *,
        k_in: int = 1,
        stride: int = 1,
        start: bool = True,
        over_batch: bool = False,
    ) -> None:
        super().__init__()
        self.over_batch = over_batch
        self.grid = ((size[0] - k_in) // stride + 1, (size[1] - k_in) // stride + 1)
        self.conv = nn.Conv2d(dim, 2, k_in, stride)
        self.start = self._grid_start() if start else None
        self.reset_parameters()

    def _grid_start(self) -> nn.Parameter:
        axes = [torch.linspace(-0.9, 0.9, n) if n > 1 else torch.zeros(1) for n in self.grid]
        columns_and_rows = torch.meshgrid(*axes, indexing="ij")[::-1]
        return nn.Parameter(torch.atanh(torch.stack(columns_and_rows))[None])

    def reset_parameters(self) -> None:
        """Draw the convolution's weights so small that the points begin near their start."""
        nn.init.normal_(self.conv.weight, std=0.1 / math.sqrt(self.conv.weight[0].numel()))
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Points of maps of shape (b, c, h, w): shape (b, 1, n, 2), in (-1, 1), row by row."""
        points = self.conv(x)
        points = points.to(torch.promote_types(points.dtype, torch.float32))
        if self.over_batch:
            points = points.mean(0, keepdim=True).expand_as(points)
        if self.start is not None:
            points = points + self.start
        return torch.tanh(points).flatten(2).transpose(1, 2)[:, None]
