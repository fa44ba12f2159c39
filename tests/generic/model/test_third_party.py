"""Third-party files: read without running them, refused in one line."""

from __future__ import annotations

import collections
import json
import os
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from generic.model.third_party import read_config, read_weights


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


PLAIN = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2, dtype=torch.float16)}


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        collections.OrderedDict(PLAIN),
        {"model": PLAIN, "epoch": 3, "optimizer": {"lr": 0.1}},
        {"state_dict": PLAIN},
        {"state_dict": {f"module.{name}": value for name, value in PLAIN.items()}, "best": 0.7},
        {**PLAIN, "epoch": 3, 4: torch.zeros(2)},
    ],
)
@pytest.mark.parametrize("old_format", [False, True])
def test_a_state_dict_is_found_wherever_it_lies(tmp_path, content, old_format):
    path = tmp_path / "weights.pth"
    torch.save(content, path, _use_new_zipfile_serialization=not old_format)
    assert same(read_weights(path), PLAIN)


def test_a_name_that_begins_with_module_beside_others_is_kept(tmp_path):
    path = tmp_path / "weights.pt"
    content = {"module.a": torch.zeros(2), "b": torch.zeros(2)}
    torch.save(content, path)
    assert read_weights(path).keys() == content.keys()


def test_safetensors_are_read(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(PLAIN, path)
    assert same(read_weights(path), PLAIN)


@pytest.mark.parametrize("protocol", [3, 4])
def test_pickles_of_a_newer_protocol_are_read_or_refused_but_never_warned_of(tmp_path, protocol, refused):
    path = tmp_path / "weights.pth"
    torch.save(PLAIN, path, pickle_protocol=protocol)
    if protocol == 3:
        assert same(read_weights(path), PLAIN)
    else:
        assert refused(read_weights, path) == holds_code(path, "instructions not known to be safe")


def holds_code(path, what):
    return (
        f"{path} holds more than tensors ({what}): loading it may run code, so it was not loaded; where you "
        f"trust it, save its plain state dict again, with torch.save or as .safetensors"
    )


class Dropper:
    """An object whose unpickling writes a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (os.system, (f"touch {self.target}",))


@pytest.mark.parametrize("old_format", [False, True])
def test_code_in_a_pickle_is_named_and_never_run(tmp_path, old_format, refused):
    path, target = tmp_path / "evil.pth", tmp_path / "was-run"
    content = {"model": PLAIN, "config": Dropper(target)}
    torch.save(content, path, _use_new_zipfile_serialization=not old_format)
    assert refused(read_weights, path) == holds_code(path, f"{os.system.__module__}.system")
    assert not target.exists()
    # The file is what it is said to be: whoever loads it without care does run it.
    torch.load(path, weights_only=False)
    assert target.exists()


def test_a_file_that_does_not_exist(tmp_path, refused):
    path = tmp_path / "nothing.pth"
    assert refused(read_weights, path) == f"there is no weights file {path}; check the path"
    assert refused(read_weights, tmp_path) == f"there is no weights file {tmp_path}; check the path"


def no_weights(path, kind):
    return (
        f"{path} is no weights file or is damaged ({kind}); expected a state dict saved with torch.save, "
        f"or a .safetensors file"
    )


def test_files_that_are_no_weights(tmp_path, refused):
    path = tmp_path / "x.pth"
    torch.save(PLAIN, path)
    whole = path.read_bytes()
    path.write_text("not a model\n" * 10)
    assert refused(read_weights, path) == no_weights(path, "UnpicklingError")
    path.write_bytes(b"")
    assert refused(read_weights, path) == no_weights(path, "EOFError")
    path.write_bytes(whole[:-500])
    assert refused(read_weights, path) == no_weights(path, "RuntimeError")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")
    assert refused(read_weights, path) == no_weights(path, "RuntimeError")
    with zipfile.ZipFile(path, "w") as archive:  # as TorchScript, which is code
        for name in ("constants.pkl", "data.pkl", "version"):
            archive.writestr(f"x/{name}", "3\n")
    assert refused(read_weights, path) == no_weights(path, "RuntimeError")
    path.write_bytes(pickle.dumps({"a": 1}))
    assert refused(read_weights, path) == no_weights(path, "UnpicklingError")
    other = tmp_path / "x.safetensors"
    other.write_text("not a model\n" * 10)
    assert refused(read_weights, other) == no_weights(other, "SafetensorError")


@pytest.mark.parametrize("content", [{"epoch": 3}, {}, [torch.zeros(2)], torch.zeros(2), {"model": {"a": 1}}])
def test_files_without_tensors_by_name(tmp_path, content, refused):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    assert refused(read_weights, path) == (
        f"{path} holds no tensors by name, expected a state dict; save one with torch.save or as .safetensors"
    )


def test_a_name_that_breaks_lines_is_quoted(tmp_path, refused):
    path = tmp_path / "two\nlines.pth"
    assert refused(read_weights, path) == f"there is no weights file {str(path)!r}; check the path"


def test_read_config(tmp_path, config, refused):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert read_config(path) == config

    def message(reason):
        return (
            f"configuration {path} cannot be used ({reason}); expected a JSON object such as "
            f'{{"heads": [4, 8, 16, 32]}}'
        )

    path.write_text("[1, 2]")
    assert refused(read_config, path) == message("not an object")
    path.write_text("{heads")
    assert refused(read_config, path) == message(
        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    )
    path.unlink()
    assert refused(read_config, path) == message("No such file or directory")
