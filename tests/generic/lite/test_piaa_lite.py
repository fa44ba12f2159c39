"""The embedded default's parts at 64 pixels with random weights: what they compute, not how well."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.metrics.pairwise import rbf_kernel
from torch import nn

from generic.errors import CheckpointError
from generic.lite.piaa_lite import KernelHead, PiaaLite, build, fold_batch_norms
from generic.lite.sketch import fit_sketch
from generic.lite.stems import moments, smaller
from generic.model import networks
from generic.model.checkpoint import Header, load_checkpoint, save_checkpoint

SIDE = 96
TAPS = 2 * (4 * 112 + 5 * 192 + 320 + 2 * 1280)
OPTIONS = {
    "size": SIDE,
    "frozen_size": 64,
    "taps": TAPS,
    "n_embedding": 6,
    "n_centres": 5,
    "eat_dims": (32, 64),
    "k_in": 2,
}
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


def test_photos_are_made_smaller_as_pillow_does_it():
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR)).astype(float)
    got = smaller(torch.from_numpy(pixels).permute(2, 0, 1)[None].float(), 64)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(got, expected, atol=1.01)  # Pillow rounds after each axis


def test_the_stem_gives_moments_of_one_network_and_the_stride_16_map_of_the_other(unfolded, photos):
    stem = unfolded.stem
    taps, middle = stem(photos)
    assert taps.shape == (2, TAPS)
    assert middle.shape == (2, 120, 6, 6)
    torch.testing.assert_close(middle, stem.early(photos)[-1])
    # The last block's moments come before those of the head convolution and of its norm, 1280 wide each.
    last = stem.frozen_late(stem.frozen_early(smaller(photos, 64))[-1])[-3]
    assert last.shape == (2, 320, 2, 2)
    torch.testing.assert_close(taps[:, -5120 - 640 : -5120], moments(last))
    head = stem.frozen_late.conv_head(last)
    torch.testing.assert_close(taps[:, -5120:-2560], moments(head))
    torch.testing.assert_close(taps[:, -2560:], moments(stem.frozen_late.bn2(head)))


def test_both_parts_of_a_network_are_what_timm_makes_of_a_photo(unfolded, photos):
    """Under timm's own forward pass, with the same weights."""
    whole = timm.create_model("tf_efficientnet_lite1", num_classes=0).eval()
    state = {}
    for part in (unfolded.stem.frozen_early, unfolded.stem.frozen_late):
        state |= {key.replace("stages.", "blocks.", 1): value for key, value in part.state_dict().items()}
    whole.load_state_dict(state)
    with torch.no_grad():
        expected = whole(smaller(photos, 64))
        head = unfolded.stem.frozen_late(unfolded.stem.frozen_early(smaller(photos, 64))[-1])[-1]
    torch.testing.assert_close(head.mean((2, 3)), expected, rtol=1e-4, atol=1e-5)


def test_folding_batch_norms_changes_nothing_but_rounding(unfolded, folded, photos):
    for before, after in zip(unfolded.stem(photos), folded.stem(photos), strict=True):
        assert (after - before).norm() < 1e-4 * before.norm()
    for before, after in zip(unfolded(photos), folded(photos), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_folding_leaves_one_norm_whose_input_is_tapped(unfolded, folded):
    def norms(network):
        return [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]

    assert len(norms(unfolded)) > 120
    assert norms(folded) == ["stem.frozen_late.bn2"]


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


def test_the_score_is_kernel_plus_tuned_branch_and_the_embedding_is_whitened(unfolded, photos):
    score, embedding = unfolded(photos)
    taps, middle = unfolded.stem(photos)
    z = (taps - unfolded.tap_mean).double().numpy() @ unfolded.project.weight.double().numpy().T
    np.testing.assert_allclose(embedding, z * unfolded.whiten.numpy(), rtol=1e-4, atol=1e-5)
    kernel = rbf_kernel(z, unfolded.kernel.centres.numpy(), gamma=0.3) @ unfolded.kernel.weights.numpy() + 0.4
    tuned = unfolded.tuned
    maps = tuned.late(middle)
    assert [tuple(each.shape[1:]) for each in maps] == [(208, 3, 3)] * 5 + [(352, 3, 3)] + [(1280, 3, 3)] * 2
    pooled = maps[-1].mean((2, 3)) @ tuned.out.weight[0] + tuned.out.bias
    attended = tuned.eat(middle, maps[-3]) @ tuned.eat_out.weight[0] + tuned.eat_out.bias
    for part in (kernel, pooled.numpy(), attended.numpy()):
        assert np.ptp(part) > 1e-4  # the photos are not alike to any part
    np.testing.assert_allclose(score, kernel + pooled.numpy() + attended.numpy(), rtol=1e-4, atol=1e-5)


def test_a_score_does_not_depend_on_what_else_is_scored(folded, photos):
    together = folded(photos)
    alone = [torch.cat(parts) for parts in zip(*(folded(photo[None]) for photo in photos), strict=True)]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_the_attention_branch_pools_each_stage(unfolded, photos):
    middle = unfolded.stem(photos)[1]
    eat, last = unfolded.tuned.eat, unfolded.tuned.late(middle)[-3]
    stages = [stage(enter(x)) for x, enter, stage in zip((middle, last), eat.enter, eat.stages, strict=True)]
    assert [tuple(stage.shape) for stage in stages] == [(2, 32, 6, 6), (2, 64, 3, 3)]
    assert [stage.attention.grid for stage in eat.stages] == [(5, 5), (3, 3)]
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
    other = {**state, "tuned.eat.stages.0.mlp.0.weight": np.zeros(2)}
    assert refusal(ARCHITECTURE, other) == misfit(
        "Error(s) in loading state_dict for PiaaLite: Unexpected key(s) in state_dict: "
        '"tuned.eat.stages.0.mlp.0.weight".'
    )
    assert refusal({**ARCHITECTURE, "n_centres": 4}, {**state, "kernel.weights": np.zeros(4)}) == misfit(
        "Error(s) in loading state_dict for PiaaLite: size mismatch for kernel.centres: copying a param with "
        "shape torch.Size([5, 6]) from checkpoint, the shape in current model is torch.Size([4, 6])."
    )
    assert refusal({**ARCHITECTURE, "colour": 1}, state) == misfit(
        "PiaaLite.__init__() got an unexpected keyword argument 'colour'"
    )


# ---- with an expert and a sketch ----

FEATURES = (
    TAPS + 2 * 4 * 120
)  # late blocks of the frozen stem, and the other one's stage before its tuned ones
FEATURES += 2 * (5 * 208 + 352 + 2 * 1280)  # and those
PARTS = {"ava": 1, "directions": 6, "richer": 16}


@pytest.fixture(scope="module")
def wider(unfolded):
    """The same network with an expert beside it, and a sketch of the late blocks."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        network = PiaaLite(**OPTIONS, features=FEATURES, parts=PARTS).eval()
        network.load_state_dict(unfolded.state_dict(), strict=False)
        network.expert.mean.fill_(0.4)
        network.expert.deviation.fill_(0.02)
        network.expert.weight.fill_(0.3)
        seen = np.random.default_rng(0).standard_normal((20, FEATURES))
        sketch = fit_sketch(seen, 16, 0)
        network.sketch.load_state_dict({key: torch.from_numpy(value) for key, value in sketch.items()})
    return network.requires_grad_(requires_grad=False)


def test_an_experts_score_stands_before_the_directions_and_a_sketch_behind(wider, unfolded, photos):
    score, embedding = wider(photos)
    before, directions = unfolded(photos)
    assert embedding.shape == (2, 23)
    torch.testing.assert_close(embedding[:, 1:7], directions)
    _, expert = wider.stem.expert(smaller(photos, 224))
    torch.testing.assert_close(embedding[:, 0], (expert - 0.4) / 0.02)
    torch.testing.assert_close(score, before + 0.3 * embedding[:, 0])
    whole, early = wider.stem.maps(photos)
    late_blocks = 4 + 5 + 1 + 2  # of the last two, one before and one after its norm
    seen = (*whole[-late_blocks:], *early[-4:], *wider.tuned.late(early[-1]))
    features = torch.cat([moments(each) for each in seen], 1)
    assert features.shape == (2, FEATURES)
    torch.testing.assert_close(embedding[:, 7:], wider.sketch(features))


class Said(torch.nn.Module):
    """Stands in for a stem, as adapters that train what comes after it have it."""

    def __init__(self, said):
        super().__init__()
        self.said = said

    def forward(self, rows):
        return tuple(each[rows] for each in self.said)


def test_what_its_stem_said_stands_for_the_photos(wider, photos):
    again = copy.deepcopy(wider)
    again.stem = Said(wider.stem(photos))
    for one, other in zip(again(torch.tensor([1, 0])), wider(photos.flip(0)), strict=True):
        torch.testing.assert_close(one, other)


def test_a_wider_network_is_built_from_its_tensors(wider, photos):
    # A sketch is of the folded network's maps, as it is fitted.
    folded = fold_batch_norms(copy.deepcopy(wider))
    state = {key: value.numpy().copy() for key, value in folded.state_dict().items()}
    for array in state.values():
        array.flags.writeable = False  # as those of a file
    again = build({**ARCHITECTURE, "features": FEATURES, "parts": PARTS}, state)
    for one, other in zip(again(photos), folded(photos), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
