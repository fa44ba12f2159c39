"""The enhanced attention module against a second implementation, written in NumPy from the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import torch
from numpy.lib.stride_tricks import sliding_window_view

from generic.eat.attention import DeformableAttention

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


def conv(x, weight, bias=None, padding=0):
    """Cross-correlation of images (b, c, h, w) with a kernel (o, c, k, k)."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    y = np.einsum("bchwij,ocij->bohw", windows, weight)
    return y if bias is None else y + bias[:, None, None]


def depthwise(x, weight, bias):
    """The same where each channel has its own kernel (c, 1, k, k)."""
    pad = weight.shape[-1] // 2
    parts = [conv(x[:, [i]], weight[[i]], bias[[i]], pad) for i in range(len(weight))]
    return np.concatenate(parts, 1)


def bilinear(image, x, y):
    """The image (c, h, w) at column and row ``x, y`` in pixels, neighbours mixed; zero outside."""
    c, h, w = image.shape
    total = np.zeros(c)
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < h and 0 <= column < w:
                total += image[:, row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def regular(grid, size, *, edges):
    """The regular grid, shape (hp, wp, 2)."""
    axes = []
    for n, side in zip(grid, size, strict=True):
        cells = (np.arange(n) + 0.5) / n  # in [0, 1] from edge to edge
        axes.append(2 * cells - 1 if edges else 2 * (cells * side - 0.5) / max(side - 1, 1) - 1)
    return np.stack(np.meshgrid(*axes, indexing="ij")[::-1], -1)


def reference_points(p, x, size, o):
    """Shape (b, hp, wp, 2)."""
    h, w = size
    if not o["interest"]:
        grid = (h - o["k_in"] + 1, w - o["k_in"] + 1)
        return np.broadcast_to(regular(grid, size, edges=o["bias"] == "edges"), (len(x), *grid, 2))
    points = conv(x, p["interest.conv.weight"], p["interest.conv.bias"])
    if o["over_batch"]:
        points = np.broadcast_to(points.mean(0), points.shape)
    return np.tanh(points + p["interest.start"] if o["grid_start"] else points).transpose(0, 2, 3, 1)


def reference_offsets(p, q, grid, o):
    """Raw offsets of one group, shape (b, hp, wp, 2)."""
    (h, w), (hp, wp) = q.shape[2:], grid
    features = depthwise(q, p["offset.depthwise.weight"], p["offset.depthwise.bias"])
    features = (features - features.mean(1, keepdims=True)) / np.sqrt(features.var(1, keepdims=True) + 1e-5)
    features = features * p["offset.norm.weight"][:, None, None] + p["offset.norm.bias"][:, None, None]
    features = features * 0.5 * (1 + scipy.special.erf(features / math.sqrt(2)))
    offsets = np.empty((len(q), hp, wp, 2))
    for r, c in np.ndindex(grid):
        rows = slice(r * h // hp, math.ceil((r + 1) * h / hp))
        columns = slice(c * w // wp, math.ceil((c + 1) * w / wp))
        offsets[:, r, c] = features[:, :, rows, columns].mean((2, 3)) @ p["offset.out.weight"][:, :, 0, 0].T
    if o["offset_range"] is None:
        return offsets
    unit = np.array([1 / wp, 1 / hp]) if o["offset_unit"] == "cell" else 1.0
    return np.tanh(offsets) * o["offset_range"] * unit


def reference_positions(p, x, q, size, o):
    """Where each group of each image is sampled, shape (b, g, n, 2)."""
    b, g, width = len(x), o["groups"], q.shape[1] // o["groups"]
    points = reference_points(p, x, size, o)
    grid = points.shape[1:3]
    points = np.repeat(points.reshape(b, 1, -1, 2), g, axis=1)
    offsets = np.zeros_like(points)
    if o["offsets"]:
        for group in range(g):
            raw = reference_offsets(p, q[:, group * width : (group + 1) * width], grid, o)
            offsets[:, group] = raw.reshape(b, -1, 2)
    if o["guide"]:
        offsets[~(np.sign(offsets) == np.sign(points)).all(-1)] *= o["eta"]
    positions = points + offsets
    if o["final"] == "none":
        return positions
    return np.tanh(positions) if o["final"] == "tanh" else np.clip(positions, -1, 1)


def reference_bias(table, query, key, size, o):
    """Bias of one query, (row, column) in positions, at one key, a pair (x, y)."""
    (h, w), (i, j) = size, query
    if o["bias"] == "aligned":
        column, row = (key + 1) / 2 * (w - 1, h - 1)
        return bilinear(table, j - column + w - 1, i - row + h - 1)[0]
    at_edges = np.array([(2 * j + 1) / w - 1, (2 * i + 1) / h - 1])
    return bilinear(table, *((at_edges - key) / 2 + 1) * (w - 1, h - 1))[0]


def reference(module, x, size, options):
    """The output, shape (b, c, h, w), by loops."""
    o = {"interest": True, "grid_start": True, "over_batch": False, "offsets": True, "guide": True}
    o |= {"heads": 4, "groups": 2, "k_in": 2, "eta": 0.25, "offset_range": 1.0, "offset_unit": "map"}
    o |= {"final": "tanh", "bias": "aligned", **options}
    p = {key: value.numpy() for key, value in module.state_dict().items()}
    (b, c, h, w), m, g = x.shape, o["heads"], o["groups"]
    q = conv(x, p["q.weight"], p["q.bias"])
    positions = reference_positions(p, x, q, size, o)
    attended = np.zeros((b, m, c // m, h * w))
    for image in range(b):
        pixels = (positions[image] + 1) / 2 * (w - 1, h - 1)
        groups = x[image].reshape(g, c // g, h, w)
        read = [np.stack([bilinear(groups[i], *xy) for xy in pixels[i]], 1) for i in range(g)]
        sampled = np.concatenate(read)  # (c, n)
        k, v = (
            (p[f"{name}.weight"][:, :, 0, 0] @ sampled + p[f"{name}.bias"][:, None]).reshape(m, c // m, -1)
            for name in "kv"
        )
        for head in range(m):
            query = q[image].reshape(m, c // m, h * w)[head]
            logits = query.T @ k[head] / math.sqrt(c // m)
            if o["bias"] == "pairs":
                logits += p["bias_table"][head]
            elif o["bias"] in ("aligned", "edges"):
                for place, n in np.ndindex(logits.shape):
                    table, key = p["bias_table"][[head]], positions[image, head * g // m, n]
                    logits[place, n] += reference_bias(table, divmod(place, w), key, size, o)
            attended[image, head] = v[head] @ scipy.special.softmax(logits, axis=1).T
    attended = attended.reshape(b, c, h, w)
    if o["bias"] == "depthwise":
        attended += depthwise(q, p["bias_conv.weight"], p["bias_conv.bias"])
    return conv(attended, p["out.weight"], p["out.bias"])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"k_in": 1, "groups": 1, "heads": 2},
        {"k_in": 3, "groups": 4, "eta": 0.1, "offset_range": 0.6},
        {"k_in": 1, "k_offset": 5, "size": (2, 5)},
        {"k_in": 1, "size": (1, 5)},
        {"grid_start": False, "final": "clamp", "offset_range": None},
        {"final": "none", "offset_unit": "cell", "offset_range": 3.0},
        {"interest": False, "bias": "pairs"},
        {"offsets": False, "guide": False, "bias": "depthwise"},
        {"guide": False, "bias": "none", "final": "clamp"},
        {"interest": False, "offsets": False, "guide": False, "final": "none"},
        {"over_batch": True},
        RELEASED,
        {**RELEASED, "interest": False, "guide": False, "size": (5, 2)},
        {"bias": "edges", "interest": False},
    ],
)
def test_it_equals_loops_written_from_the_paper(options):
    size = options.get("size", SIZE)
    module, x = attention(**options), maps(3, size=size)
    expected = reference(module, x.numpy(), size, options)
    np.testing.assert_allclose(module(x), expected, rtol=0, atol=1e-12 * np.abs(expected).max())
