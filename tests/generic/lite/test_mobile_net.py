"""MobileNet's convolutions beside scipy's, padded as Keras pads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from generic.lite.mobile_net import MobileNet, Separable


@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_pads_as_keras_does(stride):
    torch.manual_seed(0)
    block, x = Separable(3, 4, stride=stride), torch.randn(2, 3, 8, 8)
    got = block(x).detach().numpy()
    # Keras' rule for "same": of an odd number of zeros the larger half goes to the right and below.
    total = max((-(-8 // stride) - 1) * stride + 3 - 8, 0)
    first = total // 2
    filters, bias = block.depthwise.weight.detach().numpy(), block.depthwise.bias.detach().numpy()
    mix = block.pointwise.weight.detach().numpy()[:, :, 0, 0]
    for photo in range(2):
        padded = np.pad(x[photo].numpy(), ((0, 0), (first, total - first), (first, total - first)))
        middle = np.stack(
            [correlate2d(padded[c], filters[c, 0], "valid")[::stride, ::stride] + bias[c] for c in range(3)]
        ).clip(0, 6)
        expected = (
            np.einsum("dc,chw->dhw", mix, middle) + block.pointwise.bias.detach().numpy()[:, None, None]
        )
        np.testing.assert_allclose(got[photo], expected.clip(0, 6), rtol=1e-4, atol=1e-5)


def test_the_score_is_the_mean_of_the_shares():
    torch.manual_seed(0)
    network = MobileNet().eval()
    with torch.no_grad():
        maps, score = network(torch.rand(2, 3, 64, 64) * 2 - 1)
        logits = network.out(maps[-1].mean((2, 3))).numpy()
    assert [tuple(each.shape[1:]) for each in (maps[0], maps[1], maps[-1])] == [
        (32, 32, 32),
        (64, 32, 32),
        (1024, 2, 2),
    ]
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = ((shares * np.arange(1, 11)).sum(1) - 1) / 9
    np.testing.assert_allclose(score.numpy(), expected, rtol=1e-5)
