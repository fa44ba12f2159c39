"""A network run by torch: for models without a graph, such as a training's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import Features
from generic.engine.engine import Engine

if TYPE_CHECKING:
    from torch import Tensor, nn


class TorchEngine(Engine):
    """Torch on one network; its own threads share a call.

    Args:
        network: from images (b, 3, size, size), RGB in [-1, 1], to unit scores (b,) and embeddings (b, d).
    """

    callers = 1

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def vector(self, pixels: NDArray[np.uint8]) -> Features:
        """See :meth:`Engine.vector`."""
        import torch

        with torch.inference_mode():
            score, embedding = self._network(as_input(pixels[None]))
            return np.ascontiguousarray(torch.cat([score[:, None], embedding], 1)[0].float().numpy())


def as_input(pixels: NDArray[np.uint8]) -> Tensor:
    """What a network is given: shape (b, 3, size, size), RGB in [-1, 1], of pixels (b, size, size, 3)."""
    import torch

    # NHWC memory is channels-last already: no copy but the one to float.
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
