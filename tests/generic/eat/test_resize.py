"""Tables moved to another size: what must stay stays, and the values between follow the surface."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from generic.eat import EAT, DeformableAttention
from generic.eat.resize import resize_tables
from generic.errors import CheckpointError

OPTIONS = {
    "img_size": 64,
    "patch_size": 4,
    "dims": (8, 16),
    "stages": ("LS", "EE"),
    "heads": (2, 4),
    "groups": (1, 2),
    "windows": (4, 2),
    "k_in": 3,
    "k_offset": 3,
}
TABLES = ("stages.0.blocks.0.attention.bias_table", "stages.1.blocks.1.attention.bias_table")
START = "stages.1.blocks.0.attention.interest.start"


def network(seed=0, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return EAT(**{**OPTIONS, **options})


class Holder(nn.Module):
    """One table and one start of any size, under the names that count."""

    def __init__(self, table, start=(1, 2, 1, 1)):
        super().__init__()
        self.bias_table = nn.Parameter(torch.zeros(table))
        self.interest = nn.Module()
        self.interest.start = nn.Parameter(torch.zeros(start))


def moved(table, sides):
    """A table of shape (heads, rows, columns) at other sides."""
    target = nn.ModuleDict({"attention": Holder((len(table), *sides))})
    name = "attention.bias_table"
    result = resize_tables({name: table}, target)[name]
    assert result.shape == (len(table), *sides)
    return result


def test_nothing_is_touched_where_sizes_agree():
    state = network().state_dict()
    resized = resize_tables(state, network(1))
    assert resized.keys() == state.keys()
    assert all(resized[name] is value for name, value in state.items())


def test_a_network_of_another_size_takes_the_weights():
    state, large = network().state_dict(), network(1, img_size=128, windows=(8, 4))
    resized = resize_tables(state, large)
    changed = [name for name in state if resized[name] is not state[name]]
    assert all(name.endswith((".bias_table", ".interest.start")) for name in changed)
    assert len(changed) == 4 + 2
    assert [tuple(state[name].shape) for name in (*TABLES, START)] == [(2, 7, 7), (4, 15, 15), (1, 2, 6, 6)]
    assert [tuple(resized[name].shape) for name in (*TABLES, START)] == [
        (2, 15, 15),
        (4, 31, 31),
        (1, 2, 14, 14),
    ]
    large.load_state_dict(resized)
    output = large.eval()(torch.zeros(1, 3, 128, 128))
    assert output.shape == (1, 10)
    assert output.isfinite().all()


def test_points_that_began_as_a_grid_are_one_at_the_new_size():
    # After the tanh the borders stay, and every point is nearest to its own place in an even grid.
    large = network(img_size=128, windows=(8, 4))
    points = resize_tables(network().state_dict(), large)[START].tanh()
    fresh = large.state_dict()[START].tanh()
    assert (points - fresh).abs().max() < 1.8 / 13 / 2
    torch.testing.assert_close(points[..., 0, 0], torch.tensor([[-0.9, -0.9]]), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("before", "after"), [((13, 13), (27, 27)), ((27, 27), (13, 13)), ((5, 7), (9, 3))])
def test_constants_ramps_ends_and_antisymmetry(before, after):
    def axes(sides):
        rows, columns = (torch.linspace(-1, 1, side) for side in sides)
        return rows[:, None], columns[None, :]

    generator = torch.Generator().manual_seed(0)
    constant = torch.full((1, *before), 0.7)
    torch.testing.assert_close(moved(constant, after), torch.full((1, *after), 0.7), rtol=0, atol=1e-6)

    (rows, columns), (new_rows, new_columns) = axes(before), axes(after)
    ramp = moved((2 * rows - 3 * columns + 1)[None], after)
    torch.testing.assert_close(ramp, (2 * new_rows - 3 * new_columns + 1)[None], rtol=0, atol=1e-5)

    random = torch.randn(3, *before, generator=generator)
    corners = (slice(None), slice(None, None, before[0] - 1), slice(None, None, before[1] - 1))
    new_corners = (slice(None), slice(None, None, after[0] - 1), slice(None, None, after[1] - 1))
    torch.testing.assert_close(moved(random, after)[new_corners], random[corners], rtol=0, atol=1e-6)

    odd = random - random.flip(1, 2)
    result = moved(odd, after)
    assert result.abs().max() > 0.5
    torch.testing.assert_close(result, -result.flip(1, 2), rtol=0, atol=1e-5)


def test_a_smooth_surface_is_followed_closer_than_straight_lines_would():
    def surface(side):
        x = torch.linspace(-1, 1, side)
        return torch.sin(2 * x)[:, None] * torch.cos(1.5 * x)[None, :]

    true = surface(27)
    straight = nn.functional.interpolate(
        surface(13)[None, None], (27, 27), mode="bilinear", align_corners=True
    )
    error = (moved(surface(13)[None], (27, 27))[0] - true).abs().max()
    assert error < (straight[0, 0] - true).abs().max() / 2


def test_one_position_takes_the_bias_of_no_displacement():
    table = torch.arange(25.0).reshape(1, 5, 5) ** 2
    assert moved(table, (1, 1)).item() == pytest.approx(table[0, 2, 2].item())
    assert torch.equal(moved(torch.full((1, 1, 1), 3.0), (5, 5)), torch.full((1, 5, 5), 3.0))


def test_half_precision_stays_half_precision():
    assert moved(torch.ones(1, 3, 3, dtype=torch.float16), (5, 5)).dtype == torch.float16


def test_other_heads_and_unknown_names_are_left_for_loading_to_refuse():
    state = {"attention.bias_table": torch.zeros(3, 5, 5), "other.bias_table": torch.zeros(1, 3, 3)}
    target = nn.ModuleDict({"attention": Holder((2, 7, 7))})
    resized = resize_tables(state, target)
    assert all(resized[name] is value for name, value in state.items())


def test_a_table_of_pairs_is_refused():
    attention = DeformableAttention(8, (4, 4), heads=2, bias="pairs")
    target = nn.ModuleDict({"attention": attention})
    name = "attention.bias_table"
    with pytest.raises(CheckpointError) as caught:
        resize_tables({name: torch.zeros(2, 9, 9)}, target)
    assert str(caught.value) == (
        "attention.bias_table holds one bias for each of 9 x 9 pairs of positions and cannot become 16 x 16; "
        "keep the image size that the weights were trained at"
    )
    # Pairs of 36 positions are no displacements either, whatever the network takes.
    with pytest.raises(CheckpointError) as caught:
        moved(torch.zeros(2, 36, 36), (27, 27))
    assert str(caught.value) == (
        "attention.bias_table holds one bias for each of 36 x 36 pairs of positions and cannot become 27 x "
        "27; keep the image size that the weights were trained at"
    )


def test_scipy_and_the_matrix_agree():
    from scipy.interpolate import CubicSpline

    table = np.random.default_rng(0).standard_normal((9, 9))
    x, y = np.linspace(-1, 1, 9), np.linspace(-1, 1, 17)
    expected = CubicSpline(x, CubicSpline(x, table, bc_type="natural")(y).T, bc_type="natural")(y).T
    got = moved(torch.from_numpy(table)[None], (17, 17))[0].numpy()
    assert math.isclose(np.abs(got - expected).max(), 0, abs_tol=1e-12)
