"""Explanations: the right points, the right heat, and a network that is as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from generic.eat import DeformableAttention, look
from generic.errors import ImageError
from generic.explain.explanation import PHOTO_SIDE, explain, to_fractions
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels

SIDE = 64


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A photo whose colours differ everywhere, as large as the networks' input: it is not resized."""
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    path = tmp_path_factory.mktemp("photo") / "noise.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def with_network(tiny_model):
    """A generic model around a network of the test's own."""

    def make(network: nn.Module) -> GenericModel:
        model = GenericModel(tiny_model)
        model.network = network.eval().requires_grad_(requires_grad=False)
        return model

    return make


def network_input(path) -> torch.Tensor:
    pixels = torch.from_numpy(load_pixels(path, SIDE))
    return pixels.permute(2, 0, 1)[None].float() / 127.5 - 1


def normalised(heat: np.ndarray) -> np.ndarray:
    heat = np.maximum(heat, 0)
    heat = heat - heat.min()
    return heat / (heat.max() + 1e-7)  # a map without any heat stays empty


class Red(nn.Module):
    """Scores the mean of a map that is the red channel alone, where it is above middle grey."""

    def __init__(self, beside: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1, bias=False)
        self.act = nn.ReLU()
        self.beside = beside
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([1.0, 0.0, 0.0])[None, :, None, None])

    def forward(self, x):
        reds = self.act(self.conv(x))
        if self.beside is not None:
            self.beside(reds)  # not read by the score
        return reds.mean((1, 2, 3)), reds.mean((2, 3))


class Attending(nn.Module):
    """A strided convolution, deformable attention in two groups beside it, a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 16, 16, 16)
        self.attention = DeformableAttention(16, (4, 4), heads=4, groups=2, k_in=2)
        self.head = nn.Linear(16, 1)
        with torch.no_grad():
            # Beyond its small start, so that weights and offsets differ.
            for parameter in self.attention.parameters():
                parameter.normal_(0, 0.5)

    def rest(self, before, attended):
        pooled = (before + attended).mean((2, 3))
        return self.head(pooled)[:, 0], pooled

    def forward(self, x):
        before = self.enter(x)
        return self.rest(before, self.attention(before))


@pytest.fixture
def attending():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Attending()


# ---- where on the photo ----


@pytest.mark.parametrize("size", [(4, 6), (1, 5), (9, 9)])
def test_fractions_are_where_grid_sample_reads_the_map(size):
    h, w = size
    # A map that holds, in each cell, where on the photo that cell's centre lies.
    rows, columns = torch.meshgrid((torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w, indexing="ij")
    positions = torch.rand(1, 1, 40, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    read = F.grid_sample(torch.stack((columns, rows))[None], positions, align_corners=True)[0, :, 0].T
    np.testing.assert_allclose(to_fractions(positions[0, 0].numpy(), size), read, atol=1e-6)


def test_a_layer_places_its_points_on_its_own_map(with_network, attending, photo):
    (layer,) = explain(with_network(attending), photo).layers
    np.testing.assert_array_equal(layer.places, to_fractions(layer.positions, (4, 4)))
    np.testing.assert_array_equal(layer.starts, to_fractions(layer.points, (4, 4)))


# ---- where the layers looked ----


def test_layers_hold_what_was_looked_at(with_network, attending, photo):
    explanation = explain(with_network(attending), photo)
    looked = look(attending, network_input(photo))[1]["attention"]
    (layer,) = explanation.layers
    assert (layer.name, layer.size, layer.grid) == ("attention", (4, 4), (3, 3))
    for part in ("points", "offsets", "positions"):
        values = getattr(layer, part)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, getattr(looked, part)[0])
    weights = looked.weights[0].numpy()
    for group in range(2):
        for point in range(9):
            mean = np.mean([weights[head, :, point].mean() for head in (2 * group, 2 * group + 1)])
            assert layer.point_weights[group, point] == pytest.approx(mean, rel=1e-5)
    assert layer.point_weights.shape == (2, 9)
    np.testing.assert_allclose(layer.point_weights.sum(1), 1, rtol=1e-6)
    assert np.ptp(layer.point_weights[0] - layer.point_weights[1]) > 1e-3


def test_the_score_without_attention_is_that_of_an_output_of_zeros(with_network, attending, photo):
    explanation = explain(with_network(attending), photo)
    with torch.no_grad():
        before = attending.enter(network_input(photo))
        unit = attending.rest(before, torch.zeros_like(before))[0].item()
    assert explanation.score_without == pytest.approx(1 + 6 * unit, rel=1e-5)
    assert abs(explanation.score_without - explanation.score) > 1e-2


def test_a_network_without_deformable_layers_has_none(with_network, photo):
    explanation = explain(with_network(Red()), photo)
    assert explanation.layers == ()
    assert explanation.score_without is None


def test_the_shipped_layout_shows_both_its_layers(tiny_model, album, names):
    explanation = explain(GenericModel(tiny_model), album / names[0])
    assert [(layer.name, layer.size, layer.grid) for layer in explanation.layers] == [
        ("tuned.eat.stages.0.attention", (4, 4), (3, 3)),
        ("tuned.eat.stages.1.attention", (2, 2), (2, 2)),
    ]


# ---- the heat map ----


def test_heat_is_the_map_times_its_gradient(with_network, photo):
    # Each position adds the same to the score for each unit of red, so the heat is the red itself.
    red = network_input(photo)[0, 0].numpy()
    cam = explain(with_network(Red()), photo).cam
    assert cam.dtype == np.float32
    np.testing.assert_allclose(cam, normalised(red), atol=1e-5)


class Table(nn.Module):
    """A map that comes from parameters alone."""

    def __init__(self) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.ones(1, 1, 4, 4))

    def forward(self, _x):
        return self.values * 2


@pytest.mark.parametrize("beside", [nn.AvgPool2d(2), Table()], ids=["unread", "constant"])
def test_a_map_that_the_score_does_not_read_is_passed_over(with_network, photo, beside):
    cam = explain(with_network(Red(beside)), photo).cam
    np.testing.assert_array_equal(cam, explain(with_network(Red()), photo).cam)


def test_heat_is_where_the_salient_patch_is(with_network, tmp_path):
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "blank.png")
    pixels[8:16, 40:60, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "patch.png")
    model = with_network(Red())
    assert explain(model, tmp_path / "blank.png").cam.max() == 0
    cam = explain(model, tmp_path / "patch.png").cam
    np.testing.assert_allclose(cam, pixels[..., 0] / 255.0, atol=1e-5)


def test_a_network_without_any_map_is_explained_by_the_photo_itself(with_network, photo):
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3 * SIDE * SIDE, 1)

        def forward(self, x):
            flat = x.flatten(1)
            return self.head(flat)[:, 0], flat[:, :2]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Flat()
    cam = explain(with_network(network), photo).cam
    weights = network.head.weight.detach().numpy().reshape(3, SIDE, SIDE)
    expected = normalised((weights * network_input(photo)[0].numpy()).sum(0))
    np.testing.assert_allclose(cam, expected, atol=1e-4)


def test_a_module_that_runs_twice_is_passed_over(with_network, photo):
    class Twice(Red):
        def __init__(self) -> None:
            super().__init__()
            self.again = nn.Conv2d(1, 2, 1)

        def forward(self, x):
            pooled = self.act(self.again(self.act(self.conv(x)))).mean((2, 3))
            return pooled.sum(1), pooled

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = Twice()
    cam = explain(with_network(network), photo).cam
    with torch.no_grad():
        after = network.again(network.act(network.conv(network_input(photo))))[0]
    # The gradient is that of the mean where the last activation lets it pass, else zero.
    expected = normalised(after.clamp(min=0).sum(0).numpy())
    np.testing.assert_allclose(cam, expected, atol=1e-5)


def test_piaa_lite_is_explained_by_every_block_that_its_score_reads(tiny_model, album, names):
    model = GenericModel(tiny_model)
    path = album / names[0]
    stem = model.network.stem
    parts_read = (stem.frozen_early, stem.frozen_late, model.network.tuned.late)
    cam = explain(model, path).cam
    taps: list[torch.Tensor] = []
    handles = [
        block.register_forward_hook(lambda _m, _i, output: taps.append(output))
        for part in parts_read
        for block in part.tapped()
    ]
    x = network_input(path).requires_grad_()
    gradients = torch.autograd.grad(model.network(x)[0].sum(), taps)
    for handle in handles:
        handle.remove()
    parts = []
    for tap, gradient in zip(taps, gradients, strict=True):
        heat = normalised((tap * gradient)[0].sum(0).detach().numpy())
        large = F.interpolate(torch.from_numpy(heat)[None, None], size=(SIDE, SIDE), mode="bilinear")
        parts.append(large[0, 0].numpy())
    assert len(parts) == 10 + 6
    np.testing.assert_allclose(cam, normalised(np.mean(parts, axis=0)), atol=1e-3)


# ---- the score, and the network afterwards ----


def test_the_score_is_the_one_of_scoring_in_the_models_units(tiny_model, album, names):
    model = GenericModel(tiny_model)
    path = album / names[0]
    unit = float(model.vectors(load_pixels(path, SIDE)[None])[0, 0])
    explanation = explain(model, path)
    assert explanation.score == 1 + unit * 6
    assert (explanation.path, explanation.model, explanation.scale) == (path, "piaa-tiny", (1.0, 7.0))


def test_explaining_leaves_the_network_as_it_was(tiny_model, album, names):
    model = GenericModel(tiny_model)
    pixels = np.stack([load_pixels(album / name, SIDE) for name in names])
    before = model.vectors(pixels)
    model.network.tuned.eat.stages[0].train()
    modes = {name: module.training for name, module in model.network.named_modules()}
    explain(model, album / names[0])
    assert {name: module.training for name, module in model.network.named_modules()} == modes
    model.network.eval()
    for module in model.network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
    for parameter in model.network.parameters():
        assert not parameter.requires_grad
        assert parameter.grad is None
    np.testing.assert_array_equal(model.vectors(pixels), before)


def test_explaining_twice_gives_the_same(tiny_model, album, names):
    model = GenericModel(tiny_model)
    first, second = (explain(model, album / names[0]) for _ in range(2))
    np.testing.assert_array_equal(first.cam, second.cam)
    np.testing.assert_array_equal(first.layers[0].positions, second.layers[0].positions)
    assert first.score == second.score


def test_a_network_that_was_built_while_scoring_can_be_explained(tiny_model, album, names):
    # Its parameters were made in inference mode and cannot take part in a gradient as they are.
    built_early, built_late = GenericModel(tiny_model), GenericModel(tiny_model)
    assert not next(built_early.network.parameters()).is_inference()
    with torch.inference_mode():
        assert next(built_late.network.parameters()).is_inference()
        cam = explain(built_late, album / names[0]).cam
    np.testing.assert_array_equal(cam, explain(built_early, album / names[0]).cam)


# ---- the photo ----


def test_the_photo_is_upright_and_small_enough_to_draw_on(with_network, tmp_path):
    tall = Image.new("RGB", (2000, 1000), "blue")
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    tall.save(tmp_path / "tall.jpg", exif=exif)
    photo = explain(with_network(Red()), tmp_path / "tall.jpg").photo
    assert photo.shape == (PHOTO_SIDE, PHOTO_SIDE // 2, 3)
    assert photo.dtype == np.uint8


def test_a_small_photo_is_kept_as_it_is(with_network, photo):
    with Image.open(photo) as original:
        np.testing.assert_array_equal(explain(with_network(Red()), photo).photo, np.asarray(original))


def test_a_missing_photo_is_refused(with_network, tmp_path):
    with pytest.raises(ImageError) as caught:
        explain(with_network(Red()), tmp_path / "none.jpg")
    assert str(caught.value) == f"{tmp_path / 'none.jpg'} does not exist; check the path"


def test_a_photo_above_the_limit_is_refused_and_a_higher_limit_lets_it_pass(with_network, photo):
    model = with_network(Red())
    with pytest.raises(ImageError) as caught:
        explain(model, photo, max_pixels=SIDE * SIDE - 1)
    assert str(caught.value) == (
        f"{photo} has 64 x 64 = 4096 pixels, the limit is 4095; "
        "allow it with --max-pixels 4096 or make it smaller"
    )
    assert explain(model, photo, max_pixels=SIDE * SIDE).photo.shape == (SIDE, SIDE, 3)


def test_facts_are_plain_values(with_network, attending, photo):
    explanation = explain(with_network(attending), photo)
    (layer,) = explanation.layers
    assert explanation.facts() == {
        "image": str(photo),
        "model": "piaa-tiny",
        "scale": [1.0, 7.0],
        "score": explanation.score,
        "score_without_attention": explanation.score_without,
        "layers": [
            {
                "name": "attention",
                "grid": [3, 3],
                "starts": layer.starts.tolist(),
                "positions": layer.places.tolist(),
                "weights": layer.point_weights.tolist(),
            }
        ],
    }


# ---- the shipped model ----


def test_the_shipped_model_is_hottest_where_its_score_hangs(tmp_path):
    from generic.model.registry import find_model
    from piaa.demo.scenes import draw_scenes, render

    path = tmp_path / "demo.png"
    render(draw_scenes(1, 0)[0], (480, 360)).save(path)
    model = GenericModel(find_model())
    explanation = explain(model, path)
    assert [layer.point_weights.shape for layer in explanation.layers] == [(1, 121), (1, 81)]
    assert explanation.cam.shape == (288, 288)
    assert explanation.cam.max() == pytest.approx(1, abs=1e-3)

    # Ninths of the photo made grey, the hottest and the coldest: what does the score lose?
    pixels = load_pixels(path, 288)
    heat = explanation.cam.reshape(3, 96, 3, 96).mean((1, 3))
    covered = []
    for ninth in (heat.argmax(), heat.argmin()):
        row, column = divmod(int(ninth), 3)
        copy = pixels.copy()
        copy[row * 96 : row * 96 + 96, column * 96 : column * 96 + 96] = pixels.mean((0, 1)).astype(np.uint8)
        covered.append(copy)
    hottest, coldest = model.vectors(np.stack(covered))[:, 0]
    assert hottest < coldest
