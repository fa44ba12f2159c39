"""The enhanced attention module mechanism by mechanism; test_attention_reference.py has the whole of it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generic.eat.attention import DeformableAttention, sample
from generic.eat.points import set_progress
from generic.errors import ShapeError

SIZE = (4, 3)
RELEASED = {
    "k_in": 1,
    "grid_start": False,
    "over_batch": True,
    "offset_range": 2.0,
    "offset_unit": "cell",
    "final": "none",
    "bias": "edges",
    "rotate": "none",
}
ON_POSITIONS = {"k_in": 1, "interest": False, "offsets": False, "guide": False, "final": "none"}


def attention(seed=0, dim=8, size=SIZE, **options) -> DeformableAttention:
    """A module in float64 and evaluation mode, every parameter far from zero, so that nothing is idle."""
    options = {"heads": 4, "groups": 2, "k_in": 2, "k_offset": 3, **options}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = DeformableAttention(dim, size, **options).double().eval()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.4 * torch.randn_like(parameter))
    return module.requires_grad_(requires_grad=False)


def maps(n=2, dim=8, size=SIZE, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, dim, *size)))


@pytest.fixture(autouse=True)
def random_state():
    """Gives the global generator back as it was: training mode draws angles from it."""
    with torch.random.fork_rng(devices=[]):
        yield


# ---- gradients ----


def test_gradients_of_reading_between_positions():
    rng = np.random.default_rng(0)
    x = maps(2, 4).requires_grad_()
    pixels = rng.uniform(-0.9, 4, (2, 2, 7, 2))  # some beyond the last column and row
    assert np.abs(pixels - pixels.round()).min() > 1e-3  # away from the kinks at position centres
    positions = torch.from_numpy(pixels / (1, 1.5) - 1).requires_grad_()
    assert torch.autograd.gradcheck(sample, (x, positions))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {**RELEASED, "heads": 2},
        {"bias": "pairs", "final": "none", "offset_range": 0.2},
        {"bias": "depthwise", "guide": False, "grid_start": False},
    ],
)
def test_gradients_of_the_whole_module(options):
    size = (3, 2)
    module = attention(dim=4, size=size, **{"heads": 2, "k_in": 1, **options})
    x = maps(2 if "over_batch" in options else 1, 4, size)
    look = module.look(x)
    pixels = (look.positions + 1) / 2 * torch.tensor([1, 2])
    at_edges = torch.tensor([(-0.5, (2 * i + 1) / 3 - 1) for i in range(3)])[:, None]
    entries = ((at_edges - look.positions[:, :, None]) / 2 + 1) * torch.tensor([1, 2])
    # Away from the quadrants' borders and from where bilinear reading has kinks, of features and of tables.
    assert (look.points * look.offsets).abs().min() > 1e-5
    assert all((at - at.round()).abs().min() > 1e-4 for at in (pixels, entries))
    names, values = zip(*module.named_parameters(), strict=True)

    def run(x, *values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    inputs = [value.detach().clone().requires_grad_() for value in (x, *values)]
    assert torch.autograd.gradcheck(run, inputs)


@pytest.mark.parametrize("options", [{}, {"bias": "pairs"}, {"bias": "depthwise"}, RELEASED])
def test_every_parameter_learns(options):
    module = attention(**options).requires_grad_()
    module(maps()).square().sum().backward()
    idle = {name for name, parameter in module.named_parameters() if parameter.grad.abs().max() < 1e-9}
    # It adds the same to a query's agreement with every key, which the softmax takes out again.
    assert idle == {"k.bias"}


# ---- points and offsets ----


@pytest.mark.parametrize(
    ("size", "k_in", "grid"), [((14, 14), 8, (7, 7)), ((14, 14), 1, (14, 14)), ((9, 5), 3, (7, 3))]
)
@pytest.mark.parametrize("interest", [True, False])
def test_the_interest_kernel_sets_the_number_of_points(size, k_in, grid, interest):
    module, x = attention(dim=4, size=size, k_in=k_in, interest=interest), maps(2, 4, size)
    look, n = module.look(x), grid[0] * grid[1]
    assert module.grid == look.grid == grid
    assert look.points.shape == look.offsets.shape == look.positions.shape == (2, 2, n, 2)
    assert look.weights.shape == (2, 4, size[0] * size[1], n)
    assert module(x).shape == x.shape


def test_points_depend_on_the_image_only_where_they_are_learned():
    x = maps()
    learned, fixed = attention().look(x).points, attention(interest=False).look(x).points
    assert (learned[0] - learned[1]).abs().max() > 0.05
    assert torch.equal(fixed[0], fixed[1])


def test_offsets_come_from_the_queries_and_differ_between_groups():
    module, x = attention(interest=False), maps()
    offsets = module.look(x).offsets
    module.q.weight.mul_(-1)
    assert (offsets - module.look(x).offsets).abs().max() > 0.05
    assert (offsets[:, 0] - offsets[:, 1]).abs().max() > 0.05
    module.q.weight.zero_()  # without queries every image has the same offsets
    offsets = module.look(x).offsets
    torch.testing.assert_close(offsets[0], offsets[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("unit", "limits"), [("map", (0.3, 0.3)), ("cell", (0.3 / 2, 0.3 / 3))])
def test_offsets_fill_their_range_and_stay_in_it(unit, limits):
    module = attention(offset_range=0.3, offset_unit=unit, guide=False)
    module.offset.out.weight.mul_(100)
    largest = module.look(maps(8)).offsets.abs().amax((0, 1, 2))
    assert (largest <= torch.tensor(limits)).all()
    assert (largest > 0.99 * torch.tensor(limits)).all()


def test_an_offset_that_leaves_its_quadrant_counts_eta():
    free, x = attention(guide=False, seed=2), maps()
    guided = attention(seed=2, eta=0.1)
    plain, weak = free.look(x), guided.look(x)
    share = weak.offsets / plain.offsets
    same = (torch.sign(plain.offsets) == torch.sign(plain.points)).all(-1, keepdim=True).expand_as(share)
    assert 4 < same.sum() < same.numel() - 4
    torch.testing.assert_close(share[same], torch.ones_like(share[same]))
    torch.testing.assert_close(share[~same], torch.full_like(share[~same], 0.1))


@pytest.mark.parametrize(("rotate", "distinct"), [("point", 576), ("image", 8), ("batch", 1), ("none", 1)])
def test_offsets_turn_while_training_and_only_then(rotate, distinct):
    module, x = attention(size=(6, 6), k_in=1, rotate=rotate), maps(8, size=(6, 6))
    set_progress(module, 0.0)
    before = module.look(x)
    torch.manual_seed(0)
    turned = module.train().look(x)
    factor = (turned.offsets.numpy() @ (1, 1j)) / (before.offsets.numpy() @ (1, 1j))
    np.testing.assert_allclose(np.abs(factor), 1, rtol=1e-9)
    assert len(np.unique(np.angle(factor).round(9))) == distinct
    assert (np.abs(np.angle(factor)).max() > 0.01) == (rotate != "none")
    assert torch.equal(turned.points, before.points)
    trained = module(x)
    assert torch.equal(trained, module.eval()(x)) == (rotate == "none")


def test_at_the_end_of_training_it_computes_what_it_will_in_use():
    module, x = attention(), maps()
    set_progress(module, 1.0)
    assert torch.equal(module.train()(x), module.eval()(x))


def test_using_it_is_deterministic_and_draws_no_random_numbers():
    module, x = attention(attn_drop=0.5, proj_drop=0.5), maps()
    set_progress(module, 0.0)
    before = torch.get_rng_state()
    assert torch.equal(module(x), module(x))
    assert torch.equal(torch.get_rng_state(), before)


# ---- where keys are read ----


def far(**options):
    """A module whose every position lies, before the last step, at 3 + tanh(start) to the right and below."""
    module = attention(offset_range=3.0, guide=False, **options)
    module.interest.start.fill_(3.0)
    module.interest.conv.weight.zero_()
    module.offset.norm.weight.zero_()
    module.offset.norm.bias.fill_(1.0)
    module.offset.out.weight.fill_(100.0)
    return module


@pytest.mark.parametrize(("final", "inside"), [("tanh", True), ("clamp", True), ("none", False)])
def test_what_keeps_positions_on_the_map(final, inside):
    look = far(final=final).look(maps())
    assert (look.points + look.offsets).abs().min() > 3.5
    assert (look.positions.abs().max() <= 1) == inside
    if final == "tanh":
        assert look.positions.abs().max() < 1
    if final == "clamp":
        assert torch.equal(look.positions, torch.ones_like(look.positions))


def test_features_outside_of_the_map_are_zero():
    module, x = far(final="none"), maps()
    # Every value is the bias of its convolution, so it does not matter who attends to what.
    expected = module.out(module.v.bias[None, :, None, None]).expand_as(x)
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)
    assert (far(final="clamp")(x) - expected).abs().max() > 0.1


def test_coordinates_stay_exact_on_features_of_half_precision():
    # A ramp whose values near column 150 half precision holds exactly.
    ramp = (torch.arange(161.0) - 150).expand(1, 1, 2, 161).bfloat16()
    columns = torch.tensor([149.8, 150.1, 150.25, 151.3])
    positions = torch.stack((columns / 80 - 1, torch.zeros(4)), -1)[None, None]
    got = sample(ramp, positions)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got[0, 0].float(), columns - 150, rtol=0, atol=4e-3)


# ---- the position bias ----


@pytest.mark.parametrize("bias", ["aligned", "edges", "pairs"])
def test_a_constant_table_changes_nothing(bias):
    module, x = attention(bias=bias), maps()
    before = module(x)
    module.bias_table.fill_(0.0)
    without = module(x)
    module.bias_table.fill_(7.0)
    torch.testing.assert_close(module(x), without, rtol=0, atol=1e-12)
    assert (before - without).abs().max() > 1e-3


def test_one_raised_entry_draws_attention_to_its_displacement_only():
    (h, w), (down, right) = SIZE, (-2, 1)
    module, x = attention(**ON_POSITIONS), maps()
    module.bias_table.zero_()
    before = module.look(x).weights
    module.bias_table[1, down + h - 1, right + w - 1] = 2.0
    after = module.look(x).weights
    for query, (i, j) in enumerate(np.ndindex(h, w)):
        row, column = i - down, j - right
        raised = row * w + column if 0 <= row < h and 0 <= column < w else None
        for key in range(h * w):
            change = after[:, 1, query, key] - before[:, 1, query, key]
            assert torch.equal(change > 1e-9, torch.full((2,), key == raised))
            assert torch.equal(change < -1e-9, torch.full((2,), raised not in (None, key)))
    torch.testing.assert_close(after[:, [0, 2, 3]], before[:, [0, 2, 3]], rtol=0, atol=1e-12)


def displacements(size):
    """How far query (i, j) lies below and to the right of key (r, c): two arrays of shape (hw, hw)."""
    at = np.array(list(np.ndindex(*size)))
    return np.moveaxis(at[:, None] - at, -1, 0)


@pytest.mark.parametrize("size", [(3, 4), (5, 2)])
def test_the_aligned_bias_is_the_table_where_keys_sit_on_positions(size):
    module = attention(size=size, **ON_POSITIONS)
    module.q.weight.zero_()
    module.q.bias.zero_()  # nothing but the bias is left
    down, right = displacements(size)
    entries = module.bias_table.numpy()[:, down + size[0] - 1, right + size[1] - 1]
    weights = module.look(maps(size=size)).weights[0]
    np.testing.assert_allclose(weights, scipy.special.softmax(entries, -1), rtol=0, atol=1e-12)


def test_the_released_grids_read_the_table_beside_the_displacement():
    """Their ends are half a position short of the table's, so that w displacements span w - 1 entries."""
    (h, w) = SIZE
    module = attention(**{**ON_POSITIONS, "bias": "edges"})
    module.q.weight.zero_()
    module.q.bias.zero_()
    # Where a table is a plane, reading it between entries is exact.
    rows, columns = np.mgrid[: 2 * h - 1, : 2 * w - 1]
    module.bias_table.copy_(torch.from_numpy(0.7 * rows - 1.1 * columns))
    down, right = displacements(SIZE)
    read = 0.7 * down * (h - 1) / h - 1.1 * right * (w - 1) / w
    weights = module.look(maps()).weights[0]
    np.testing.assert_allclose(weights, np.stack([scipy.special.softmax(read, -1)] * 4), rtol=0, atol=1e-12)


# ---- the batch ----


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_a_score_does_not_depend_on_what_else_is_scored(dtype, tolerance):
    module, x = attention().to(dtype), maps(5).to(dtype)
    together, alone = module(x), torch.cat([module(image[None]) for image in x])
    others = module(torch.cat((x[:1], 100 * maps(4, seed=9).to(dtype))))
    torch.testing.assert_close(together, alone, rtol=0, atol=tolerance)
    assert torch.equal(others[0], together[0])


def test_over_the_batch_it_does_as_the_released_network_does():
    module, x = attention(**RELEASED), maps(3)
    assert (module(x)[:1] - module(x[:1])).abs().max() > 1e-2
    twice = torch.cat((x[:1], x[:1]))  # a mean of equals
    torch.testing.assert_close(module(twice)[:1], module(x[:1]), rtol=0, atol=1e-12)


@given(order=st.permutations(range(4)), over_batch=st.booleans())
@settings(max_examples=20)
def test_images_in_another_order_have_their_outputs_in_that_order(order, over_batch):
    module, x = attention(over_batch=over_batch), maps(4)
    torch.testing.assert_close(module(x[list(order)]), module(x)[list(order)], rtol=0, atol=1e-12)


# ---- half precision and dropout ----


@pytest.mark.parametrize(
    "options", [{}, {"bias": "pairs"}, {"bias": "depthwise"}, {"bias": "none"}, RELEASED]
)
@pytest.mark.parametrize("whole", [True, False])
def test_half_precision_stays_close_and_keeps_positions_exact(options, whole):
    module, x = attention(**options).float(), maps().float()
    expected = module(x)
    if whole:
        module, x = module.bfloat16(), x.bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=not whole):
        got, look = module(x).float(), module.look(x)
    assert torch.isfinite(got).all()
    assert (got - expected).norm() < 3e-2 * expected.norm()
    assert look.points.dtype == look.offsets.dtype == look.positions.dtype == torch.float32


def test_weights_and_output_features_drop_out_while_training():
    # One key takes all of a query's attention: its weight is 1.
    x = maps(32, size=(3, 3))
    options = {"size": (3, 3), "k_in": 3, "rotate": "none"}
    for drop in ("attn_drop", "proj_drop"):
        module = attention(**options, **{drop: 0.5})
        module.out.weight.copy_(torch.eye(8)[:, :, None, None])
        module.out.bias.zero_()
        share = (module.train()(x) / module.eval()(x)).round(decimals=9)
        assert set(share.unique().tolist()) == {0.0, 2.0}
        whole_heads = (np.ptp(share.reshape(32, 4, 2, 9).numpy(), axis=2) == 0).all()
        assert whole_heads == (drop == "attn_drop")


# ---- errors ----


@pytest.mark.parametrize(("dim", "heads", "groups"), [(8, 3, 1), (8, 4, 3), (8, 0, 1), (8, 4, 0)])
def test_numbers_that_do_not_divide(dim, heads, groups):
    with pytest.raises(ShapeError) as caught:
        DeformableAttention(dim, SIZE, heads=heads, groups=groups)
    assert str(caught.value) == (
        f"attention with dim {dim}, {heads} heads and {groups} groups does not divide; "
        f"choose heads that divide dim and groups that divide heads"
    )


@pytest.mark.parametrize("k_in", [6, 0])
def test_an_interest_kernel_that_does_not_fit(k_in):
    with pytest.raises(ShapeError) as caught:
        DeformableAttention(8, (9, 5), heads=4, k_in=k_in)
    assert str(caught.value) == f"interest kernel k_in={k_in} does not fit the 9x5 map; choose from 1 to 5"


@pytest.mark.parametrize("k_offset", [4, 0, -1])
def test_an_offset_kernel_without_a_middle(k_offset):
    with pytest.raises(ShapeError) as caught:
        DeformableAttention(8, SIZE, heads=4, k_offset=k_offset)
    assert str(caught.value) == f"offset kernel k_offset={k_offset} is not odd; choose 3, 5, 7 or 9"


@pytest.mark.parametrize("method", ["forward", "look"])
def test_a_map_of_another_size(method):
    with pytest.raises(ShapeError) as caught:
        getattr(attention(), method)(maps(size=(3, 4)))
    assert str(caught.value) == "attention was built for 4x3 maps, got 3x4"
