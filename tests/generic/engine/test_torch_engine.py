"""Torch on a GPU, where there is one, and what is said where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from generic.engine.torch_engine import TorchEngine
from generic.errors import EngineError

torch = pytest.importorskip("torch")


class Means(torch.nn.Module):
    """Mean of all, and of each channel."""

    def forward(self, x):
        return x.mean((1, 2, 3)), x.mean((2, 3))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(EngineError) as caught:
        TorchEngine(Means(), gpu=True)
    assert str(caught.value) == (
        f"a GPU is asked for, and torch {torch.__version__} finds none here; see that the driver and "
        "torch's CUDA packages are installed, or leave --gpu out"
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_gives_the_same_to_a_few_digits():
    photos = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), np.uint8)
    on_gpu, on_cpu = (TorchEngine(Means(), gpu=gpu).vectors(photos) for gpu in (True, False))
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-5)
