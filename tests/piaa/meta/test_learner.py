"""The meta-learners against gradients worked out by hand, and the numpy head against learn2learn."""

from __future__ import annotations

import builtins
import importlib.util

import numpy as np
import pytest
import torch

from generic.errors import MissingPackage
from piaa.meta.config import ALGORITHMS
from piaa.meta.head import descend, residuals
from piaa.meta.learner import Head, Learner

INPUTS, UNITS, K, RATE, CAUTION = 6, 5, 8, 0.2, 4.0
needs_learn2learn = pytest.mark.skipif(
    importlib.util.find_spec("learn2learn") is None, reason="learn2learn is not installed (extra meta)"
)


def head() -> Head:
    torch.manual_seed(3)
    return Head(INPUTS, UNITS).double()


def learner(algorithm, *, first_order=False) -> Learner:
    return Learner(algorithm, head(), rate=RATE, first_order=first_order, caution=CAUTION)


def data(seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal((K, INPUTS))), torch.from_numpy(rng.normal(0, 0.2, K))


def by_hand(parameters, z, moving, steps, *, first_order=False):
    """Adapted parameters by plain autograd: no library, no modules."""
    support, targets = data()
    now = dict(parameters)
    for _ in range(steps):
        loss = ((forward(now, support) - targets) ** 2).sum() / (K + CAUTION)
        gradients = torch.autograd.grad(loss, [now[key] for key in moving], create_graph=not first_order)
        now |= {key: now[key] - RATE * gradient for key, gradient in zip(moving, gradients, strict=True)}
    return forward(now, z)


def forward(parameters, z):
    given = z @ parameters["body.weight"].T + parameters["body.bias"]
    features = torch.cat([given * torch.sigmoid(given), z[:, :1]], 1)
    return features @ parameters["last.weight"][0] + parameters["last.bias"]


@needs_learn2learn
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("steps", [1, 3])
def test_the_meta_gradient_is_the_second_order_one(algorithm, steps):
    query, wanted = data(1)
    meta = learner(algorithm)
    ((meta.adapt(*data(), steps)(query) - wanted) ** 2).mean().backward()
    plain = {key: value.detach().clone().requires_grad_() for key, value in head().named_parameters()}
    moving = [key for key in plain if algorithm != "anil" or key.startswith("last.")]
    ((by_hand(plain, query, moving, steps) - wanted) ** 2).mean().backward()
    for key, parameter in meta.head.named_parameters():
        torch.testing.assert_close(parameter.grad, plain[key].grad, rtol=0, atol=1e-6)
        assert plain[key].grad.abs().max() > 1e-4, key


@needs_learn2learn
@pytest.mark.parametrize("algorithm", ["anil", "maml"])
def test_first_order_leaves_out_the_second_derivatives(algorithm):
    query, wanted = data(1)
    gradients = []
    for first_order in (False, True):
        meta = learner(algorithm, first_order=first_order)
        ((meta.adapt(*data(), 3)(query) - wanted) ** 2).mean().backward()
        gradients.append(meta.head.last.weight.grad)
    plain = {key: value.detach().clone().requires_grad_() for key, value in head().named_parameters()}
    moving = [key for key in plain if algorithm != "anil" or key.startswith("last.")]
    ((by_hand(plain, query, moving, 3, first_order=True) - wanted) ** 2).mean().backward()
    torch.testing.assert_close(gradients[1], plain["last.weight"].grad, rtol=0, atol=1e-6)
    assert (gradients[0] - gradients[1]).abs().max() > 1e-3


@needs_learn2learn
def test_meta_sgd_learns_its_rates():
    query, wanted = data(1)
    meta = learner("meta-sgd")
    ((meta.adapt(*data(), 2)(query) - wanted) ** 2).mean().backward()
    assert all(rate.grad.abs().max() > 0 for rate in meta.meta.lrs)


@needs_learn2learn
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_numpy_descends_as_learn2learn_adapts(algorithm):
    meta = learner(algorithm)
    if algorithm == "meta-sgd":
        rng = np.random.default_rng(0)
        for rate in meta.meta.lrs:
            rate.data.copy_(torch.from_numpy(rng.uniform(0.0, 0.3, tuple(rate.shape))))
    (z, targets), (query, _) = data(), data(1)
    wanted = meta.adapt(z, targets, 4)(query).detach().numpy()
    person = descend(meta.weights(), z.numpy(), targets.numpy(), rates=meta.rates(), steps=4, caution=CAUTION)
    np.testing.assert_allclose(residuals(person, query.numpy()), wanted, rtol=0, atol=1e-12)
    moved = {key for key, value in person.items() if not np.array_equal(value, meta.weights()[key])}
    assert moved == ({"last.weight", "last.bias"} if algorithm == "anil" else set(person))


@needs_learn2learn
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_adapting_leaves_the_start_as_it_is(algorithm):
    meta = learner(algorithm)
    before = {key: value.clone() for key, value in meta.state_dict().items()}
    meta.adapt(*data(), 3)(data(1)[0]).sum().backward()
    assert all(torch.equal(value, before[key]) for key, value in meta.state_dict().items())


@needs_learn2learn
def test_nothing_is_printed_by_what_learn2learn_loads(capfd):
    learner("anil")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_without_learn2learn(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("learn2learn"):
            raise ImportError("No module named 'learn2learn'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingPackage) as caught:
        learner("anil")
    assert str(caught.value) == (
        "meta-training needs learn2learn, which cannot be imported (No module named 'learn2learn'); "
        "install it with uv sync --extra meta, or see docs/meta-learning.md for pip"
    )
