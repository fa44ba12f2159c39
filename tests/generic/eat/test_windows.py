"""Window attention against the definition of windows on the unrolled map, and against timm's Swin block."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import torch
from timm.models.swin_transformer import SwinTransformerBlock

from generic.eat.windows import WindowAttention, relative_index, shift_mask
from generic.errors import ShapeError

CASES = [
    {"size": (4, 6), "window": 2},
    {"size": (4, 6), "window": 2, "shifted": True},
    {"size": (9, 6), "window": 3},
    {"size": (9, 6), "window": 3, "shifted": True},
    {"size": (4, 4), "window": 4, "shifted": True},
]


def attention(size, dim=8, heads=2, **options) -> WindowAttention:
    """A module in float64 and evaluation mode, every parameter far from zero, so that nothing is idle."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = WindowAttention(dim, size, heads=heads, **options).double().eval()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.5 * torch.randn_like(parameter))
    return module


def maps(size, n=2, dim=8):
    return torch.from_numpy(np.random.default_rng(1).standard_normal((n, dim, *size)))


def homes(size, window, *, shifted=False):
    """The window of each position, shape (hw, 2): windows begin at the shift, nothing wraps around."""
    shift = -(-window // 2) if shifted else 0
    return np.array([((i - shift) // window, (j - shift) // window) for i, j in np.ndindex(*size)])


def reference(module, x, size, window, *, shifted=False):
    """The output (c, h, w) for one image: attention over the whole map, cut where windows differ."""
    p = {key: value.numpy() for key, value in module.state_dict().items()}
    (c, h, w), m = x.shape, module.heads
    home = homes(size, window, shifted=shifted)
    together = (home[:, None] == home).all(-1)
    at = np.array(list(np.ndindex(h, w)))
    qkv = p["qkv.weight"][:, :, 0, 0] @ x.reshape(c, -1) + p["qkv.bias"][:, None]
    attended = np.empty((c, h * w))
    for head in range(m):
        part = slice(head * c // m, (head + 1) * c // m)
        q, k, v = (qkv[i * c : (i + 1) * c][part] for i in range(3))
        for query in range(h * w):
            keys = np.flatnonzero(together[query])
            rows, columns = (at[query] - at[keys] + window - 1).T
            logits = q[:, query] @ k[:, keys] / np.sqrt(c // m) + p["bias_table"][head, rows, columns]
            attended[part, query] = v[:, keys] @ scipy.special.softmax(logits)
    return (p["out.weight"][:, :, 0, 0] @ attended + p["out.bias"][:, None]).reshape(c, h, w)


@pytest.mark.parametrize("case", CASES)
def test_it_equals_loops_over_windows_that_do_not_wrap(case):
    module, x = attention(**case), maps(case["size"])
    expected = np.array([reference(module, image, **case) for image in x.numpy()])
    np.testing.assert_allclose(module(x).detach(), expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("window", "shifted", "size"),
    [(4, False, (8, 12)), (4, True, (8, 12)), (3, True, (6, 9)), (7, True, (14, 14))],
)
def test_it_equals_the_swin_block_of_timm(window, shifted, size):
    module = attention(size, window=window, shifted=shifted)
    block = (
        SwinTransformerBlock(8, size, num_heads=2, window_size=window, shift_size=module.shift)
        .double()
        .eval()
    )
    with torch.no_grad():
        for ours, theirs in ((module.qkv, block.attn.qkv), (module.out, block.attn.proj)):
            theirs.weight.copy_(ours.weight[:, :, 0, 0])
            theirs.bias.copy_(ours.bias)
        block.attn.relative_position_bias_table.copy_(module.bias_table.flatten(1).T)
        x = maps(size)
        # Only its attention: the norms before it and the MLP are tested where they are.
        expected = block._attn(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_a_position_sees_its_window_and_nothing_from_the_opposite_border(case):
    size = case["size"]
    module, x = attention(**case), maps(size, n=1)
    n = size[0] * size[1]
    slopes = torch.autograd.functional.jacobian(lambda x: module(x).sum((0, 1)).flatten(), x)
    sees = slopes.abs().sum((1, 2)).reshape(n, n).numpy() > 1e-9
    home = homes(**case)
    assert (sees == (home[:, None] == home).all(-1)).all()


def test_a_shifted_window_joins_what_plain_windows_part():
    plain, shifted = homes((4, 6), 2), homes((4, 6), 2, shifted=True)
    assert (plain[0] != plain[2]).any()  # (0, 0) and (0, 2) of the plain map
    assert (shifted[1] == shifted[2]).all()
    # The mask on its own: windows of the rolled map by position.
    mask = shift_mask((4, 6), 2, 1)
    assert mask.shape == (6, 4, 4)
    assert mask[0].all()  # away from the seams everything is together
    assert mask[2].tolist() == [[True, False] * 2, [False, True] * 2] * 2  # over the right seam
    assert torch.equal(mask[5], torch.eye(4, dtype=torch.bool))  # the corner holds four corners


def test_the_relative_index_is_the_displacement_from_key_to_query():
    index = relative_index(3)
    for query, key in np.ndindex(9, 9):
        row, column = query // 3 - key // 3 + 2, query % 3 - key % 3 + 2
        assert index[query, key] == row * 5 + column


def test_every_parameter_learns():
    module = attention((4, 4), window=2, shifted=True)
    module(maps((4, 4))).square().sum().backward()
    assert all(parameter.grad.abs().max() > 1e-9 for parameter in module.parameters())


@pytest.mark.parametrize("case", CASES[:2])
def test_the_rest_of_the_batch_does_not_matter(case):
    module, x = attention(**case), maps(case["size"], n=5)
    with torch.no_grad():
        together, alone = module(x), torch.cat([module(image[None]) for image in x])
        others = module(torch.cat((x[:1], 100 * x[1:])))
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    assert torch.equal(others[0], together[0])


def test_attention_weights_drop_out_while_training_without_bias():
    # In a window of one position the only weight is 1.
    module, x = attention((8, 8), window=1, attn_drop=0.5).train(), maps((8, 8), n=32)
    with torch.no_grad():
        module.out.weight.copy_(torch.eye(8)[:, :, None, None])
        module.out.bias.zero_()
        value = module.qkv(x)[:, 16:]
        share = (module(x) / value).reshape(32, 2, 4, 8, 8).round(decimals=9)
        assert set(share.unique().tolist()) == {0.0, 2.0}
        assert (np.ptp(share.numpy(), axis=2) == 0).all()  # a head's whole value
        assert share[:, :, 0].mean().item() == pytest.approx(1, abs=0.07)  # 4096 draws
        torch.testing.assert_close(module.eval()(x), value, rtol=0, atol=1e-12)


def test_output_features_drop_out_while_training():
    module, x = attention((4, 4), window=2, proj_drop=0.5), maps((4, 4), n=32)
    with torch.no_grad():
        whole = module(x)
        share = (module.train()(x) / whole).round(decimals=9)
    assert set(share.unique().tolist()) == {0.0, 2.0}
    assert share.mean().item() == pytest.approx(1, abs=0.07)


@pytest.mark.parametrize("shifted", [False, True])
def test_a_module_laid_out_without_memory_has_real_indices(shifted):
    with torch.device("meta"):
        module = WindowAttention(8, (4, 6), heads=2, window=2, shifted=shifted)
    real = attention((4, 6), window=2, shifted=shifted)
    module.load_state_dict(real.state_dict(), assign=True)
    x = maps((4, 6))
    assert torch.equal(module.eval()(x), real(x))
    assert set(real.state_dict()) == {"qkv.weight", "qkv.bias", "out.weight", "out.bias", "bias_table"}


@pytest.mark.parametrize("shifted", [False, True])
def test_half_precision_stays_close(shifted):
    module, x = attention((4, 6), window=2, shifted=shifted).float(), maps((4, 6)).float()
    with torch.no_grad():
        expected = module(x)
        with torch.autocast("cpu", torch.bfloat16):
            got = module(x).float()
    assert (got - expected).norm() < 3e-2 * expected.norm()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"dim": 8, "size": (4, 6), "heads": 3, "window": 2},
            "attention with dim 8 and 3 heads does not divide; choose heads that divide dim",
        ),
        (
            {"dim": 8, "size": (4, 6), "heads": 0, "window": 2},
            "attention with dim 8 and 0 heads does not divide; choose heads that divide dim",
        ),
        (
            {"dim": 8, "size": (4, 6), "heads": 2, "window": 4},
            "windows of 4x4 do not tile the 4x6 map; choose a window that divides both sides",
        ),
        (
            {"dim": 8, "size": (4, 6), "heads": 2, "window": 0},
            "windows of 0x0 do not tile the 4x6 map; choose a window that divides both sides",
        ),
        (
            {"dim": 8, "size": (4, 6), "heads": 2, "window": 1, "shifted": True},
            "a window of one position cannot be shifted; choose a window of at least 2",
        ),
    ],
)
def test_numbers_that_do_not_divide(options, message):
    with pytest.raises(ShapeError) as caught:
        WindowAttention(**options)
    assert str(caught.value) == message


def test_a_map_of_another_size():
    with pytest.raises(ShapeError) as caught:
        attention((4, 6), window=2)(maps((6, 4)))
    assert str(caught.value) == "attention was built for 4x6 maps, got 6x4"
