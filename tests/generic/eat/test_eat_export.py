"""The network leaves Python: torch.compile, torch.export and ONNX."""

from __future__ import annotations

import shutil

import onnxruntime
import pytest
import timm
import torch

from generic.eat import EAT, set_progress

TINY = {
    "img_size": 32,
    "dims": (8, 16),
    "heads": (1, 4),
    "groups": (1, 2),
    "windows": 4,
    "k_in": 2,
    "k_offset": 3,
    "stages": ("S", "DE"),
}
BATCH = torch.export.Dim("batch")


def small() -> EAT:
    return EAT(**TINY)


def tiny() -> EAT:
    # With eta below 1 the network jumps where an offset passes an axis (eq. 7). Among the thousands of
    # offsets here one lies so near an axis that rounding decides, and then float32 itself is 1e-3 from
    # float64; with eta 1 the same operations are continuous.
    return timm.create_model("eat_tiny_patch4_224", eta=1.0)


SIZES = [small, pytest.param(tiny, marks=pytest.mark.slow)]
COMPILER = (
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler (g++)"),
)


def trained_alike(build) -> EAT:
    """A network in evaluation mode, every parameter far from zero."""
    torch.manual_seed(0)
    network = build().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return network


def photos(network, n):
    size = network.config.img_size
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(n))


@pytest.fixture(autouse=True)
def clean():
    """No compiled code and no random numbers stay behind."""
    torch.compiler.reset()
    with torch.random.fork_rng(devices=[]):
        yield
    torch.compiler.reset()


@pytest.mark.parametrize(
    ("build", "backend"),
    [
        # The training below compiles the same network by default.
        pytest.param(small, "aot_eager", marks=pytest.mark.slow),
        pytest.param(small, "inductor", marks=COMPILER),
        pytest.param(tiny, "aot_eager", marks=pytest.mark.slow),
    ],
)
def test_compiled_in_one_piece(build, backend):
    network = trained_alike(build)
    compiled, x = torch.compile(network, fullgraph=True, backend=backend), photos(network, 2)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), network(x), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "backend", [pytest.param("aot_eager", marks=pytest.mark.slow), pytest.param("inductor", marks=COMPILER)]
)
def test_compiled_training_is_not_compiled_again_for_every_epoch(backend):
    network = trained_alike(small).train()
    compiled, x = torch.compile(network, fullgraph=True, backend=backend), photos(network, 2)
    set_progress(network, 1.0)
    compiled(x).square().mean().backward()
    gradients = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
    network.zero_grad()
    network(x).square().mean().backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-3, atol=1e-5, msg=name)
    with torch._dynamo.config.patch(error_on_recompile=True):
        still = compiled(x).detach()
        for fraction in (0.0, 0.5):
            set_progress(network, fraction)
            turned = compiled(x)
            turned.square().mean().backward()
            # The compiled network sees the new epoch all the same.
            assert (turned.detach() - still).abs().max() > 1e-6


@pytest.mark.parametrize("build", SIZES)
def test_exported_for_any_batch(build):
    network = trained_alike(build)
    program = torch.export.export(network, (photos(network, 2),), dynamic_shapes=({0: BATCH},))
    with torch.no_grad():
        for n in (1, 2, 5):
            x = photos(network, n)
            torch.testing.assert_close(program.module()(x), network(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("build", SIZES)
def test_onnx_for_any_batch(build, tmp_path):
    network = trained_alike(build)
    program = torch.onnx.export(
        network, (photos(network, 2),), dynamo=True, dynamic_shapes=({0: BATCH},), verbose=False
    )
    program.save(tmp_path / "eat.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "eat.onnx", providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    for n in (1, 2, 5):
        x = photos(network, n)
        (output,) = session.run(None, {entry.name: x.numpy()})
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(output), network(x), rtol=0, atol=1e-4)
