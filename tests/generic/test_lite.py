"""The embedded default's parts at 64 pixels with random weights: what they compute, not how well."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import rbf_kernel
from torch import nn

from generic import networks
from generic.checkpoint import Header, load_checkpoint, load_tensors, save_checkpoint
from generic.errors import CheckpointError
from generic.lite import KernelHead, PiaaLite, build, fold_batch_norms, moments
from generic.model import NETWORK
from generic.registry import find_model

SIDE = 64
TAPS = 2 * (4 * 120 + 5 * 208 + 352 + 2 * 1280)
OPTIONS = {"size": SIDE, "taps": TAPS, "n_embedding": 6, "n_centres": 5, "eat_dims": (32, 64), "k_in": 2}
ARCHITECTURE = {"kind": "eat_lite", **OPTIONS, "eat_dims": [32, 64]}


@pytest.fixture(scope="module")
def unfolded():
    """A network that has seen other statistics than it began with, in every norm and every head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = PiaaLite(**OPTIONS).eval()
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.running_mean.normal_(0, 0.3)
                    module.running_var.uniform_(0.5, 2.0)
                    module.weight.uniform_(0.5, 1.5)
                    module.bias.normal_(0, 0.3)
            network.tap_mean.normal_()
            network.project.weight.normal_(0, 0.003)
            network.whiten.uniform_(0.5, 2.0)
            network.kernel.centres.normal_(0, 0.3)
            network.kernel.weights.normal_()
            network.kernel.gamma.fill_(0.3)
            network.kernel.offset.fill_(0.4)
    return network.requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def folded(unfolded):
    return fold_batch_norms(copy.deepcopy(unfolded))


@pytest.fixture(scope="module")
def photos():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(2, 3, SIDE, SIDE, generator=generator) * 2 - 1


@pytest.fixture(scope="module")
def state(folded):
    return {key: value.numpy() for key, value in folded.state_dict().items()}


def test_moments_are_mean_and_deviation_over_positions():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)) + 2
    got = moments(torch.from_numpy(x)).numpy()
    expected = np.concatenate((x.mean((2, 3)), x.std((2, 3))), 1)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_moments_of_a_flat_map_have_a_gradient():
    x = torch.ones(1, 2, 3, 3, requires_grad=True)
    moments(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_the_stem_gives_moments_of_late_blocks_and_the_two_coarsest_maps(unfolded, photos):
    taps, middle, last = unfolded.stem(photos)
    assert taps.shape == (2, TAPS)
    assert middle.shape == (2, 120, 4, 4)
    assert last.shape == (2, 352, 2, 2)
    # The last block's moments come before those of the head convolution and of its norm, 1280 wide each.
    torch.testing.assert_close(taps[:, -5120 - 704 : -5120], moments(last))
    head = unfolded.stem.conv_head(last)
    torch.testing.assert_close(taps[:, -5120:-2560], moments(head))
    torch.testing.assert_close(taps[:, -2560:], moments(unfolded.stem.bn2(head)))


def test_folding_batch_norms_changes_nothing_but_rounding(unfolded, folded, photos):
    for before, after in zip(unfolded.stem(photos), folded.stem(photos), strict=True):
        assert (after - before).norm() < 1e-4 * before.norm()
    for before, after in zip(unfolded(photos), folded(photos), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_folding_leaves_one_norm_whose_input_is_tapped(unfolded, folded):
    def norms(network):
        return [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]

    assert len(norms(unfolded)) > 60
    assert norms(folded) == ["stem.bn2"]


def test_the_kernel_head_equals_scikit_learn():
    rng = np.random.default_rng(0)
    z, centres, weights = rng.standard_normal((7, 3)), rng.standard_normal((5, 3)), rng.standard_normal(5)
    head = KernelHead(5, 3).double()
    with torch.no_grad():
        head.centres.copy_(torch.from_numpy(centres))
        head.weights.copy_(torch.from_numpy(weights))
        head.gamma.fill_(0.7)
        head.offset.fill_(0.4)
        got = head(torch.from_numpy(z)).numpy()
    np.testing.assert_allclose(got, rbf_kernel(z, centres, gamma=0.7) @ weights + 0.4, rtol=1e-12)


def test_the_score_is_kernel_plus_attention_and_the_embedding_is_whitened(unfolded, photos):
    score, embedding = unfolded(photos)
    taps, middle, last = unfolded.stem(photos)
    z = (taps - unfolded.tap_mean).double().numpy() @ unfolded.project.weight.double().numpy().T
    np.testing.assert_allclose(embedding, z * unfolded.whiten.numpy(), rtol=1e-4, atol=1e-5)
    kernel = rbf_kernel(z, unfolded.kernel.centres.numpy(), gamma=0.3) @ unfolded.kernel.weights.numpy() + 0.4
    attended = unfolded.eat(middle, last) @ unfolded.eat_head.weight[0] + unfolded.eat_head.bias
    assert np.ptp(kernel) > 1e-4  # the photos are not alike to either head
    assert np.ptp(attended.numpy()) > 1e-4
    np.testing.assert_allclose(score, kernel + attended.numpy(), rtol=1e-4, atol=1e-5)


def test_a_score_does_not_depend_on_what_else_is_scored(folded, photos):
    together = folded(photos)
    alone = [torch.cat(parts) for parts in zip(*(folded(photo[None]) for photo in photos), strict=True)]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_the_attention_branch_pools_each_stage(unfolded, photos):
    _, middle, last = unfolded.stem(photos)
    eat = unfolded.eat
    stages = [stage(enter(x)) for x, enter, stage in zip((middle, last), eat.enter, eat.stages, strict=True)]
    assert [tuple(stage.shape) for stage in stages] == [(2, 32, 4, 4), (2, 64, 2, 2)]
    assert [stage.attention.grid for stage in eat.stages] == [(3, 3), (2, 2)]
    pooled = torch.cat([stage.flatten(2).mean(2) for stage in stages], 1)
    torch.testing.assert_close(
        eat(middle, last), nn.functional.layer_norm(pooled, (96,)), rtol=1e-4, atol=1e-5
    )


def test_a_built_network_is_the_one_that_was_saved(folded, photos, state, tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, Header(name="tiny", architecture=ARCHITECTURE, scale=(1, 7)), state)
    header, loaded = load_checkpoint(path)
    network = build(header.architecture, loaded)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    rebuilt = network.state_dict()
    assert rebuilt.keys() == state.keys()
    assert all(torch.equal(rebuilt[key], torch.from_numpy(value)) for key, value in state.items())
    for before, after in zip(folded(photos), network(photos), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


def test_a_network_saved_in_half_precision_is_used_in_single(folded, photos, state):
    half = {key: value.astype(np.float16) for key, value in state.items()}
    score, embedding = build(ARCHITECTURE, half)(photos)
    assert score.dtype == embedding.dtype == torch.float32
    torch.testing.assert_close(score, folded(photos)[0], rtol=0.02, atol=0.02)


BEFORE = {
    "attention.interest.start": "attention.point_start",
    "attention.interest.conv.weight": "attention.interest.weight",
    "attention.interest.conv.bias": "attention.interest.bias",
    "attention.offset.depthwise.weight": "attention.offset_depthwise.weight",
    "attention.offset.depthwise.bias": "attention.offset_depthwise.bias",
    "attention.offset.norm.weight": "attention.offset_norm.weight",
    "attention.offset.norm.bias": "attention.offset_norm.bias",
    "attention.offset.out.weight": "attention.offset_out.weight",
    "mlp.expand.weight": "mlp.0.weight",
    "mlp.expand.bias": "mlp.0.bias",
    "mlp.reduce.weight": "mlp.2.weight",
    "mlp.reduce.bias": "mlp.2.bias",
}
"""What the tensors of an EAT stage are called now, and in model files of 0.1."""


@pytest.fixture
def old_state(state):
    """The state dict as 0.1 wrote it."""
    names = {
        f"eat.stages.{stage}.{now}": f"eat.stages.{stage}.{before}"
        for stage in (0, 1)
        for now, before in BEFORE.items()
    }
    assert names.keys() <= state.keys()
    return {names.get(name, name): value for name, value in state.items()}


def test_old_names_are_those_of_the_shipped_file(old_state):
    assert load_tensors(find_model(), NETWORK).keys() == old_state.keys()


def test_tensors_under_their_old_names_build_the_same_network(state, old_state, photos):
    now, before = build(ARCHITECTURE, state), build(ARCHITECTURE, old_state)
    for one, other in zip(now(photos), before(photos), strict=True):
        assert torch.equal(one, other)


def refusal(architecture, state) -> str:
    with pytest.raises(CheckpointError) as caught:
        networks.build(architecture, state)
    return str(caught.value)


def test_tensors_that_do_not_fit_are_refused_in_one_line(state):
    def misfit(reason):
        return f"the model file's tensors do not fit its architecture: {reason}"

    fewer = {key: value for key, value in state.items() if key != "whiten"}
    assert refusal(ARCHITECTURE, fewer) == misfit(
        'Error(s) in loading state_dict for PiaaLite: Missing key(s) in state_dict: "whiten".'
    )
    assert refusal(ARCHITECTURE, {**state, "colour": np.zeros(2)}) == misfit(
        'Error(s) in loading state_dict for PiaaLite: Unexpected key(s) in state_dict: "colour".'
    )
    other = {**state, "eat.stages.0.mlp.1.weight": np.zeros(2)}
    assert refusal(ARCHITECTURE, other) == misfit(
        "Error(s) in loading state_dict for PiaaLite: Unexpected key(s) in state_dict: "
        '"eat.stages.0.mlp.1.weight".'
    )
    # An old name means something inside of EAT's stages alone.
    assert refusal(ARCHITECTURE, {**state, "stem.attention.point_start": np.zeros(2)}) == misfit(
        "Error(s) in loading state_dict for PiaaLite: Unexpected key(s) in state_dict: "
        '"stem.attention.point_start".'
    )
    assert refusal({**ARCHITECTURE, "n_centres": 4}, {**state, "kernel.weights": np.zeros(4)}) == misfit(
        "Error(s) in loading state_dict for PiaaLite: size mismatch for kernel.centres: copying a param with "
        "shape torch.Size([5, 6]) from checkpoint, the shape in current model is torch.Size([4, 6])."
    )
    assert refusal({**ARCHITECTURE, "colour": 1}, state) == misfit(
        "PiaaLite.__init__() got an unexpected keyword argument 'colour'"
    )
