"""EAT as a generic model: the pixels it is given, the score and the embedding that it gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from generic.eat import EAT
from generic.eat.scorer import EATScorer, build, describe
from generic.errors import ShapeError

OPTIONS = {
    "img_size": 32,
    "patch_size": 4,
    "dims": (8, 16),
    "stages": ("LS", "EE"),
    "heads": (1, 2),
    "groups": (1, 2),
    "windows": 2,
    "k_in": 2,
    "k_offset": 3,
}


def network(outputs: int) -> EAT:
    """Random weights, large enough that images and outputs differ."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        net = EAT(num_classes=outputs, **OPTIONS).eval()
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return net.requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def photos(pixels):
    """As a generic model gives them: RGB in [-1, 1]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.fixture(scope="module")
def normalised(pixels):
    """As EAT was trained: by ImageNet's mean and deviation, of values in [0, 1]."""
    values = (pixels / 255 - np.array(IMAGENET_DEFAULT_MEAN)) / np.array(IMAGENET_DEFAULT_STD)
    return torch.from_numpy(values).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("soft", [True, False])
def test_the_score_is_the_mean_of_the_distribution_on_the_unit_scale(photos, normalised, soft):
    net, bins = network(4), (1.0, 2.0, 4.0, 5.0)
    score, _ = EATScorer(net, bins=bins, softmax=soft)(photos)
    outputs = net(normalised).numpy()
    shares = softmax(outputs, axis=1) if soft else outputs
    np.testing.assert_allclose(score, (shares @ np.array(bins) - 1) / 4, atol=1e-5)
    assert score.shape == (3,)
    assert np.ptp(score.numpy()) > 1e-3
    if soft:
        assert 0 <= score.min() <= score.max() <= 1


def test_the_ends_of_the_scale_are_0_and_1(photos):
    net = network(3)
    net.head.weight.zero_()
    for output, expected in ((0, 0.0), (1, 0.5), (2, 1.0)):
        net.head.bias.copy_(torch.tensor([-100.0, -100.0, -100.0]).index_fill(0, torch.tensor(output), 100.0))
        score, _ = EATScorer(net, bins=(0.0, 2.5, 5.0))(photos)
        torch.testing.assert_close(score, torch.full((3,), expected))


def test_a_single_output_is_the_unit_score(photos, normalised):
    net = network(1)
    score, _ = EATScorer(net)(photos)
    torch.testing.assert_close(score, net(normalised)[:, 0], rtol=1e-5, atol=1e-5)


def test_the_embedding_is_the_mean_of_the_last_map(photos, normalised):
    net = network(1)
    _, embedding = EATScorer(net)(photos)
    maps = net.forward_features(normalised)
    assert embedding.shape == (3, 16)
    assert embedding.std(0).max() > 1e-3
    np.testing.assert_allclose(embedding, maps.numpy().mean((2, 3)), atol=1e-5)


def test_scores_do_not_depend_on_what_else_is_scored(photos):
    scorer = EATScorer(network(4), bins=(1, 2, 3, 4))
    together = scorer(photos)
    alone = [torch.cat(parts) for parts in zip(*(scorer(photo[None]) for photo in photos), strict=True)]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("outputs", "bins"), [(4, (1, 2, 3)), (4, ()), (1, (1,)), (3, (3, 2, 1)), (3, (1, 1, 2)), (0, (1, 2))]
)
def test_bins_that_are_no_scale_of_the_outputs(outputs, bins):
    with pytest.raises(ShapeError) as caught:
        EATScorer(EAT(num_classes=outputs, **OPTIONS), bins=bins)
    needed = 0 if outputs == 1 else outputs
    assert str(caught.value) == (
        f"an EAT with {outputs} outputs needs {needed} rising bins, got {list(bins)}; give the score of each "
        f"output, or none for a single output"
    )


@pytest.mark.parametrize(
    ("outputs", "bins", "soft"), [(4, (1, 2, 3, 4), True), (4, (1, 2, 3, 4), False), (1, (), True)]
)
def test_what_is_described_and_saved_is_built_again(photos, outputs, bins, soft):
    net = network(outputs)
    described = describe(net.options, bins=bins, softmax=soft)
    assert described["kind"] == "eat"
    assert described["size"] == 32
    assert described["dims"] == [8, 16]  # JSON knows no tuples
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    built = build({**described, "head": "fresh"}, state)
    assert built.network.config == net.config
    assert {f"network.{name}" for name in state} == set(built.state_dict())
    for one, other in zip(built(photos), EATScorer(net, bins=bins, softmax=soft)(photos), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_half_precision_weights_are_used_in_single(photos):
    net = network(1)
    described = describe(net.options, bins=(), softmax=False)
    half = {name: value.numpy().astype(np.float16) for name, value in net.state_dict().items()}
    score, embedding = build(described, half)(photos)
    assert score.dtype == embedding.dtype == torch.float32
    torch.testing.assert_close(score, EATScorer(net)(photos)[0], rtol=0.02, atol=0.02)
