"""Options behind an adapter's name."""

from __future__ import annotations

import numpy as np
import pytest

from generic.errors import PiaaError
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels
from piaa.adapters.base import Photos
from piaa.adapters.registry import make_adapter


@pytest.fixture(scope="module")
def model(tiny_model) -> GenericModel:
    return GenericModel(tiny_model)


def test_they_are_the_settings(model):
    adapter = make_adapter("finetune@rate=1e-4@epochs=7@gate=none", None, generic=model)
    settings = adapter.settings()
    assert (settings.rate, settings.epochs, settings.gate) == (1e-4, 7, "none")
    usual = make_adapter("lora", None, generic=model).settings()
    assert (usual.rate, usual.epochs, usual.gate) == (3e-4, 8, "average")


@pytest.mark.parametrize("name", ["finetune", "lora"])
def test_the_last_layers_alone(name, model, album, names):
    pixels = np.stack([load_pixels(album / photo, model.size) for photo in names])
    photos = Photos(vectors=model.vectors(pixels), pixels=pixels)
    scores = np.linspace(0, 1, len(names))
    whole, last = (
        make_adapter(f"{name}@epochs=1@gate=none@part={part}", None, generic=model).fit(photos, scores)
        for part in ("whole", "last")
    )
    assert 0 < len(last.state()) < len(whole.state())
    assert set(last.state()) < set(whole.state())
    again = make_adapter(name, None, generic=model).restore(last.state())
    assert again.predict(photos).score.tobytes() == last.predict(photos).score.tobytes()


def test_a_state_of_the_release_before_counts_alone(model, album, names):
    pixels = np.stack([load_pixels(album / photo, model.size) for photo in names])
    photos = Photos(vectors=model.vectors(pixels), pixels=pixels)
    adapter = make_adapter("finetune@epochs=1@gate=none", None, generic=model).fit(
        photos, np.linspace(0, 1, len(names))
    )
    old = {key: value for key, value in adapter.state().items() if key != "weight"}
    restored = make_adapter("finetune", None, generic=model).restore(old)
    assert restored.predict(photos).score.tobytes() == adapter.predict(photos).score.tobytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "finetune@speed=1",
            "adapter 'finetune' has no option 'speed'; choose among rate, epochs, gate, part",
        ),
        ("finetune@rate=fast", "adapter 'finetune' got rate=fast; give rate as a number above 0"),
        ("lora@epochs=0", "adapter 'lora' got epochs=0; give epochs as a whole number from 1"),
        ("lora@gate=soft", "adapter 'lora' got gate=soft; give gate as average, error, none"),
        (
            "lora@gate",
            "adapter 'lora@gate' has the option 'gate'; give each once, as in lora@epochs=8",
        ),
        ("ridge@epochs=8", "adapter 'ridge' takes no options, got 'ridge@epochs=8'; leave them out"),
    ],
)
def test_bad_ones(model, name, message):
    with pytest.raises(PiaaError) as caught:
        make_adapter(name, None, generic=model)
    assert str(caught.value) == message
