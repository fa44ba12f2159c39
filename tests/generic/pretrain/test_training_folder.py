"""A training goes on in a folder with the same request, and with no other."""

from __future__ import annotations

import pytest

from generic.errors import TrainingError
from generic.pretrain.training_folder import TrainingFolder

TRAINING = b'{\n "preset": "eat",\n "settings": {\n  "rate": 0.001,\n  "workers": 2\n },\n "bins": []\n}\n'
"""As the release before wrote it."""


def test_a_training_of_the_release_before_goes_on_also_with_more_workers(tmp_path):
    (tmp_path / "config.json").write_bytes(TRAINING)
    (tmp_path / "state.safetensors").write_bytes(b"")
    asked = {"preset": "eat", "settings": {"rate": 0.001, "workers": 4}, "bins": ()}
    TrainingFolder(tmp_path, asked).close()
    assert (tmp_path / "config.json").read_bytes() == TRAINING
    with pytest.raises(TrainingError) as caught:
        TrainingFolder(tmp_path, {**asked, "preset": "lite", "bins": (1,)})
    assert str(caught.value) == (
        f"the run folder {tmp_path} holds another run: its preset is 'eat', asked for is 'lite'; name "
        "another folder with --out"
    )


def test_a_folder_in_which_nothing_was_learned_begins_anew(tmp_path):
    (tmp_path / "config.json").write_bytes(TRAINING)
    TrainingFolder(tmp_path, {"settings": {"rate": 1}}).close()
    assert (tmp_path / "config.json").read_text() == '{\n "settings": {\n  "rate": 1\n }\n}\n'


def test_the_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"adapters": ["generic"], "seed": 0}')
    with pytest.raises(TrainingError, match=r"has a config\.json that is damaged or not of a training; name"):
        TrainingFolder(tmp_path, {"settings": {}})
