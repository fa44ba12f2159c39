"""The released network, transcribed step by step for any configuration, against ``EAT.from_official``.

The transcription works as the released code does (NCHW maps, (y, x) pairs, rows first, one einsum for
each product, an explicit softmax) and shares nothing with the package, in float64.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from generic.eat import EAT, look
from generic.eat.official import official_options
from generic.errors import CheckpointError, ShapeError

SMALL = {
    "img_size": 32,
    "patch_size": 2,
    "num_classes": 3,
    "expansion": 2,
    "dim_stem": 4,
    "dims": [4, 8, 16, 32],
    "depths": [2, 2, 2, 2],
    "stage_spec": [["L", "S"], ["L", "D"], ["D", "D"], ["L", "D"]],
    "heads": [1, 2, 4, 4],
    "window_sizes": [4, 2, 2, 2],
    "groups": [-1, 1, 2, 4],
    "strides": [-1, 1, 1, 1],
    "sr_ratios": [-1, -1, -1, -1],
    "offset_range_factor": [-1, 2, 2, 2],
    "use_pes": [False, True, True, True],
    "dwc_pes": [False] * 4,
    "fixed_pes": [False] * 4,
    "no_offs": [False] * 4,
    "use_dwc_mlps": [False] * 4,
    "use_conv_patches": False,
    "drop_rate": 0.0,
    "attn_drop_rate": 0.0,
    "drop_path_rate": 0.0,
}


# ---- weights under the released names ----


def _shapes(c):
    """Name and shape of every released weight of a configuration."""
    p, stem, dims = c["patch_size"], c["dim_stem"], c["dims"]
    conv = c["use_conv_patches"]
    kernel = 7 if conv else p
    yield "patch_proj.0.weight", (stem, 3, kernel, kernel)
    yield "patch_proj.0.bias", (stem,)
    yield from _norm("patch_proj.1", stem)
    for i, (a, b) in enumerate(pairwise(dims)):
        yield f"down_projs.{i}.0.weight", (b, a, *((3, 3) if conv else (2, 2)))
        yield from _norm(f"down_projs.{i}.1", b)
    if stem != dims[0]:
        yield "stages.0.proj.weight", (dims[0], stem, 1, 1)
        yield "stages.0.proj.bias", (dims[0],)
    for i, d in enumerate(dims):
        for j in range(c["depths"][i]):
            yield from _norm(f"stages.{i}.layer_norms.{2 * j}", d)
            yield from _norm(f"stages.{i}.layer_norms.{2 * j + 1}", d)
            shapes = _window if c["stage_spec"][i][j] in "LS" else _deformable
            yield from ((f"stages.{i}.attns.{j}.{name}", shape) for name, shape in shapes(c, i))
            yield from ((f"stages.{i}.mlps.{j}.{name}", shape) for name, shape in _mlp(c, i))
    yield from _norm("cls_norm", dims[-1])
    yield "cls_head.weight", (c["num_classes"], dims[-1])
    yield "cls_head.bias", (c["num_classes"],)


def _norm(name, d):
    return ((f"{name}.norm.weight", (d,)), (f"{name}.norm.bias", (d,)))


def _window(c, i):
    d, w = c["dims"][i], c["window_sizes"][i]
    yield "proj_qkv.weight", (3 * d, d)
    yield "proj_qkv.bias", (3 * d,)
    yield "proj_out.weight", (d, d)
    yield "proj_out.bias", (d,)
    yield "relative_position_bias_table", ((2 * w - 1) ** 2, c["heads"][i])


def _deformable(c, i):
    d, heads, k = c["dims"][i], c["heads"][i], (9, 7, 5, 3)[i]
    width, side = d // c["groups"][i], c["img_size"] // (c["patch_size"] * 2**i)
    for name in "q", "k", "v", "out":
        yield f"proj_{name}.weight", (d, d, 1, 1)
        yield f"proj_{name}.bias", (d,)
    yield "conv_offset.0.weight", (width, 1, k, k)
    yield "conv_offset.0.bias", (width,)
    yield from _norm("conv_offset.1", width)
    yield "conv_offset.3.weight", (2, width, 1, 1)
    yield "ref_point14.weight", (2, d, 1, 1)
    yield "ref_point14.bias", (2,)
    if not c["use_pes"][i]:
        return
    if c["dwc_pes"][i]:
        yield "rpe_table.weight", (d, 1, 3, 3)
        yield "rpe_table.bias", (d,)
    elif c["fixed_pes"][i]:
        yield "rpe_table", (heads, side**2, side**2)
    else:
        yield "rpe_table", (heads, 2 * side - 1, 2 * side - 1)


def _mlp(c, i):
    d = c["dims"][i]
    hidden, dwc = d * c["expansion"], c["use_dwc_mlps"][i]
    prefix, ones = ("", (1, 1)) if dwc else ("chunk.", ())
    yield f"{prefix}linear1.weight", (hidden, d, *ones)
    yield f"{prefix}linear1.bias", (hidden,)
    if dwc:
        yield "dwc.weight", (hidden, 1, 3, 3)
        yield "dwc.bias", (hidden,)
    yield f"{prefix}linear2.weight", (d, hidden, *ones)
    yield f"{prefix}linear2.bias", (d,)


def weights(config, rng):
    """Random weights under the released names, large enough that no step is idle."""

    def draw(name, shape):
        if name.endswith("norm.weight"):
            return rng.normal(1, 0.3, shape)
        if len(shape) == 1 or "table" in name:
            return rng.normal(0, 0.4, shape)
        return rng.normal(0, 1 / math.sqrt(math.prod(shape[1:])), shape)

    return {name: torch.from_numpy(draw(name, shape)) for name, shape in _shapes(config)}


# ---- the released network ----


class Released:
    """The released network in evaluation mode; keeps the references and positions of every D layer."""

    def __init__(self, config, state):
        self.c, self.s = config, state
        self.references, self.positions = {}, {}

    def __call__(self, x):
        c = self.c
        padding = 3 if c["use_conv_patches"] else 0
        x = self.norm(self.conv(x, "patch_proj.0", c["patch_size"], padding), "patch_proj.1")
        for i in range(len(c["dims"])):
            if i > 0:
                padding = 1 if c["use_conv_patches"] else 0
                x = self.norm(self.conv(x, f"down_projs.{i - 1}.0", 2, padding), f"down_projs.{i - 1}.1")
            if f"stages.{i}.proj.weight" in self.s:
                x = self.conv(x, f"stages.{i}.proj")
            for j in range(c["depths"][i]):
                layer = self.window if c["stage_spec"][i][j] in "LS" else self.deformable
                x = x + layer(self.norm(x, f"stages.{i}.layer_norms.{2 * j}"), i, j)
                x = x + self.mlp(self.norm(x, f"stages.{i}.layer_norms.{2 * j + 1}"), i, j)
        x = self.norm(x, "cls_norm").mean((2, 3))
        return x @ self.s["cls_head.weight"].T + self.s["cls_head.bias"]

    def conv(self, x, name, stride=1, padding=0, groups=1):
        weight, bias = self.s[f"{name}.weight"], self.s.get(f"{name}.bias")
        return torch.nn.functional.conv2d(x, weight, bias, stride, padding, groups=groups)

    def norm(self, x, name):
        centred = x - x.mean(1, keepdim=True)
        x = centred / (centred**2).mean(1, keepdim=True).add(1e-5).sqrt()
        weight, bias = self.s[f"{name}.norm.weight"], self.s[f"{name}.norm.bias"]
        return x * weight[:, None, None] + bias[:, None, None]

    def mlp(self, x, i, j):
        name = f"stages.{i}.mlps.{j}"
        if self.c["use_dwc_mlps"][i]:
            x = self.conv(x, f"{name}.linear1")
            x = gelu(self.conv(x, f"{name}.dwc", padding=1, groups=x.shape[1]))
            return self.conv(x, f"{name}.linear2")
        for step in "linear1", "linear2":
            weight, bias = (self.s[f"{name}.chunk.{step}.{part}"] for part in ("weight", "bias"))
            x = torch.einsum("oc,bchw->bohw", weight, x) + bias[:, None, None]
            x = gelu(x) if step == "linear1" else x
        return x

    def window(self, x, i, j):
        """One window at a time."""
        name, heads, w = f"stages.{i}.attns.{j}", self.c["heads"][i], self.c["window_sizes"][i]
        _, channels, h, _ = x.shape
        shift = math.ceil(w / 2) if self.c["stage_spec"][i][j] == "S" else 0
        region = torch.tensor([0 if r < h - w else 1 if r < h - shift or not shift else 2 for r in range(h)])
        region = region[:, None] * 3 + region
        inside = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(w), indexing="ij"), -1).reshape(
            -1, 2
        )
        away = inside[:, None] - inside + w - 1
        table = self.s[f"{name}.relative_position_bias_table"]
        bias = table[away[..., 0] * (2 * w - 1) + away[..., 1]].permute(2, 0, 1)
        x = x.roll((-shift, -shift), (2, 3))
        result = torch.zeros_like(x)
        for top in range(0, h, w):
            for left in range(0, h, w):
                rows, columns = slice(top, top + w), slice(left, left + w)
                tokens = x[:, :, rows, columns].flatten(2).transpose(1, 2)
                qkv = tokens @ self.s[f"{name}.proj_qkv.weight"].T + self.s[f"{name}.proj_qkv.bias"]
                q, k, v = (t.unflatten(2, (heads, -1)) for t in qkv.chunk(3, 2))
                logits = torch.einsum("bqmc,bkmc->bmqk", q, k) * (channels // heads) ** -0.5 + bias
                if shift:
                    of = region[rows, columns].flatten()
                    logits = logits + torch.where(of[:, None] == of, 0.0, -100.0)
                mixed = torch.einsum("bmqk,bkmc->bqmc", softmax(logits), v).flatten(2)
                mixed = mixed @ self.s[f"{name}.proj_out.weight"].T + self.s[f"{name}.proj_out.bias"]
                result[:, :, rows, columns] = mixed.transpose(1, 2).unflatten(2, (w, w))
        return result.roll((shift, shift), (2, 3))

    def deformable(self, x, i, j):
        name, c = f"stages.{i}.attns.{j}", self.c
        heads, groups, factor = c["heads"][i], c["groups"][i], c["offset_range_factor"][i]
        b, channels, h, w = x.shape
        q = self.conv(x, f"{name}.proj_q")
        offset = self.offsets(q, i, j)
        if factor > 0:
            offset = offset.tanh() * torch.tensor([1 / h, 1 / w], dtype=x.dtype) * factor
        if c["no_offs"][i]:
            offset = torch.zeros_like(offset)
        reference = (
            self.conv(x, f"{name}.ref_point14").mean(0).tanh().permute(1, 2, 0).expand(b, groups, -1, -1, -1)
        )
        along = offset * reference > 0
        offset = offset * torch.where(along[..., :1] & along[..., 1:], 1.0, 0.25)
        position = reference + offset if factor >= 0 else (reference + offset).tanh()
        self.references[i, j], self.positions[i, j] = reference, position

        sampled = bilinear(x.reshape(b * groups, -1, h, w), position.reshape(b * groups, h * w, 2))
        sampled = sampled.reshape(b, channels, 1, h * w)
        k, v = (self.conv(sampled, f"{name}.proj_{part}").reshape(b, heads, -1, h * w) for part in "kv")
        logits = torch.einsum("bmcq,bmck->bmqk", q.reshape(b, heads, -1, h * w), k)
        logits = logits * (channels // heads) ** -0.5
        if c["use_pes"][i] and not c["dwc_pes"][i]:
            logits = logits + self.position_bias(position, i, j)
        mixed = torch.einsum("bmqk,bmck->bmcq", softmax(logits), v).reshape(b, channels, h, w)
        if c["use_pes"][i] and c["dwc_pes"][i]:
            mixed = mixed + self.conv(q, f"{name}.rpe_table", padding=1, groups=channels)
        return self.conv(mixed, f"{name}.proj_out")

    def offsets(self, q, i, j):
        """Raw offsets, shape (b, groups, h, w, 2), pairs (y, x)."""
        name, groups = f"stages.{i}.attns.{j}.conv_offset", self.c["groups"][i]
        b, channels, h, w = q.shape
        width = channels // groups
        x = self.conv(
            q.reshape(b * groups, width, h, w), f"{name}.0", padding=(9, 7, 5, 3)[i] // 2, groups=width
        )
        x = self.conv(gelu(self.norm(x, f"{name}.1")), f"{name}.3")
        return x.permute(0, 2, 3, 1).reshape(b, groups, h, w, 2)

    def position_bias(self, position, i, j):
        table = self.s[f"stages.{i}.attns.{j}.rpe_table"]
        if self.c["fixed_pes"][i]:
            return table
        b, groups, h, w, _ = position.shape
        heads = len(table)
        row, column = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        grid = torch.stack(((row + 0.5) / h, (column + 0.5) / w), -1).to(position) * 2 - 1
        displacement = (grid.reshape(-1, 1, 2) - position.reshape(b * groups, 1, -1, 2)) / 2
        tables = table.reshape(groups, heads // groups, *table.shape[1:]).repeat(b, 1, 1, 1)
        return bilinear(tables, displacement.flatten(1, 2)).reshape(b, heads, h * w, h * w)


def gelu(x):
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def softmax(logits):
    e = (logits - logits.amax(-1, keepdim=True)).exp()
    return e / e.sum(-1, keepdim=True)


def bilinear(maps, at):
    """Maps (n, c, h, w) at pairs (y, x), shape (n, p, 2), +-1 the outermost centres; zero outside."""
    h, w = maps.shape[2:]
    y, x = (at[..., 0] + 1) / 2 * (h - 1), (at[..., 1] + 1) / 2 * (w - 1)
    total = 0
    for row in (y.floor(), y.floor() + 1):
        for column in (x.floor(), x.floor() + 1):
            inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
            share = (1 - (y - row).abs()) * (1 - (x - column).abs()) * inside
            index = (row.clamp(0, h - 1) * w + column.clamp(0, w - 1)).long()
            read = maps.flatten(2).gather(2, index[:, None].expand(-1, maps.shape[1], -1))
            total = total + read * share[:, None]
    return total


# ---- the comparison ----


def compare(config, seed=0, n=3):
    """Output, gradient at the input, points and positions: ours against the transcription's."""
    rng = np.random.default_rng(seed)
    state = weights(config, rng)
    x = torch.from_numpy(rng.standard_normal((n, 3, config["img_size"], config["img_size"]))).requires_grad_()
    ours = EAT.from_official(config, state).double()
    # Ours went through float32 on their way in.
    released = Released(config, {name: value.float().double() for name, value in state.items()})

    expected, output = released(x), ours(x)
    torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-9)
    gradients = [torch.autograd.grad((out**2).mean(), x)[0] for out in (output, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-9)
    _, seen = look(ours, x)
    assert set(seen) == {f"stages.{i}.blocks.{j}.attention" for i, j in released.positions}
    for (i, j), position in released.positions.items():
        one = seen[f"stages.{i}.blocks.{j}.attention"]
        torch.testing.assert_close(one.positions, position.flatten(2, 3).flip(-1), rtol=0, atol=1e-9)
        reference = released.references[i, j].flatten(2, 3).flip(-1)
        torch.testing.assert_close(one.points, reference, rtol=0, atol=1e-9)


CASES = {
    "plain": {},
    "wider stem": {"dim_stem": 6},
    "convolutional patches": {"use_conv_patches": True},
    "patches of 4": {"patch_size": 4, "window_sizes": [2, 2, 2, 1]},
    "convolutional patches of 4": {"patch_size": 4, "window_sizes": [2, 2, 2, 1], "use_conv_patches": True},
    "convolutional MLPs": {"use_dwc_mlps": [True] * 4},
    "no position bias": {"use_pes": [False] * 4, "dwc_pes": [True] * 4},
    "depthwise position bias": {"dwc_pes": [True] * 4},
    "fixed position bias": {"fixed_pes": [True] * 4},
    "depthwise goes before fixed": {"fixed_pes": [True] * 4, "dwc_pes": [True] * 4},
    "no offsets": {"no_offs": [True] * 4},
    "no offsets, bounded positions": {"no_offs": [True] * 4, "offset_range_factor": [-1] * 4},
    "raw offsets": {"offset_range_factor": [0] * 4},
    "raw offsets, bounded positions": {"offset_range_factor": [-1] * 4},
    "the released default ranges": {"offset_range_factor": [1, 2, 3, 4]},
    "D in the first stage": {
        "stage_spec": [["D", "L"], *[["D", "D"]] * 3],
        "groups": [1, 2, 1, 2],
        "strides": [1] * 4,
    },
    "a window as large as the map": {"window_sizes": [16, 8, 4, 2], "stage_spec": [["L", "S"]] * 4},
    "uneven windows": {"img_size": 48, "window_sizes": [3, 3, 3, 3], "stage_spec": [["L", "S"]] * 4},
    "other depths": {
        "depths": [1, 2, 3, 1],
        "stage_spec": [["S", "L"], ["S", "D"], ["D", "S", "L"], ["D", "D"]],
    },
    "larger MLPs": {"expansion": 4, "num_classes": 7},
    "dropout, which evaluation ignores": {"drop_rate": 0.5, "attn_drop_rate": 0.5, "drop_path_rate": 0.5},
}


@pytest.mark.parametrize("case", CASES)
def test_every_released_option(case):
    compare({**SMALL, **CASES[case]})


def random_config(rng):
    def each(choices):
        return [choices[rng.integers(len(choices))] for _ in range(4)]

    patch, stem = int(rng.choice([2, 4])), int(rng.choice([4, 8]))
    depths = [int(n) for n in rng.integers(1, 4, 4)]
    specs = [[str(letter) for letter in rng.choice(list("LSD"), depth)] for depth in depths]
    heads = each([1, 2, 4])
    return {
        **SMALL,
        "img_size": patch * 16,
        "patch_size": patch,
        "dim_stem": stem,
        "depths": depths,
        "stage_spec": specs,
        "window_sizes": [int(rng.choice([2, 4, 8])), int(rng.choice([2, 4])), 2, 2],
        "heads": heads,
        "groups": [int(rng.choice([g for g in (1, 2, 4) if n % g == 0])) for n in heads],
        "strides": [1] * 4,
        "expansion": int(rng.choice([1, 2, 3])),
        "offset_range_factor": each([-2, -1, 0, 0.5, 1, 4]),
        "use_pes": each([True, True, False]),
        "dwc_pes": each([True, False, False]),
        "fixed_pes": each([True, False]),
        "no_offs": each([True, False, False]),
        "use_dwc_mlps": each([True, False]),
        "use_conv_patches": bool(rng.integers(2)),
    }


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.slow] if seed >= 5 else []) for seed in range(80)]
)
def test_random_configurations(seed):
    compare(random_config(np.random.default_rng(seed)), seed=seed, n=2)


def test_left_out_arguments_have_the_released_defaults():
    options = official_options({})
    assert options["img_size"] == 224
    assert options["num_classes"] == 1000
    assert options["stages"] == ("LE", "LE", "LELELE", "LE")
    assert options["offset_range"] == (1.0, 2.0, 3.0, 4.0)
    assert options["bias"] == ("none",) * 4
    assert options["stem_dim"] == 96


# ---- batches ----


def test_image_mode_is_the_released_network_with_each_image_alone():
    rng = np.random.default_rng(5)
    state = weights(SMALL, rng)
    x = torch.from_numpy(rng.standard_normal((3, 3, 32, 32))).float()
    official, image = (EAT.from_official(SMALL, state, compat=compat) for compat in ("official", "image"))
    with torch.no_grad():
        together, alone = official(x), torch.cat([official(one[None]) for one in x])
        torch.testing.assert_close(image(x), alone, rtol=0, atol=1e-5)
        torch.testing.assert_close(image(x[1:2]), alone[1:2], rtol=0, atol=1e-5)
    assert (together - alone).abs().amax(1).min() > 1e-3


# ---- weights ----


def test_buffers_that_follow_from_the_configuration_are_ignored():
    state = weights(SMALL, np.random.default_rng(0))
    # Wrong on purpose: were they read, the network would change or refuse them.
    extra = {
        "stages.0.attns.0.relative_position_index": torch.zeros(2, 2),
        "stages.0.attns.1.attn_mask": torch.zeros(1),
        "stages.1.attns.1.q_grid": torch.zeros(1),
        "stages.1.attns.1.reference": torch.zeros(1),
    }
    x = torch.ones(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(
            EAT.from_official(SMALL, {**state, **extra})(x), EAT.from_official(SMALL, state)(x)
        )


def test_a_network_without_offsets_needs_no_offset_weights():
    config = {**SMALL, "no_offs": [True] * 4}
    state = weights(config, np.random.default_rng(0))
    without = {name: value for name, value in state.items() if ".conv_offset." not in name}
    assert len(without) < len(state)
    x = torch.ones(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(EAT.from_official(config, state)(x), EAT.from_official(config, without)(x))


# ---- what is refused ----

FITS_NOT = "the released weights do not fit their configuration: "
DO = "; give the configuration that the weights were trained with"


def refused(config, state):
    with pytest.raises(CheckpointError) as error:
        EAT.from_official(config, state)
    return str(error.value)


def test_missing_weights():
    state = weights(SMALL, np.random.default_rng(0))
    del state["stages.2.attns.1.ref_point14.bias"], state["cls_head.bias"]
    assert refused(SMALL, state) == (
        f"{FITS_NOT}stages.2.blocks.1.attention.interest.conv.bias is missing; head.bias is missing{DO}"
    )


def test_unknown_weights():
    state = weights(SMALL, np.random.default_rng(0)) | {"stages.0.attns.0.odd": torch.zeros(1)}
    assert refused(SMALL, state) == f"{FITS_NOT}stages.0.blocks.0.attention.odd is unknown{DO}"


def test_weights_of_another_shape():
    state = weights({**SMALL, "num_classes": 5}, np.random.default_rng(0))
    assert refused(SMALL, state) == (
        f"{FITS_NOT}head.weight has shape (5, 32), expected (3, 32); "
        f"head.bias has shape (5,), expected (3,){DO}"
    )


def test_many_problems_are_counted():
    state = weights({**SMALL, "dim_stem": 6}, np.random.default_rng(0))
    # Two weights that widen the first map are unknown, and the stem has four of another shape.
    assert refused(SMALL, state) == (
        f"{FITS_NOT}stages.0.widen.weight is unknown; stages.0.widen.bias is unknown; "
        f"stem.0.weight has shape (6, 3, 2, 2), expected (4, 3, 2, 2) and 3 more{DO}"
    )


def test_weights_of_another_image_size():
    state = weights(SMALL, np.random.default_rng(0))
    message = refused({**SMALL, "img_size": 64}, state)
    table = "stages.1.blocks.1.attention.bias_table has shape (2, 15, 15), expected (2, 31, 31)"
    assert message.startswith(f"{FITS_NOT}{table}; ")
    assert message.endswith(DO)


def test_strides():
    with pytest.raises(CheckpointError) as error:
        EAT.from_official({**SMALL, "strides": [-1, 1, 2, 1]}, {})
    assert str(error.value) == (
        "strides of stage 3 is 2; the released layer has as many points as positions, so only 1 can run"
    )


@pytest.mark.parametrize(
    ("spec", "depth", "shown"), [(["L"], 2, "'L'"), (["L", "X"], 2, "'LX'"), (["E", "E"], 2, "'EE'")]
)
def test_stage_spec(spec, depth, shown):
    config = {**SMALL, "depths": [2, depth, 2, 2], "stage_spec": [["L", "S"], spec, ["L", "D"], ["L", "D"]]}
    with pytest.raises(CheckpointError) as error:
        EAT.from_official(config, {})
    assert str(error.value) == f"stage_spec of stage 2 is {shown}, expected 2 letters out of L, S and D"


@pytest.mark.parametrize("name", ["depths", "stage_spec", "heads", "strides", "use_pes", "no_offs"])
def test_not_one_value_for_each_stage(name):
    with pytest.raises(CheckpointError) as error:
        EAT.from_official({**SMALL, name: SMALL[name][:3]}, {})
    assert str(error.value) == (
        f"{name} has 3 values for the 4 stages of dims; "
        f"give one for each stage, as the weights were trained with"
    )


def test_unknown_mode():
    with pytest.raises(CheckpointError) as error:
        EAT.from_official(SMALL, {}, compat="paper")
    assert str(error.value) == "compat 'paper' is unknown; choose 'official' or 'image'"


def test_a_size_that_does_not_divide():
    with pytest.raises(ShapeError) as error:
        EAT.from_official({**SMALL, "img_size": 40}, {})
    assert str(error.value) == (
        "EAT cannot be built: img_size 40 does not divide into patches, stages and windows; "
        "the nearest sizes that do: 32 and 64"
    )
