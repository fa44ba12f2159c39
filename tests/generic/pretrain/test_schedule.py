"""How fast each layer learns, against PyTorch's schedules and rates worked by hand."""

from __future__ import annotations

import math
import re
import warnings
from itertools import pairwise

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import lr_scheduler

import generic.eat  # noqa: F401 - registers the presets
from generic.errors import TrainingError
from generic.pretrain.config import Settings
from generic.pretrain.feasible import check_feasible
from generic.pretrain.schedule import freeze, frozen_share, head_of, make_optimiser, rate_factor, set_rate

SMALL_EAT = {
    "img_size": 64,
    "dims": [8, 16, 16, 16],
    "heads": [1, 2, 2, 2],
    "groups": [1, 1, 2, 2],
    "windows": 2,
    "k_in": [8, 4, 2, 1],
    "stages": ["L", "SS", "E", "EE"],
}


def rates_of(scheduler_class, n: int, **options) -> list[float]:
    """The rates that PyTorch's own scheduler gives, from 1."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = scheduler_class(optimiser, **options)
    found = []
    for _ in range(n):
        found.append(optimiser.param_groups[0]["lr"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no step was made before the scheduler's
            scheduler.step()
    return found


def test_the_cosine_is_pytorchs():
    settings = Settings(schedule="cosine", warmup=0, epochs=4)
    expected = rates_of(lr_scheduler.CosineAnnealingLR, 40, T_max=40)
    assert [rate_factor(settings, step, 10) for step in range(40)] == pytest.approx(expected, abs=1e-12)


def test_steps_are_pytorchs():
    settings = Settings(schedule="steps", warmup=0, epochs=9, step_epochs=2, step_factor=0.3)
    expected = rates_of(lr_scheduler.StepLR, 90, step_size=20, gamma=0.3)
    assert [rate_factor(settings, step, 10) for step in range(90)] == pytest.approx(expected, rel=1e-12)


def test_a_constant_rate_and_a_warm_up_by_hand():
    settings = Settings(schedule="constant", warmup=0.2, epochs=2)  # 4 of 20 steps
    expected = [0.2, 0.4, 0.6, 0.8, 1.0, *[1.0] * 15]
    assert [rate_factor(settings, step, 10) for step in range(20)] == pytest.approx(expected)


@given(
    schedule=st.sampled_from(("cosine", "constant", "steps")),
    warmup=st.floats(0, 0.9),
    epochs=st.integers(1, 6),
    steps=st.integers(1, 12),
)
def test_it_rises_then_never_rises_again(schedule, warmup, epochs, steps):
    settings = Settings(schedule=schedule, warmup=warmup, epochs=epochs, step_epochs=2)
    factors = [rate_factor(settings, step, steps) for step in range(epochs * steps)]
    n_rising = math.ceil(warmup * epochs * steps)
    assert all(0 < factor <= 1 for factor in factors[:n_rising])
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[:n_rising] == sorted(factors[:n_rising])
    assert factors[n_rising:] == sorted(factors[n_rising:], reverse=True)


def test_frozen_shares_hold_until_the_next():
    settings = Settings(freeze=((1, 1.0), (3, 0.25), (4, 0.0)))
    assert [frozen_share(settings, epoch) for epoch in range(6)] == [0.0, 1.0, 1.0, 0.25, 0.0, 0.0]
    assert frozen_share(Settings(), 0) == 0


def rates(network: nn.Module, **options) -> dict[str, float]:
    """The learning rate of every parameter, where the highest is 1."""
    optimiser = make_optimiser(network, Settings(**options))
    set_rate(optimiser, 1.0)
    found = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    return {name: found[id(parameter)] for name, parameter in network.named_parameters()}


def test_each_layers_rate_is_a_share_of_the_next_ones():
    network = timm.create_model("test_vit", num_classes=3)
    found = rates(network, layer_decay=0.5)
    depth = len(network.blocks)
    # From the input: what makes patches, each block (the last with the norm behind it), the head.
    after = {"norm": depth, "head": depth + 1}
    for name, rate in found.items():
        block = re.match(r"blocks\.(\d+)\.", name)
        layer = int(block[1]) + 1 if block else after.get(name.partition(".")[0], 0)
        assert rate == pytest.approx(0.5 ** (depth + 1 - layer)), name


def test_eats_rates_fall_towards_the_input():
    network = timm.create_model("eat_tiny_patch4_224", num_classes=3, **SMALL_EAT)
    found = rates(network, layer_decay=0.5)
    assert {rate for name, rate in found.items() if name.startswith("head")} == {1.0}
    assert set(found.values()) == {0.5**n for n in range(len(set(found.values())))}
    blocks = [rate for name, rate in found.items() if ".blocks." in name]
    assert blocks == sorted(blocks)
    assert max(rate for name, rate in found.items() if name.startswith("stem")) == min(found.values())


def test_matrices_decay_and_vectors_do_not():
    network = timm.create_model("test_resnet", num_classes=3)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    for options in ({}, {"layer_decay": 0.5}):
        optimiser = make_optimiser(network, Settings(decay=0.25, **options))
        assert sorted(names[id(p)] for group in optimiser.param_groups for p in group["params"]) == sorted(
            names.values()
        )
        for group in optimiser.param_groups:
            assert {p.ndim > 1 for p in group["params"]} == {group["weight_decay"] == 0.25}


def trained(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def test_freezing_goes_from_the_input_on_and_spares_the_head():
    network = timm.create_model("test_vit", num_classes=3)
    every = trained(network)
    sets = []
    for share in (1.0, 0.75, 0.5, 0.25, 0.0):
        freeze(network.train(), share)
        sets.append(trained(network))
    assert sets[0] == {"head.weight", "head.bias"}
    assert sets[-1] == every
    assert all(more > less for less, more in pairwise(sets))
    freeze(network, 0.5)
    assert not [name for name in trained(network) if "embed" in name or name.startswith("blocks.0.")]
    assert {"norm.weight", "head.weight"} <= trained(network)


def test_both_heads_of_a_distilled_network_are_its_last_layer():
    distilled = timm.create_model("deit_tiny_distilled_patch16_224", num_classes=1, depth=1)
    heads = [parameter for name, parameter in distilled.named_parameters() if name.startswith("head")]
    assert len(heads) == 4
    assert head_of(distilled) == {id(parameter) for parameter in heads}


def test_statistics_of_frozen_layers_stand_still():
    network = timm.create_model("test_resnet", num_classes=3)
    before = {name: value.clone() for name, value in network.named_buffers()}
    freeze(network.train(), 1.0)
    network(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())
    freeze(network.train(), 0.0)
    network(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert not any(
        torch.equal(value, before[name]) for name, value in network.named_buffers() if "mean" in name
    )


def test_what_was_asked_whether_it_can_be_trained_can_be_trained():
    network = timm.create_model("test_vit", num_classes=3)
    check_feasible(network, Settings(batch=2, freeze=((0, 1.0), (1, 0.5))), 4, n_processes=1)
    assert trained(network) == {name for name, _ in network.named_parameters()}


def test_a_network_without_layers_has_no_parts_to_freeze():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    network.get_classifier = lambda: network[1]
    freeze(network, 1.0)
    assert trained(network) == {"1.weight", "1.bias"}
    with pytest.raises(TrainingError) as caught:
        freeze(network, 0.5)
    assert str(caught.value) == (
        "Sequential does not say which layers it has, which a partly frozen network would need; set the "
        "shares of freeze to 0 or 1"
    )
