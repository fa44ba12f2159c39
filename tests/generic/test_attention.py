"""The enhanced attention module against a second implementation in NumPy, and mechanism by mechanism."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch.nn import functional as F

from generic.attention import ChannelNorm, DeformableAttention, EATBlock, guide_offsets
from generic.errors import ShapeError

SIZE = (4, 3)


def attention(seed=0, dim=8, size=SIZE, **options) -> DeformableAttention:
    """A module in float64 and evaluation mode, every parameter far from zero, so that nothing is idle."""
    options = {"heads": 4, "groups": 2, "k_in": 2, "k_offset": 3, **options}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = DeformableAttention(dim, size, **options).double().eval()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.4 * torch.randn_like(parameter))
    return module


def maps(n=2, dim=8, size=SIZE, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, dim, *size)))


@pytest.fixture(autouse=True)
def random_state():
    """Gives the global generator back as it was: training mode draws angles from it."""
    with torch.random.fork_rng(devices=[]):
        yield


# ---- the whole module, written again ----


def conv(x, weight, bias=None, padding=0):
    """Cross-correlation of one image (c, h, w) with a kernel (o, c, k, k)."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = sliding_window_view(x, weight.shape[2:], axis=(1, 2))
    y = np.einsum("chwij,ocij->ohw", windows, weight)
    return y if bias is None else y + bias[:, None, None]


def bilinear(image, x, y):
    """The image (c, h, w) at column and row ``x, y`` in pixels, neighbours mixed; zero outside."""
    c, h, w = image.shape
    total = np.zeros(c)
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < h and 0 <= column < w:
                total += image[:, row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def guided(offset, point, eta):
    same = offset[0] * point[0] > 0 and offset[1] * point[1] > 0
    return offset if same else eta * offset


def reference_positions(p, x, q, g, module):
    """Sampling positions (n, 2) of one group of one image."""
    h, w = module.size
    hp, wp = module.grid
    points = np.tanh(conv(x, p["interest.weight"], p["interest.bias"]) + p["point_start"][0])
    width = len(q) // module.groups
    group = q[g * width : (g + 1) * width]
    pad = p["offset_depthwise.weight"].shape[-1] // 2
    features = np.concatenate(
        [conv(group[i : i + 1], p["offset_depthwise.weight"][i : i + 1], padding=pad) for i in range(width)]
    )
    features += p["offset_depthwise.bias"][:, None, None]
    features = (features - features.mean(0)) / np.sqrt(features.var(0) + 1e-5)
    features = features * p["offset_norm.weight"][:, None, None] + p["offset_norm.bias"][:, None, None]
    features = features * 0.5 * (1 + scipy.special.erf(features / math.sqrt(2)))
    positions = []
    for r in range(hp):
        for c in range(wp):
            rows = slice(r * h // hp, math.ceil((r + 1) * h / hp))
            columns = slice(c * w // wp, math.ceil((c + 1) * w / wp))
            pooled = features[:, rows, columns].mean((1, 2))
            offset = module.offset_range * np.tanh(p["offset_out.weight"][:, :, 0, 0] @ pooled)
            positions.append(np.tanh(points[:, r, c] + guided(offset, points[:, r, c], module.eta)))
    return np.array(positions)


def reference(module, x):
    """The output (c, h, w) for one image (c, h, w), by loops."""
    p = {key: value.numpy() for key, value in module.state_dict().items()}
    (h, w), m, g = module.size, module.heads, module.groups
    c = len(x)
    q = conv(x, p["q.weight"], p["q.bias"])
    head, group = c // m, c // g
    attended = np.zeros((m, head, h * w))
    pixels = [(reference_positions(p, x, q, number, module) + 1) / 2 * (w - 1, h - 1) for number in range(g)]
    sampled = np.concatenate(
        [
            np.array([bilinear(x[number * group : (number + 1) * group], *xy) for xy in pixels[number]]).T
            for number in range(g)
        ]
    )
    k = p["k.weight"][:, :, 0, 0] @ sampled + p["k.bias"][:, None]
    v = p["v.weight"][:, :, 0, 0] @ sampled + p["v.bias"][:, None]
    for number in range(m):
        part = slice(number * head, (number + 1) * head)
        logits = np.einsum("cq,cn->qn", q[part].reshape(head, -1), k[part]) / math.sqrt(head)
        table = p["bias_table"][number : number + 1]
        for i in range(h):
            for j in range(w):
                for n, (column, row) in enumerate(pixels[number * g // m]):
                    logits[i * w + j, n] += bilinear(table, j - column + w - 1, i - row + h - 1)[0]
        attended[number] = np.einsum("qn,cn->cq", scipy.special.softmax(logits, axis=1), v[part])
    return conv(attended.reshape(c, h, w), p["out.weight"], p["out.bias"])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"k_in": 1, "groups": 1, "heads": 2},
        {"k_in": 3, "groups": 4, "heads": 4, "eta": 0.1, "offset_range": 0.6},
        {"k_in": 1, "k_offset": 5, "size": (2, 5)},
    ],
)
def test_it_equals_loops_written_from_the_paper(options):
    module, x = attention(**options), maps(size=options.get("size", SIZE))
    with torch.no_grad():
        got = module(x).numpy()
    expected = np.array([reference(module, image) for image in x.numpy()])
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


# ---- gradients ----


def test_gradients_of_the_offset_guidance():
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.uniform(-1, 1, (2, 6, 2)))
    offsets = torch.from_numpy(rng.uniform(-1, 1, (2, 6, 2))).requires_grad_()
    angles = torch.from_numpy(rng.uniform(-1, 1, (2, 6))).requires_grad_()
    assert (offsets * points).abs().min() > 1e-3  # away from the quadrants' borders
    assert torch.autograd.gradcheck(lambda o, a: guide_offsets(o, points, 0.25, a), (offsets, angles))
    assert torch.autograd.gradcheck(lambda o: guide_offsets(o, points, 0.25), (offsets,))


def test_gradients_of_the_whole_module():
    size = (3, 2)
    module, x = attention(seed=0, dim=4, size=size, heads=2, k_in=1), maps(1, 4, size)
    with torch.no_grad():
        q = module.q(x)
        points, offsets = module.points(x), module.offsets(q)
        pixels = (module.positions(x, q) + 1) / 2 * torch.tensor([size[1] - 1, size[0] - 1])
    # Away from the quadrants' borders and from the pixel centres, where bilinear reading has kinks.
    assert (points * offsets).abs().min() > 1e-4
    assert (pixels - pixels.round()).abs().min() > 1e-4
    names = [name for name, _ in module.named_parameters()]

    def run(x, *values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    values = [value.detach().requires_grad_() for value in module.parameters()]
    assert torch.autograd.gradcheck(run, (x.requires_grad_(), *values))


def test_every_parameter_learns():
    module = attention()
    module(maps()).square().sum().backward()
    idle = {name for name, parameter in module.named_parameters() if parameter.grad.abs().max() < 1e-9}
    # It adds the same to a query's agreement with every key, which the softmax takes out again.
    assert idle == {"k.bias"}


# ---- one test for each mechanism ----


def test_a_score_does_not_depend_on_what_else_is_scored():
    module, x = attention(), maps(5)
    with torch.no_grad():
        together, alone = module(x), torch.cat([module(image[None]) for image in x])
        others = module(torch.cat((x[:1], 100 * maps(4, seed=9))))
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    torch.testing.assert_close(others[0], together[0], rtol=0, atol=1e-12)


def test_points_come_from_the_image_itself():
    module = attention()
    x = maps(3)
    with torch.no_grad():
        points = module.points(x)
        moved = module.points(torch.cat((x[:1] + 1, x[1:])))
    assert points.shape == (3, 1, 6, 2)
    assert (points[0] - points[1]).abs().max() > 0.05
    assert (moved[0] - points[0]).abs().max() > 0.05
    torch.testing.assert_close(moved[1:], points[1:], rtol=0, atol=1e-12)


def test_points_begin_as_a_regular_grid():
    module = DeformableAttention(4, (4, 3), heads=2, k_in=2)
    torch.testing.assert_close(module.point_start.tanh()[0, 0], torch.tensor([[-0.9, 0.9]] * 3))
    torch.testing.assert_close(module.point_start.tanh()[0, 1, :, 0], torch.tensor([-0.9, 0.0, 0.9]))
    # A kernel as large as the map leaves one point, and it begins in the centre.
    assert DeformableAttention(4, (3, 3), heads=2, k_in=3).point_start.tolist() == [[[[0.0]], [[0.0]]]]


@pytest.mark.parametrize(
    ("size", "k_in", "grid"), [((14, 14), 8, (7, 7)), ((14, 14), 1, (14, 14)), ((9, 5), 3, (7, 3))]
)
def test_the_interest_kernel_sets_the_number_of_points(size, k_in, grid):
    module, x = attention(dim=4, size=size, k_in=k_in), maps(2, 4, size)
    with torch.no_grad():
        q = module.q(x)
        n = grid[0] * grid[1]
        assert module.grid == grid
        assert module.points(x).shape == (2, 1, n, 2)
        assert module.offsets(q).shape == (2, 2, n, 2)
        assert module.positions(x, q).shape == (2, 2, n, 2)
        assert module(x).shape == x.shape


def test_offsets_fill_their_range_and_stay_in_it():
    module = attention(offset_range=0.3)
    with torch.no_grad():
        module.offset_out.weight.mul_(100)
        offsets = module.offsets(module.q(maps())).abs()
    assert 0.29 < offsets.max() <= 0.3


def test_offsets_come_from_the_queries_and_differ_between_groups():
    module, x = attention(), maps()
    with torch.no_grad():
        offsets, other = module.offsets(module.q(x)), module.offsets(module.q(x) + maps(seed=2))
    assert (offsets - other).abs().max() > 0.05
    assert (offsets[:, 0] - offsets[:, 1]).abs().max() > 0.05


@pytest.mark.parametrize("eta", [0.0, 0.1, 0.25, 1.0])
def test_an_offset_that_leaves_its_quadrant_counts_eta(eta):
    points = torch.tensor([[0.2, 0.3]] * 4 + [[-0.2, 0.3]] * 4, dtype=torch.float64)
    turns = torch.tensor([[0.5, 0.7], [-0.5, 0.7], [0.5, -0.7], [-0.5, -0.7]] * 2, dtype=torch.float64)
    weight = torch.tensor([1, eta, eta, eta, eta, 1, eta, eta], dtype=torch.float64)
    torch.testing.assert_close(guide_offsets(turns, points, eta), turns * weight[:, None], rtol=1e-15, atol=0)


def test_an_offset_along_an_axis_or_from_the_centre_is_in_no_quadrant():
    offsets = torch.tensor([[0.4, 0.0], [0.4, 0.4]])
    points = torch.tensor([[0.5, 0.5], [0.0, 0.5]])
    assert guide_offsets(offsets, points, 0.25).tolist() == pytest.approx(np.array([[0.1, 0.0], [0.1, 0.1]]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_guidance_keeps_the_precision_it_is_given(dtype):
    points = torch.full((1, 2), 0.5, dtype=dtype)
    assert guide_offsets(-points, points, 0.1).dtype == dtype


def test_rotation_turns_the_guided_offset_counterclockwise():
    offsets = torch.tensor([[0.5, 0.0], [0.0, 0.5], [0.3, 0.4]], dtype=torch.float64)
    angles = torch.tensor([math.pi / 2, math.pi / 2, 1.1], dtype=torch.float64)
    got = guide_offsets(offsets, torch.ones_like(offsets), 1.0, angles).numpy()
    turned = offsets.numpy() @ (1, 1j) * np.exp(1j * angles.numpy())
    np.testing.assert_allclose(got @ (1, 1j), turned, rtol=0, atol=1e-15)


def turns(module, x):
    """Angle and growth of every offset through the module's rotation."""
    with torch.no_grad():
        q = module.q(x)
        points, offsets = module.points(x), module.offsets(q)
        points = points.expand_as(offsets)
        before = guide_offsets(offsets, points, module.eta).numpy() @ (1, 1j)
        after = (torch.atanh(module.positions(x, q)) - points).numpy() @ (1, 1j)
    return np.angle(after / before), np.abs(after / before)


@pytest.mark.parametrize("progress", [0.0, 0.5])
def test_offsets_turn_while_training_less_and_less(progress):
    module = attention(size=(6, 6), k_in=1).train()
    module.progress = progress
    torch.manual_seed(0)
    angles, growth = turns(module, maps(8, size=(6, 6)))
    np.testing.assert_allclose(growth, 1, rtol=0, atol=1e-9)
    limit = (1 - progress) * math.pi / 2
    # Uniform over ±limit: 576 angles reach its ends, have its spread, and are drawn point by point.
    assert 0.97 * limit < np.abs(angles).max() <= limit
    assert angles.std() == pytest.approx(limit / math.sqrt(3), rel=0.1)
    assert len(np.unique(angles.round(9))) == angles.size


@pytest.mark.parametrize(("training", "progress"), [(True, 1.0), (False, 0.0), (False, 1.0)])
def test_nothing_turns_at_the_end_of_training_or_in_use(training, progress):
    module = attention().train(training)
    module.progress = progress
    before = torch.get_rng_state()
    angles, _ = turns(module, maps())
    np.testing.assert_allclose(angles, 0, rtol=0, atol=1e-9)
    assert torch.equal(torch.get_rng_state(), before)


def test_using_it_is_deterministic():
    module, x = attention(), maps()
    with torch.no_grad():
        assert torch.equal(module(x), module(x))


def test_positions_stay_inside_the_image():
    module, x = attention(), maps()
    with torch.no_grad():
        module.point_start.fill_(3.0)
        module.offset_out.weight.mul_(100)
        q = module.q(x)
        sums = module.points(x) + module.offsets(q)
        positions = module.positions(x, q)
    assert sums.abs().max() > 1.5  # without the last tanh they would leave it
    assert positions.abs().max() < 1


@pytest.mark.parametrize("size", [(3, 4), (5, 2)])
def test_position_bias_is_the_table_where_keys_sit_on_cells(size):
    module = attention(size=size, k_in=1)
    h, w = size
    cells = np.array([(r, c) for r in range(h) for c in range(w)])
    # Each of two groups of two heads has its own keys: the second those of the first backwards.
    keys = np.stack((cells, cells[::-1]))
    positions = torch.from_numpy(2 * keys[None, :, :, ::-1] / (w - 1, h - 1) - 1)
    with torch.no_grad():
        bias, table = module.position_bias(positions).numpy(), module.bias_table.numpy()
    assert bias.shape == (1, 4, h * w, h * w)
    for head in range(4):
        for query, (i, j) in enumerate(cells):
            for key, (r, c) in enumerate(keys[head // 2]):
                expected = table[head, i - r + h - 1, j - c + w - 1]
                assert bias[0, head, query, key] == pytest.approx(expected, rel=0, abs=1e-12)


def test_position_bias_reaches_the_output():
    module, x = attention(), maps()
    with torch.no_grad():
        before = module(x)
        module.bias_table.zero_()
        assert (module(x) - before).abs().max() > 1e-3


# ---- the block ----


def block(**options) -> EATBlock:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EATBlock(8, SIZE, heads=4, groups=2, k_in=2, k_offset=3, **options).double().eval()


def test_channel_norm_is_layer_norm_at_each_position():
    norm, x = ChannelNorm(8).double(), maps()
    got = norm(x)[1, :, 2, 1]
    torch.testing.assert_close(got, F.layer_norm(x[1, :, 2, 1], (8,)), rtol=0, atol=1e-12)


def test_a_block_is_two_residual_branches_before_which_it_normalises():
    module, x = block(mlp_ratio=3.0), maps()
    with torch.no_grad():
        middle = x + module.attention(F.layer_norm(x.movedim(1, -1), (8,)).movedim(-1, 1))
        hidden = torch.einsum("oc,bchw->bohw", module.mlp[0].weight[:, :, 0, 0], module.norm2(middle))
        hidden = F.gelu(hidden + module.mlp[0].bias[:, None, None])
        added = torch.einsum("oc,bchw->bohw", module.mlp[2].weight[:, :, 0, 0], hidden)
        expected = middle + added + module.mlp[2].bias[:, None, None]
        assert module.mlp[0].out_channels == 24
        torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)


def test_drop_path_leaves_out_a_branch_for_some_images_while_training():
    module, x = block(drop_path=0.25), maps(64)
    with torch.no_grad():
        for parameter in module.mlp[2].parameters():
            parameter.zero_()
        torch.manual_seed(0)
        branch = module(x) - x
        trained = module.train()(x) - x
    share = (trained / branch).flatten(1)
    torch.testing.assert_close(share, share[:, :1].expand_as(share), rtol=0, atol=1e-6)
    kept = share[:, 0].round(decimals=6)
    assert sorted(set(kept.tolist())) == [0.0, 1.333333]
    # 64 images at 0.75: within four standard errors.
    assert (kept > 0).double().mean() == pytest.approx(0.75, abs=0.22)


# ---- errors ----


@pytest.mark.parametrize(("dim", "heads", "groups"), [(8, 3, 1), (8, 4, 3)])
def test_numbers_that_do_not_divide(dim, heads, groups):
    with pytest.raises(ShapeError) as caught:
        DeformableAttention(dim, SIZE, heads=heads, groups=groups)
    assert str(caught.value) == (
        f"attention with dim {dim}, {heads} heads and {groups} groups does not divide; "
        f"choose heads that divide dim and groups that divide heads"
    )


def test_a_kernel_larger_than_the_map():
    with pytest.raises(ShapeError) as caught:
        DeformableAttention(8, (9, 5), heads=4, k_in=6)
    assert str(caught.value) == "interest kernel k_in=6 is larger than the 9x5 map; choose at most 5"


def test_a_map_of_another_size():
    with pytest.raises(ShapeError) as caught:
        attention()(maps(size=(3, 4)))
    assert str(caught.value) == "attention was built for 4x3 maps, got 3x4"
