"""PS-ViT against a second implementation in the authors' units, and what EAT adds, mechanism by mechanism."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.special
import torch
from timm.models import group_parameters

from generic.eat.points import set_progress
from generic.eat.psvit import PSViT, PSViTConfig
from generic.errors import ShapeError

SMALL = {"img_size": 64, "num_classes": 5, "dim": 32, "heads": 4, "depth": 4, "num_iters": 3, "grid": 4}
SIDE = 16
"""Of the small network's map."""
ADDED = {"enhance.interest.conv.weight", "enhance.interest.conv.bias", "enhance.interest.start"}


def build(seed=0, **options) -> PSViT:
    """A small network as it begins, in float64 and evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PSViT(**{**SMALL, **options}).double().eval()


def lively(seed=0, *, reach=1.0, **options) -> PSViT:
    """The same with parameters far from zero and points that move ``reach`` positions or so each step."""
    network = build(seed, **options)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for name, parameter in network.named_parameters():
            if name.startswith(("position", "class_token", "head", "blocks", "steps")):
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif name.startswith("offsets"):
                parameter.add_(reach / math.sqrt(network.num_features) * torch.randn_like(parameter))
            elif name == "enhance.interest.conv.weight":
                parameter.mul_(5)
    return network


def images(n=2, size=64, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, 3, size, size)))


def push(network, *offset):
    """Makes every step predict the same offset, in positions of the map, at every point."""
    with torch.no_grad():
        for layer in network.offsets:
            layer.weight.zero_()
            layer.bias.copy_(torch.tensor(offset))


@pytest.fixture(autouse=True)
def random_state():
    """Gives the global generator back as it was: training mode draws angles from it."""
    with torch.random.fork_rng(devices=[]):
        yield


# ---- the host ----


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("grid", [1, 4, 5, 14, 16])
def test_it_runs(enhanced, grid):
    network = build(enhanced=enhanced, grid=grid)
    with torch.no_grad():
        tokens = network.forward_features(images())
        assert tokens.shape == (2, 1 + grid * grid, 32)
        assert network.forward_head(tokens, pre_logits=True).shape == (2, 32)
        assert torch.equal(network.forward_head(tokens), network(images()))
        points = network.sampling_points(images())
    assert [p.shape for p in points] == [(2, grid * grid, 2)] * 3


def reference_tokens(network, image):
    """Tokens (n, c) after the steps, and each step's points (n, 2) as columns and rows of the map."""
    p = {key: value.numpy() for key, value in network.state_dict().items()}
    grid = network.config.grid
    with torch.no_grad():
        features = network.stem(image[None])[0].numpy()
    rows, columns = np.divmod(np.arange(grid * grid), grid)
    points = (np.stack((columns, rows), 1) + 0.5) * SIDE / grid - 0.5
    tokens, visited = 0.0, []
    for index, step in enumerate(network.steps):
        if index:
            points = points + tokens @ p[f"offsets.{index - 1}.weight"].T + p[f"offsets.{index - 1}.bias"]
        visited.append(points)
        found = [
            scipy.ndimage.map_coordinates(c, points.T[::-1], order=1, mode="grid-constant") for c in features
        ]
        place = (points + 0.5) / SIDE @ p["position.weight"].T + p["position.bias"]
        tokens = np.stack(found, 1) + place + tokens
        with torch.no_grad():
            tokens = step(torch.from_numpy(tokens)[None])[0].numpy()
    return tokens, visited


def test_the_steps_equal_those_written_again_in_positions_of_the_map():
    network, x = lively(grid=5), images()
    with torch.no_grad():
        got, points, outputs = network.forward_features(x), network.sampling_points(x), network(x)
    for i, image in enumerate(x):
        tokens, visited = reference_tokens(network, image)
        for ours, theirs in zip(points, visited, strict=True):
            np.testing.assert_allclose((ours[i].numpy() + 1) / 2 * (SIDE - 1), theirs, rtol=0, atol=1e-10)
        assert np.abs(visited[2] - visited[0]).max() > 0.5
        with torch.no_grad():
            tokens = torch.cat((network.class_token[0], torch.from_numpy(tokens)))[None]
            tokens = network.norm(network.blocks[0](tokens))
            torch.testing.assert_close(got[i], tokens[0], rtol=0, atol=1e-9)
            torch.testing.assert_close(outputs[i], network.head(tokens[0, 0]), rtol=0, atol=1e-9)


def test_an_encoder_layer_is_two_residual_branches_before_which_it_normalises():
    layer = lively().steps[1]
    p = {key: value.numpy() for key, value in layer.state_dict().items()}
    x = np.random.default_rng(2).standard_normal((7, 32))

    def norm(x, name):
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
        return x * p[f"{name}.weight"] + p[f"{name}.bias"]

    assert p["mlp.fc1.weight"].shape == (96, 32)
    assert "attn.qkv.bias" not in p
    q, k, v = (norm(x, "norm1") @ p["attn.qkv.weight"].T).reshape(7, 3, 4, 8).transpose(1, 2, 0, 3)
    weights = scipy.special.softmax(q @ k.transpose(0, 2, 1) / math.sqrt(8), axis=-1)
    attended = (weights @ v).transpose(1, 0, 2).reshape(7, 32)
    middle = x + attended @ p["attn.proj.weight"].T + p["attn.proj.bias"]
    hidden = norm(middle, "norm2") @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"]
    hidden = hidden * 0.5 * (1 + scipy.special.erf(hidden / math.sqrt(2)))
    expected = middle + hidden @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]
    with torch.no_grad():
        got = layer(torch.from_numpy(x)[None])[0].numpy()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_a_bottleneck_adds_its_input_projected_only_where_channels_differ():
    widen, keep = build(dim=256).stem[4:]
    x = images(1)[:, :1].expand(1, 64, 64, 64)
    with torch.no_grad():
        for norm in (widen.expand[1], keep.expand[1]):
            norm.weight.zero_()
        wide = widen(x)
        torch.testing.assert_close(wide, widen.shortcut(x).relu(), rtol=0, atol=0)
        torch.testing.assert_close(keep(wide), wide, rtol=0, atol=0)
    assert not list(keep.shortcut.parameters())


@pytest.mark.parametrize("grid", [1, 3, 4, 16])
def test_points_begin_at_the_centres_of_equal_cells(grid):
    with torch.no_grad():
        first = build(grid=grid).sampling_points(images())[0]
    positions = (first.numpy() + 1) / 2 * (SIDE - 1)
    axis = np.array([(2 * i + 1) * SIDE / (2 * grid) - 0.5 for i in range(grid)])
    expected = np.array([(column, row) for row in axis for column in axis])
    np.testing.assert_allclose(positions, [expected, expected], rtol=0, atol=1e-12)


@pytest.mark.parametrize("enhanced", [False, True])
def test_points_stay_where_they_are_until_offsets_are_learned(enhanced):
    with torch.no_grad():
        first, *later = build(enhanced=enhanced).sampling_points(images())
    for points in later:
        assert torch.equal(points, first)


def test_an_offset_moves_a_point_by_so_many_positions_of_the_map():
    network = build()
    push(network, 1.5, -2.25)
    with torch.no_grad():
        first, second, third = network.sampling_points(images())
    step = torch.tensor([1.5, -2.25], dtype=torch.float64) * 2 / (SIDE - 1)
    torch.testing.assert_close(second, first + step, rtol=0, atol=1e-12)
    # The host alone lets points leave the map.
    torch.testing.assert_close(third, first + 2 * step, rtol=0, atol=1e-12)
    assert third.min() < -1


def test_offsets_learn_from_what_the_points_find_not_from_where_they_are():
    network = lively()
    network(images()).square().sum().backward()
    assert network.offsets[0].bias.grad.abs().min() > 1e-6
    network.zero_grad()
    # On a map that is one everywhere only the address of a point could tell it apart.
    with torch.no_grad():
        network.stem[5].expand[1].weight.zero_()
        network.stem[5].shortcut[1].weight.zero_()
        network.stem[5].expand[1].bias.fill_(1)
    push(network, 0.5, 0.5)
    network(images()).square().sum().backward()
    assert network.position.weight.grad.abs().max() > 1e-3
    assert network.offsets[0].bias.grad.abs().max() < 1e-12


# ---- the enhancement leaves the structure as it is ----


def shapes(network):
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("options", "kernel", "start"), [({}, 4, 4), ({"grid": 5}, 4, 5), ({"grid": 16}, 1, 16)]
)
def test_the_enhanced_network_adds_names_under_its_own_module_only(options, kernel, start):
    plain, enhanced = shapes(build(**options)), shapes(build(enhanced=True, **options))
    assert {name: shape for name, shape in enhanced.items() if name in plain} == plain
    assert {name: shape for name, shape in enhanced.items() if name not in plain} == {
        "enhance.interest.conv.weight": (2, 32, kernel, kernel),
        "enhance.interest.conv.bias": (2,),
        "enhance.interest.start": (1, 2, start, start),
    }


def test_weights_of_the_plain_network_load_into_the_enhanced_one():
    plain, enhanced = lively(), build(seed=1, enhanced=True)
    result = enhanced.load_state_dict(plain.state_dict(), strict=False)
    assert set(result.missing_keys) == ADDED
    assert result.unexpected_keys == []


def test_one_seed_gives_both_networks_the_same_weights():
    enhanced = build(enhanced=True).state_dict()
    for name, value in build().state_dict().items():
        assert torch.equal(enhanced[name], value), name


def test_where_nothing_is_guided_and_points_begin_as_the_hosts_it_is_the_host():
    plain, enhanced, x = lively(reach=0.2), build(enhanced=True, eta=1.0), images()
    enhanced.load_state_dict(plain.state_dict(), strict=False)
    with torch.no_grad():
        points = plain.sampling_points(x)
        interest = enhanced.enhance.interest
        interest.conv.weight.zero_()
        interest.start.copy_(points[0][0].T.reshape(1, 2, 4, 4).atanh())
        assert torch.stack(points).abs().max() < 1
        assert (points[2] - points[0]).abs().max() > 0.05
        torch.testing.assert_close(enhanced(x), plain(x), rtol=0, atol=1e-10)


# ---- its mechanisms ----


def test_points_come_from_the_image_itself():
    network, x = lively(enhanced=True), images(3)
    with torch.no_grad():
        first = network.sampling_points(x)[0]
        moved = network.sampling_points(torch.cat((x[:1] + 1, x[1:])))[0]
        plain = lively().sampling_points(x)[0]
    assert (first[0] - first[1]).abs().max() > 0.01
    assert (moved[0] - first[0]).abs().max() > 0.01
    torch.testing.assert_close(moved[1:], first[1:], rtol=0, atol=1e-12)
    assert torch.equal(plain[0], plain[1])


@pytest.mark.parametrize("enhanced", [False, True])
def test_neither_points_nor_scores_depend_on_what_else_is_scored(enhanced):
    network, x = lively(enhanced=enhanced), images(4)
    with torch.no_grad():
        together = network(x)
        alone = torch.cat([network(image[None]) for image in x])
        points = torch.stack(network.sampling_points(x))
        points_alone = torch.cat([torch.stack(network.sampling_points(image[None])) for image in x], 1)
        others = network(torch.cat((x[:1], 100 * images(3, seed=9))))
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-11)
    torch.testing.assert_close(points, points_alone, rtol=0, atol=1e-11)
    torch.testing.assert_close(others[0], together[0], rtol=0, atol=1e-11)


@pytest.mark.parametrize("eta", [0.0, 0.25, 1.0])
def test_an_offset_that_leaves_its_quadrant_counts_eta(eta):
    network = build(enhanced=True, eta=eta)
    push(network, 0.5, 0.25)
    with torch.no_grad():
        first, second, _ = network.sampling_points(images())
    same = (first > 0).all(-1, keepdim=True)
    assert same.sum() == 2 * 4  # the lower right quarter of either image
    step = torch.tensor([0.5, 0.25], dtype=torch.float64) * 2 / (SIDE - 1)
    torch.testing.assert_close(second, first + torch.where(same, step, eta * step), rtol=0, atol=1e-12)


def test_offsets_are_guided_from_where_the_points_are_now():
    network = build(enhanced=True, eta=0.25)
    # The first push, at a quarter, takes points over the centre to a quadrant where the second is at home.
    push(network, -4.0, -4.0)
    with torch.no_grad():
        network.offsets[1].bias.fill_(-2.0)
        network.enhance.interest.conv.weight.zero_()
        network.enhance.interest.start.fill_(0.1)
        first, second, third = network.sampling_points(images())
    unit = 2 / (SIDE - 1)
    torch.testing.assert_close(first, torch.full_like(first, math.tanh(0.1)), rtol=0, atol=1e-7)
    torch.testing.assert_close(second, first - unit, rtol=0, atol=1e-12)
    torch.testing.assert_close(third, second - 2 * unit, rtol=0, atol=1e-12)


def test_positions_stay_on_the_map_and_find_the_way_back():
    network = build(enhanced=True, eta=1.0)
    push(network, 40.0, 0.0)
    with torch.no_grad():
        first, second, third = network.sampling_points(images())
    assert (second[..., 0] == 1).all()
    assert torch.equal(second[..., 1], first[..., 1])
    assert torch.equal(third, second)
    back = torch.tensor([-0.25, 0.0], dtype=torch.float64, requires_grad=True)
    network.enhance(second[:, None], back.expand(2, 1, 16, 2))[..., 0].sum().backward()
    assert back.grad.tolist() == [32.0, 0.0]


def rotating(progress, **options):
    """A network in training with its batch norms at rest, so that only offsets turn."""
    network = lively(enhanced=True, reach=0.3, **options)
    set_progress(network, progress)
    network.train()
    network.stem.eval()
    return network


@pytest.mark.parametrize("progress", [0.0, 0.5])
def test_offsets_turn_while_training_less_and_less(progress):
    network, x = rotating(progress, grid=8, num_iters=2, eta=0.25), images(4)
    torch.manual_seed(0)
    with torch.no_grad():
        first, turned = network.sampling_points(x)
        straight = network.eval().sampling_points(x)
    torch.testing.assert_close(first, straight[0], rtol=0, atol=0)
    inside = ((turned.abs() < 1) & (straight[1].abs() < 1)).all(-1).numpy()
    assert inside.mean() > 0.9
    before = ((straight[1] - first).numpy() @ (1, 1j))[inside]
    after = ((turned - first).numpy() @ (1, 1j))[inside]
    np.testing.assert_allclose(np.abs(after), np.abs(before), rtol=1e-9)
    angles, limit = np.angle(after / before), (1 - progress) * math.pi / 2
    assert 0.95 * limit < np.abs(angles).max() <= limit * (1 + 1e-9)
    # 256 points at ±limit, uniform: its spread within a tenth.
    assert angles.std() == pytest.approx(limit / math.sqrt(3), rel=0.1)


def test_nothing_turns_at_the_end_of_training_or_in_use():
    x = images()
    with torch.no_grad():
        used = lively(enhanced=True, reach=0.3).sampling_points(x)
        finished = rotating(1.0).sampling_points(x)
        network = rotating(0.0)
        turned = network.sampling_points(x)
        early_use = network.eval().sampling_points(x)
    for a, b, c in zip(used, finished, early_use, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)
    assert not torch.equal(turned[1], used[1])


@pytest.mark.parametrize("enhanced", [False, True])
def test_using_it_is_deterministic(enhanced):
    network, x = lively(enhanced=enhanced, drop_rate=0.5, attn_drop_rate=0.5, drop_path_rate=0.5), images()
    before = torch.get_rng_state()
    with torch.no_grad():
        assert torch.equal(network(x), network(x))
        assert torch.equal(torch.get_rng_state(), before)
        assert not torch.equal(network.train()(x), network(x))


# ---- gradients ----


def test_gradients_through_sampling_and_guidance():
    options = {"img_size": 16, "dim": 4, "heads": 2, "depth": 2, "num_iters": 2, "grid": 2, "num_classes": 1}
    network, x = lively(enhanced=True, reach=0.2, **options), images(1, 16)
    # The address of a point is detached; without it, the difference quotient and the gradient must agree.
    with torch.no_grad():
        network.position.weight.zero_()
        network.enhance.interest.conv.weight.mul_(0.1)
        points = torch.stack(network.sampling_points(x))
    positions = (points + 1) / 2 * 3
    # Away from the borders of quadrants and map, and from the positions, where bilinear reading has kinks.
    assert points.abs().min() > 1e-3
    assert points.abs().max() < 1 - 1e-3
    assert (points[1] - points[0]).abs().min() > 1e-4
    assert (positions - positions.round()).abs().min() > 1e-4
    tried = ("enhance.", "offsets.", "steps.1.attn.proj", "stem.5.expand.1", "position.bias")
    parameters = {name: p for name, p in network.named_parameters() if name.startswith(tried)}
    values = [value.detach().requires_grad_() for value in parameters.values()]

    def run(*values):
        return torch.func.functional_call(network, dict(zip(parameters, values, strict=True)), (x,))

    assert len(values) == 10
    assert torch.autograd.gradcheck(run, values)


def test_every_parameter_learns_from_the_beginning():
    network = build(enhanced=True).train()
    network(images(4)).square().sum().backward()
    idle = {name for name, p in network.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-12}
    assert idle == set()


def test_recomputing_layers_changes_no_gradient():
    kept, again = lively(enhanced=True, reach=0.3), lively(enhanced=True, reach=0.3)
    again.set_grad_checkpointing()
    calls = []
    again.steps[0].register_forward_pre_hook(lambda *_: calls.append(1))
    for network in (kept, again):
        network(images()).square().sum().backward()
    assert len(calls) == 2
    for (name, a), b in zip(kept.named_parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-9, atol=1e-12, msg=name)


# ---- a citizen of timm ----


def test_the_head_can_be_replaced_and_left_out():
    network, x = build(), images()
    network.reset_classifier(3, "token")
    network.double()
    assert network(x).shape == (2, 3)
    assert network.num_classes == 3
    network.reset_classifier(0)
    assert isinstance(network.get_classifier(), torch.nn.Identity)
    assert torch.equal(network(x), network.forward_features(x)[:, 0])
    assert network(x).shape[1] == network.num_features == network.head_hidden_size
    with pytest.raises(ShapeError) as caught:
        network.reset_classifier(3, "avg")
    assert str(caught.value) == "PS-ViT reads its class token, not 'avg'; leave global_pool out"


def test_weight_decay_spares_the_class_token_and_where_points_begin():
    assert build().no_weight_decay() == {"class_token"}
    assert build(enhanced=True).no_weight_decay() == {"class_token", "enhance.interest.start"}


def test_layers_are_grouped_in_their_order():
    network = build(enhanced=True)
    names = [name for name, _ in network.named_parameters()]
    fine = group_parameters(network, network.group_matcher(), reverse=True)
    coarse = group_parameters(network, network.group_matcher(coarse=True), reverse=True)
    assert set(fine) == set(coarse) == set(names)
    assert all(
        fine[name] == coarse[name] == 0 for name in names if name.startswith(("stem", "enhance", "pos"))
    )
    for index in range(3):
        assert fine[f"steps.{index}.norm1.weight"] == 1 + index
    assert (fine["offsets.1.weight"], fine["class_token"], fine["blocks.0.norm1.weight"]) == (2, 4, 4)
    assert (coarse["steps.2.norm1.weight"], coarse["offsets.0.bias"], coarse["class_token"]) == (1, 1, 2)
    assert fine["norm.weight"] == 4
    assert fine["head.weight"] == 5
    assert coarse["head.weight"] == 3


def test_options_build_the_same_network_again():
    network = lively(enhanced=True, eta=0.5, rotate="image")
    again = PSViT(**json.loads(json.dumps(network.options))).double().eval()
    again.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(again(images()), network(images()))
    assert again.config == network.config


def test_points_keep_their_precision_where_the_network_has_half_of_it():
    for enhanced in (False, True):
        network = lively(enhanced=enhanced).bfloat16()
        with torch.no_grad():
            points = network.sampling_points(images().bfloat16())
            assert {p.dtype for p in points} == {torch.float32}
            assert network(images().bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("training", [False, True])
def test_it_compiles_into_one_graph(training):
    network, x = build(enhanced=True, depth=2, num_iters=2), images()
    push(network, 0.5, 0.25)
    set_progress(network, 0.5)
    network.train(training)
    network.stem.eval()
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.manual_seed(0)
        expected = network(x)
        torch.manual_seed(0)
        torch.testing.assert_close(compiled(x), expected, rtol=0, atol=1e-9)


# ---- errors ----


def test_images_of_another_size():
    with pytest.raises(ShapeError) as caught:
        build()(images(size=48))
    assert str(caught.value) == (
        "this PS-ViT takes images of shape (b, 3, 64, 64), got (2, 3, 48, 48); "
        "resize them, or build one with another img_size"
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"grid": 17}, "a grid of 17x17 points does not fit the 16x16 map; choose from 1 to 16"),
        ({"grid": 0}, "a grid of 0x0 points does not fit the 16x16 map; choose from 1 to 16"),
        ({"img_size": 62}, "img_size 62 is not a multiple of 4 from 8 up"),
        ({"img_size": 4}, "img_size 4 is not a multiple of 4 from 8 up"),
        ({"heads": 5}, "dim 32 does not divide into 5 heads"),
        ({"heads": 0}, "dim 32 does not divide into 0 heads"),
        ({"num_iters": 5}, "5 sampling steps do not fit a depth of 4; choose from 1 to 4"),
        (
            {"heads": 5, "num_iters": 0},
            "dim 32 does not divide into 5 heads; "
            "0 sampling steps do not fit a depth of 4; choose from 1 to 4",
        ),
    ],
)
def test_options_that_contradict_each_other(options, problem):
    with pytest.raises(ShapeError) as caught:
        PSViTConfig(**{**SMALL, **options})
    assert str(caught.value) == f"PS-ViT cannot be built: {problem}"
