"""The released network's own numbers, from files beside the checkout; skipped where they are absent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from generic.eat import EAT, look

FILES = sorted((Path(__file__).resolve().parents[4] / "shared" / "golden").glob("official_eat_*.safetensors"))

pytestmark = pytest.mark.skipif(not FILES, reason="no golden files beside the checkout (../shared/golden)")


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def golden(request):
    """The released configuration, its weights, and everything else in the file by name."""
    with safe_open(request.param, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        config = json.loads(file.metadata()["config"])
    prefix = "state."
    state = {
        name.removeprefix(prefix): tensors.pop(name) for name in list(tensors) if name.startswith(prefix)
    }
    return config, state, tensors


def test_output_and_input_gradient(golden):
    config, state, tensors = golden
    x = tensors["input"].requires_grad_()
    output = EAT.from_official(config, state)(x)
    torch.testing.assert_close(output, tensors["output"], rtol=0, atol=1e-5)
    (gradient,) = torch.autograd.grad((output**2).mean(), x)
    assert tensors["input_grad"].abs().max() > 1e-3
    torch.testing.assert_close(gradient, tensors["input_grad"], rtol=0, atol=1e-5)


def test_points_and_positions_of_every_layer(golden):
    config, state, tensors = golden
    _, seen = look(EAT.from_official(config, state), tensors["input"])
    layers = {name.split(".", 1)[1] for name in tensors if name.startswith("positions.")}
    assert {
        name.replace("stages.", "").replace(".blocks", "").removesuffix(".attention") for name in seen
    } == layers
    for name, one in seen.items():
        _, stage, _, block, _ = name.split(".")
        for ours, theirs in ((one.points, "references"), (one.positions, "positions")):
            # Theirs are (y, x) on a map, ours (x, y) in a row.
            expected = tensors[f"{theirs}.{stage}.{block}"].flatten(2, 3).flip(-1)
            torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def test_image_mode_is_the_released_network_alone_with_each_image(golden):
    config, state, tensors = golden
    official, image = (EAT.from_official(config, state, compat=compat) for compat in ("official", "image"))
    with torch.no_grad():
        alone = torch.cat([official(x[None]) for x in tensors["input"]])
        torch.testing.assert_close(image(tensors["input"]), alone, rtol=0, atol=1e-5)
    # The golden output is not that: it was made in a batch, by a mean over it.
    assert (alone - tensors["output"]).abs().max() > 1e-4
