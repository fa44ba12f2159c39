"""Model files: what goes in comes out, and whatever is wrong with a file is said in one line."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from generic.errors import CheckpointError, OutputError
from generic.model.checkpoint import (
    Header,
    fingerprint,
    load_checkpoint,
    load_tensors,
    read_header,
    save_checkpoint,
)

HEADER = Header(
    name="tiny",
    architecture={"kind": "eat_lite", "size": 64, "dims": [4, 8], "drop": 0.1},
    scale=(1.0, 5.0),
    training={"data": "twelve photos", "citation": "Müller, 2024"},
    figures={"srcc": 0.5},
)


def tensors():
    rng = np.random.default_rng(0)
    return {
        "net.weight": rng.standard_normal((3, 4)).astype(np.float32),
        "net.half": rng.standard_normal(5).astype(np.float16),
        "net.gamma": np.array(0.25, np.float32),
        "net.empty": np.zeros((0, 3), np.float32),
        "prior.mean": rng.standard_normal(4),
        "prior.turned": np.asfortranarray(rng.standard_normal((2, 3))),
        "prior.count": np.arange(3),
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tiny.safetensors"


def message_of(call, *arguments) -> str:
    with pytest.raises(CheckpointError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_round_trip_is_bit_equal(path):
    saved = save_checkpoint(path, HEADER, tensors())
    header, loaded = load_checkpoint(path)
    assert header == saved == read_header(path)
    assert dataclasses.replace(header, hash="") == HEADER
    assert header.hash == fingerprint(HEADER, tensors())
    assert loaded.keys() == tensors().keys()
    for key, value in tensors().items():
        assert loaded[key].dtype == value.dtype, key
        assert loaded[key].shape == value.shape, key
        assert loaded[key].tobytes() == value.tobytes(), key


def test_a_prefix_picks_tensors_and_drops_itself(path):
    save_checkpoint(path, HEADER, tensors())
    picked = load_tensors(path, "prior.")
    assert sorted(picked) == ["count", "mean", "turned"]
    assert picked["mean"].tobytes() == tensors()["prior.mean"].tobytes()


def changed(key, change):
    values = tensors()
    values[key] = change(values[key])
    return values


def flip(place):
    def change(values):
        values = values.copy()
        values[place] += 1
        return values

    return change


@pytest.mark.parametrize(
    ("header", "values"),
    [
        (dataclasses.replace(HEADER, architecture={**HEADER.architecture, "size": 96}), tensors()),
        (dataclasses.replace(HEADER, architecture={**HEADER.architecture, "dims": [8, 4]}), tensors()),
        (dataclasses.replace(HEADER, scale=(0.0, 5.0)), tensors()),
        (dataclasses.replace(HEADER, scale=(1.0, 7.0)), tensors()),
        (HEADER, changed("net.weight", flip((0, 0)))),
        (HEADER, changed("net.weight", flip((2, 3)))),
        (HEADER, changed("net.half", flip(4))),
        (HEADER, changed("net.gamma", lambda value: value + 1)),
        (HEADER, changed("prior.mean", flip(0))),
        (HEADER, changed("prior.turned", flip((0, 2)))),
        (HEADER, changed("prior.count", flip(0))),
        (HEADER, changed("net.weight", lambda value: value.reshape(4, 3))),
        (HEADER, changed("net.empty", lambda value: value.reshape(3, 0))),
        (HEADER, changed("prior.count", lambda value: value.view(np.float64))),
        (HEADER, {key: value for key, value in tensors().items() if key != "net.empty"}),
        (HEADER, {key.replace("mean", "middle"): value for key, value in tensors().items()}),
    ],
)
def test_the_hash_covers_architecture_scale_and_every_tensor(header, values):
    assert fingerprint(header, values) != fingerprint(HEADER, tensors())


def test_the_hash_leaves_out_name_remarks_and_figures(path):
    other = dataclasses.replace(HEADER, name="other", training={}, figures={"srcc": 0.9}, hash="old")
    backwards = dict(reversed(tensors().items()))
    assert fingerprint(other, backwards) == fingerprint(HEADER, tensors())
    save_checkpoint(path, other, backwards)
    assert load_checkpoint(path)[0].hash == fingerprint(HEADER, tensors())


def test_a_damaged_byte_is_found_where_tensors_are_read(path):
    header = save_checkpoint(path, HEADER, tensors())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert message_of(load_checkpoint, path) == (
        f"model file {path} is damaged: its content does not match its hash {header.hash[:8]}; "
        f"fetch or train it again"
    )
    assert read_header(path) == header


def test_a_missing_file(path):
    for call in (load_checkpoint, read_header):
        assert message_of(call, path) == (
            f"model file {path} does not exist; `piaa models list` shows those that do"
        )


@pytest.mark.parametrize("keep", [0, 5, 40, -1])
def test_a_file_that_is_cut_short(path, keep):
    save_checkpoint(path, HEADER, tensors())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError) as caught:
        read_header(path)
    # The reason is safetensors' own and differs between its versions.
    assert str(caught.value) == (
        f"model file {path} cannot be read as safetensors ({caught.value.__cause__}); fetch or train it again"
    )


def test_a_file_of_another_format(path):
    path.write_text("not a model\n" * 100)
    assert message_of(read_header, path).startswith(f"model file {path} cannot be read as safetensors (")


def test_a_safetensors_file_of_another_program(path):
    save_file({"weight": np.zeros(3)}, path, metadata={"format": "pt"})
    assert message_of(load_checkpoint, path) == (
        f"model file {path} has no piaa header; it is a safetensors file of another program"
    )
    save_file({"weight": np.zeros(3)}, path)
    assert message_of(read_header, path) == (
        f"model file {path} has no piaa header; it is a safetensors file of another program"
    )


def with_header(path, text):
    path.write_bytes(save({"weight": np.zeros(3)}, metadata={"piaa": text}))


def test_a_newer_format(path):
    with_header(path, json.dumps({"format": 2, "what": "nobody knows"}))
    assert message_of(load_checkpoint, path) == (
        f"model file {path} has format 2, this piaa reads format 1; upgrade piaa"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "{",
            "JSONDecodeError('Expecting property name enclosed in double quotes: line 1 column 2 (char 1)')",
        ),
        ("{}", "KeyError('format')"),
        ('{"format": 1}', "KeyError('scale')"),
        ('{"format": 1, "scale": 3}', "TypeError(\"'int' object is not iterable\")"),
        ("3", "AttributeError(\"'int' object has no attribute 'pop'\")"),
        (
            '{"format": 1, "scale": [1, 5], "name": "a", "architecture": {}, "colour": 1}',
            "TypeError(\"Header.__init__() got an unexpected keyword argument 'colour'\")",
        ),
    ],
)
def test_a_header_that_cannot_be_understood(path, text, reason):
    with_header(path, text)
    assert message_of(read_header, path) == (
        f"model file {path} has a header that cannot be understood ({reason}); fetch or train it again"
    )


def test_a_file_is_replaced_whole(path):
    save_checkpoint(path, HEADER, tensors())
    before = path.read_bytes()
    with path.open("rb") as reader:
        save_checkpoint(path, HEADER, changed("net.weight", flip((0, 0))))
        # Who had the old file open goes on reading the old file, not a mix.
        assert reader.read() == before
    assert load_checkpoint(path)[1]["net.weight"][0, 0] == tensors()["net.weight"][0, 0] + 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_folder_that_does_not_exist(tmp_path):
    path = tmp_path / "nowhere" / "tiny.safetensors"
    with pytest.raises(OutputError) as caught:
        save_checkpoint(path, HEADER, tensors())
    assert str(caught.value) == (
        f"cannot write '{path}': the folder '{path.parent}' does not exist; "
        f"create it or name a file in another folder"
    )
