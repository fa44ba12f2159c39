"""A Residual Attention Network small enough for tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import timm
import torch

import generic.residual_attention  # noqa: F401 registers the presets

TINY = {"stem_dim": 8, "dims": (8, 16, 24, 32), "modules": (1, 1, 1, 0), "num_classes": 5}


@pytest.fixture(autouse=True)
def same_random_numbers():
    """Each test draws the same numbers, and the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def network() -> Callable:
    """``network(**options)``: a small network by its name in timm, norms far from the identity."""

    def build(**options):
        torch.manual_seed(0)
        built = timm.create_model("residual_attention_56", **{**TINY, **options}).eval()
        with torch.no_grad():
            for name, value in built.state_dict().items():
                if "running_var" in name:
                    value.uniform_(0.5, 2.0)
                elif "running_mean" in name:
                    value.normal_(0, 0.1)
        return built

    return build
