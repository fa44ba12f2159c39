"""A network run by torch: for models without a graph, such as a training's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import Features
from generic.engine.engine import Engine
from generic.errors import EngineError

if TYPE_CHECKING:
    from torch import Tensor, nn


class TorchEngine(Engine):
    """Torch on one network; its own threads share a call.

    Args:
        network: from images (b, 3, size, size), RGB in [-1, 1], to unit scores (b,) and embeddings (b, d).
        gpu: whether an NVIDIA GPU runs it; the network moves there.

    Raises:
        EngineError: a GPU is asked for, and torch finds none.
    """

    callers = 1

    def __init__(self, network: nn.Module, *, gpu: bool = False) -> None:
        self._device = _gpu() if gpu else "cpu"
        self._network = network.to(self._device)

    def vector(self, pixels: NDArray[np.uint8]) -> Features:
        """See :meth:`Engine.vector`."""
        import torch

        with torch.inference_mode():
            score, embedding = self._network(as_input(pixels[None]).to(self._device))
            return np.ascontiguousarray(torch.cat([score[:, None], embedding], 1)[0].float().cpu().numpy())


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        raise EngineError(
            f"a GPU is asked for, and torch {torch.__version__} finds none here; see that the driver and "
            "torch's CUDA packages are installed, or leave --gpu out"
        )
    torch.backends.cudnn.allow_tf32 = False  # sums in whole single precision, as on a CPU
    return "cuda"


def as_input(pixels: NDArray[np.uint8]) -> Tensor:
    """What a network is given: shape (b, 3, size, size), RGB in [-1, 1], of pixels (b, size, size, 3)."""
    import torch

    # NHWC memory is channels-last already: no copy but the one to float.
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
