"""Interest points, coordinate grids and the guidance of offsets, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from generic.eat.points import (
    Guidance,
    InterestPoints,
    cell_grid,
    edge_grid,
    guide_offsets,
    map_grid,
    set_progress,
)

LIKE = torch.zeros((), dtype=torch.float64)
SIZES = [(4, 3), (2, 7), (1, 5), (1, 1)]


@pytest.fixture(autouse=True)
def random_state():
    """Gives the global generator back as it was: training mode draws angles from it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def uniform(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, shape))


# ---- grids ----


def test_the_map_grid_is_row_by_row_and_its_ends_are_position_centres():
    expected = [[[-1, -1], [0, -1], [1, -1]], [[-1, 1], [0, 1], [1, 1]]]
    assert map_grid(2, 3, like=LIKE).tolist() == expected


@pytest.mark.parametrize("size", SIZES)
def test_the_edge_grid_has_half_a_position_beyond_its_outermost_centres(size):
    h, w = size
    expected = [[((2 * j + 1) / w - 1, (2 * i + 1) / h - 1) for j in range(w)] for i in range(h)]
    np.testing.assert_allclose(edge_grid(h, w, like=LIKE), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("grid", "size"), [((2, 3), (4, 3)), ((7, 7), (14, 14)), ((3, 1), (7, 5)), ((1, 1), (1, 1))]
)
def test_the_cell_grid_holds_the_centres_of_equal_cells(grid, size):
    (hp, wp), (h, w) = grid, size
    rows, columns = (np.arange(hp) + 0.5) * h / hp - 0.5, (np.arange(wp) + 0.5) * w / wp - 0.5
    pixels = (cell_grid(grid, size, like=LIKE).numpy() + 1) / 2 * (w - 1, h - 1)
    np.testing.assert_allclose(pixels[..., 0], np.broadcast_to(columns, grid), rtol=0, atol=1e-12)
    np.testing.assert_allclose(pixels[..., 1], np.broadcast_to(rows[:, None], grid), rtol=0, atol=1e-12)


def test_as_many_cells_as_positions_are_the_positions():
    torch.testing.assert_close(cell_grid((4, 3), (4, 3), like=LIKE), map_grid(4, 3, like=LIKE))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_grids_have_the_type_that_is_asked_for(dtype):
    like = torch.zeros((), dtype=dtype)
    grids = map_grid(2, 2, like=like), edge_grid(2, 2, like=like), cell_grid((2, 2), (4, 4), like=like)
    assert {grid.dtype for grid in grids} == {dtype}


# ---- the weight of an offset (eqs 6 and 7) ----


@pytest.mark.parametrize("eta", [0.0, 0.1, 0.25, 1.0])
def test_an_offset_that_leaves_its_quadrant_counts_eta(eta):
    points = torch.tensor([[0.2, 0.3]] * 4 + [[-0.2, 0.3]] * 4, dtype=torch.float64)
    offsets = torch.tensor([[0.5, 0.7], [-0.5, 0.7], [0.5, -0.7], [-0.5, -0.7]] * 2, dtype=torch.float64)
    weight = torch.tensor([1, eta, eta, eta, eta, 1, eta, eta], dtype=torch.float64)
    expected = offsets * weight[:, None]
    torch.testing.assert_close(guide_offsets(offsets, points, eta), expected, rtol=1e-15, atol=0)


def test_an_offset_along_an_axis_or_from_the_centre_is_in_no_quadrant():
    offsets = torch.tensor([[0.4, 0.0], [0.4, 0.4]])
    points = torch.tensor([[0.5, 0.5], [0.0, 0.5]])
    assert guide_offsets(offsets, points, 0.25).tolist() == pytest.approx(np.array([[0.1, 0.0], [0.1, 0.1]]))


def test_no_gradient_passes_through_the_choice_of_the_weight():
    points, offsets = uniform(40, 2).requires_grad_(), uniform(40, 2, seed=1).requires_grad_()
    guide_offsets(offsets, points, 0.25).sum().backward()
    assert points.grad is None
    same = (torch.sign(points) == torch.sign(offsets)).all(1)
    assert 0 < same.sum() < 40
    torch.testing.assert_close(offsets.grad, torch.where(same, 1.0, 0.25).double()[:, None].expand(40, 2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_guidance_keeps_the_precision_it_is_given(dtype):
    points = torch.full((1, 2), 0.5, dtype=dtype)
    assert guide_offsets(-points, points, 0.1).dtype == dtype


# ---- the rotation (eqs 8 and 9) ----


def test_rotation_turns_the_guided_offset_from_x_towards_y():
    offsets = torch.tensor([[0.5, 0.0], [0.0, 0.5], [0.3, -0.4]], dtype=torch.float64)
    points = torch.ones_like(offsets)
    angles = torch.tensor([math.pi / 2, math.pi / 2, 1.1], dtype=torch.float64)
    got = guide_offsets(offsets, points, 0.5, angles).numpy() @ (1, 1j)
    turned = 0.5 * (offsets.numpy() @ (1, 1j)) * np.exp(1j * angles.numpy())
    np.testing.assert_allclose(got, turned, rtol=0, atol=1e-15)


def test_gradients_of_the_guidance():
    points, offsets, angles = uniform(2, 6, 2), uniform(2, 6, 2, seed=1), uniform(2, 6, seed=2)
    offsets.requires_grad_()
    angles.requires_grad_()
    assert (offsets * points).abs().min() > 1e-3  # away from the quadrants' borders
    assert torch.autograd.gradcheck(lambda o, a: guide_offsets(o, points, 0.25, a), (offsets, angles))
    assert torch.autograd.gradcheck(lambda o: guide_offsets(o, points, 0.25), (offsets,))


pairs = arrays(np.float64, (5, 2), elements=st.floats(-2, 2))


@given(offsets=pairs, points=pairs, eta=st.floats(0, 1))
def test_guidance_never_lengthens_an_offset_nor_changes_its_direction(offsets, points, eta):
    guided = guide_offsets(torch.from_numpy(offsets), torch.from_numpy(points), eta).numpy()
    assert (np.abs(guided) <= np.abs(offsets)).all()
    assert (np.abs(guided) >= eta * np.abs(offsets) - 1e-300).all()
    assert (guided * offsets >= 0).all()


@given(offsets=pairs, points=pairs, angles=arrays(np.float64, 5, elements=st.floats(-math.pi, math.pi)))
def test_rotation_keeps_the_length(offsets, points, angles):
    plain = guide_offsets(torch.from_numpy(offsets), torch.from_numpy(points), 0.25)
    turned = guide_offsets(
        torch.from_numpy(offsets), torch.from_numpy(points), 0.25, torch.from_numpy(angles)
    )
    np.testing.assert_allclose(
        np.hypot(*turned.numpy().T), np.hypot(*plain.numpy().T), rtol=1e-12, atol=1e-300
    )


# ---- the angles ----

B, G, N = 8, 2, 36


def angles(guidance, seed=0):
    """Angles by which the guidance turns offsets, as seen from outside: shape (B, G, N)."""
    offsets, points = uniform(B, G, N, 2), uniform(B, 1, N, 2, seed=1)
    torch.manual_seed(seed)
    turned = guidance(offsets, points).numpy() @ (1, 1j)
    plain = guide_offsets(offsets, points, guidance.eta).numpy() @ (1, 1j)
    np.testing.assert_allclose(np.abs(turned), np.abs(plain), rtol=1e-12)
    return np.angle(turned / plain)


def test_angles_are_uniform_within_a_right_angle_and_shrink_linearly_with_the_epochs():
    guidance = Guidance().train()
    set_progress(guidance, 0.0)
    first = angles(guidance)
    # 576 angles reach the ends and have the spread of a uniform distribution.
    assert 0.98 * math.pi / 2 < first.max() <= math.pi / 2
    assert -0.98 * math.pi / 2 > first.min() >= -math.pi / 2
    assert first.std() == pytest.approx(math.pi / math.sqrt(12), rel=0.05)
    for progress in (0.25, 0.5, 0.9):
        set_progress(guidance, progress)
        np.testing.assert_allclose(angles(guidance), (1 - progress) * first, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("rotate", "axes"), [("point", ()), ("image", (1, 2)), ("batch", (0, 1, 2))])
def test_what_shares_an_angle(rotate, axes):
    guidance = Guidance(rotate=rotate).train()
    set_progress(guidance, 0.0)
    got = angles(guidance).round(9)
    assert (np.ptp(got, axis=axes) == 0).all()
    assert len(np.unique(got)) == {"point": B * G * N, "image": B, "batch": 1}[rotate]
    assert np.abs(got - angles(guidance, seed=1)).min() > 0  # drawn anew each time


@pytest.mark.parametrize(
    ("rotate", "training", "progress"),
    [
        ("none", True, 0.0),
        ("point", False, 0.0),
        ("image", False, 0.0),
        ("point", True, 1.0),
        ("batch", True, 1.0),
    ],
)
def test_nothing_turns_in_use_nor_at_the_end_of_training(rotate, training, progress):
    guidance = Guidance(rotate=rotate).train(training)
    set_progress(guidance, progress)
    offsets, points = uniform(B, G, N, 2), uniform(B, 1, N, 2, seed=1)
    assert torch.equal(guidance(offsets, points), guide_offsets(offsets, points, 0.25))


def test_use_draws_no_random_numbers():
    guidance = Guidance().eval()
    set_progress(guidance, 0.0)
    before = torch.get_rng_state()
    angles_drawn = guidance.angles(uniform(B, G, N, 2))
    assert angles_drawn is None
    assert torch.equal(torch.get_rng_state(), before)


def test_progress_reaches_every_guidance_of_a_network_and_is_not_saved():
    network = nn.Sequential(Guidance(), nn.Sequential(nn.Linear(1, 1), Guidance()))
    set_progress(network, 0.75)
    assert [network[0].progress.item(), network[1][1].progress.item()] == [0.75, 0.75]
    assert set(network.state_dict()) == {"1.0.weight", "1.0.bias"}
    assert Guidance().progress.item() == 1.0  # one that nobody tells anything turns nothing


def test_progress_is_real_where_a_network_is_laid_out_without_memory():
    with torch.device("meta"):
        guidance = Guidance().train()
    set_progress(guidance, 0.0)
    assert np.abs(angles(guidance)).max() > 1


# ---- interest points (eq. 4) ----


def interest(size=(4, 3), dim=6, **options) -> InterestPoints:
    """A module in float64 whose convolution is far from zero."""
    module = InterestPoints(dim, size, **options).double()
    with torch.no_grad():
        module.conv.weight.normal_(std=0.3)
        module.conv.bias.normal_(std=0.3)
    return module


def test_points_are_tanh_of_a_convolution_and_the_start():
    module, x = interest(k_in=2), uniform(5, 6, 4, 3)
    weight, bias = module.conv.weight.detach().numpy(), module.conv.bias.detach().numpy()
    expected = np.empty((5, 1, 6, 2))
    for n, (i, j) in enumerate(np.ndindex(3, 2)):
        patch = x[:, :, i : i + 2, j : j + 2].numpy()
        start = module.start[0, :, i, j].detach().numpy()
        expected[:, 0, n] = np.tanh(np.einsum("bcij,ocij->bo", patch, weight) + bias + start)
    np.testing.assert_allclose(module(x).detach(), expected, rtol=0, atol=1e-12)


def test_points_come_from_the_image_itself():
    module, x = interest(k_in=2), uniform(3, 6, 4, 3)
    points, moved = module(x), module(torch.cat((x[:1] + 1, x[1:])))
    assert (points[0] - points[1]).abs().max() > 0.05
    assert (moved[0] - points[0]).abs().max() > 0.05
    torch.testing.assert_close(moved[1:], points[1:], rtol=0, atol=1e-12)


def test_points_over_the_batch_are_those_of_the_mean_image():
    module, x = interest(k_in=2, over_batch=True), uniform(3, 6, 4, 3)
    points = module(x)
    alone = module(x.mean(0, keepdim=True))
    assert points.shape == (3, 1, 6, 2)
    torch.testing.assert_close(points, alone.expand(3, 1, 6, 2), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "options", "grid"),
    [
        ((14, 14), {"k_in": 8}, (7, 7)),
        ((14, 14), {"k_in": 1}, (14, 14)),
        ((9, 5), {"k_in": 3}, (7, 3)),
        ((5, 5), {"k_in": 5}, (1, 1)),
        ((14, 9), {"k_in": 3, "stride": 2}, (6, 4)),
    ],
)
def test_the_kernel_sets_the_number_of_points(size, options, grid):
    module = interest(size=size, **options)
    assert module.grid == grid
    assert module(uniform(2, 6, *size)).shape == (2, 1, grid[0] * grid[1], 2)


def test_points_begin_near_a_regular_grid():
    module = InterestPoints(64, (4, 3), k_in=2)
    expected = np.stack(np.meshgrid([-0.9, 0.9], [-0.9, 0.0, 0.9]), -1).reshape(-1, 2)
    np.testing.assert_allclose(module.start.tanh().detach()[0].flatten(1).T, expected, atol=1e-6)
    # The convolution adds a tenth, in standard deviations, to normalised features, so that points are apart.
    moves = torch.atanh(module(torch.randn(50, 64, 4, 3)))[:, 0] - module.start[0].flatten(1).T
    assert moves.std().item() == pytest.approx(0.1, rel=0.25)
    # A kernel as large as the map leaves one point, and it begins in the centre.
    assert InterestPoints(4, (3, 3), k_in=3).start.tolist() == [[[[0.0]], [[0.0]]]]


def test_without_a_start_every_point_begins_near_the_centre():
    module = InterestPoints(64, (4, 3), start=False)
    assert module.start is None
    assert module(torch.randn(50, 64, 4, 3)).std().item() == pytest.approx(0.1, rel=0.25)


def test_points_are_at_least_in_single_precision():
    module = InterestPoints(8, (4, 4)).to(torch.bfloat16)
    assert module(torch.zeros(1, 8, 4, 4, dtype=torch.bfloat16)).dtype == torch.float32
