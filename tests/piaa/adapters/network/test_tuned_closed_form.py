"""No steps change a head that was worked out in closed form; people of releases before go on."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from generic.lite.piaa_lite import PiaaLite
from piaa.adapters.network.copies import in_closed_form
from piaa.adapters.registry import make_adapter

HEADS = ("project.", "kernel.")


def fitted(tiny, twelve, adapter):
    scores = np.linspace(0.1, 0.9, len(twelve))
    return make_adapter(f"{adapter}@gate=none@epochs=1", None, generic=tiny).fit(twelve, scores)


def changed(adapter) -> set[str]:
    """Names of parameters of which something is stored."""
    return {key.removeprefix("change.") for key in adapter.state() if key.startswith("change.")}


@pytest.mark.parametrize("part", ["whole", "last"])
@pytest.mark.parametrize("name", ["finetune", "lora"])
def test_all_but_the_head_is_tuned(tiny, twelve, name, part):
    names = changed(fitted(tiny, twelve, f"{name}@part={part}"))
    assert any(key.startswith("tuned.") for key in names)
    assert not [key for key in names if key.startswith(HEADS)]
    if name == "finetune" and part == "whole":
        every = {key for key, _ in tiny.network.named_parameters()}
        assert names == {key for key in every if not key.startswith(HEADS)}


@pytest.mark.parametrize("name", ["finetune", "lora"])
def test_a_person_of_the_release_before_whose_head_was_tuned_is_restored(tiny, twelve, name, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(PiaaLite, "closed_form", ())
        old = fitted(tiny, twelve, name)
        wanted = old.predict(twelve).score
    assert any(key.startswith(HEADS) for key in changed(old))
    restored = make_adapter(name, None, generic=tiny).restore(old.state())
    assert restored.predict(twelve).score.tobytes() == wanted.tobytes()
    assert changed(restored) == changed(old)


def test_a_network_without_such_a_head_is_tuned_whole():
    assert not in_closed_form(nn.Linear(2, 2), "project.weight")
