"""Hooks: called within, gone afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from generic.hooks import hooked


def test_a_hook_sees_each_run_and_may_stand_in_for_the_output():
    network, seen = nn.Sequential(nn.ReLU(), nn.Identity()), []
    with hooked([network[0]], lambda module, inputs, output: seen.append((module, inputs[0], output))):
        assert network(torch.tensor([-1.0])).item() == 0
    assert seen == [(network[0], torch.tensor([-1.0]), torch.tensor([0.0]))]
    with hooked(network, lambda _module, _inputs, output: output + 1):
        assert network(torch.tensor([-1.0])).item() == 2
    assert network(torch.tensor([-1.0])).item() == 0


def test_hooks_are_gone_after_an_error():
    network = nn.Identity()
    with pytest.raises(ValueError, match="within"), hooked([network], lambda *_: None):
        raise ValueError("within")
    assert not network._forward_hooks
