"""Rows of docs/bad-input.md on models and datasets: what the person did wrong, what is printed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.numpy import save_file

from generic.model.checkpoint import load_checkpoint, save_checkpoint

SCENARIOS: dict[str, Callable] = {}


def scenario(what: str):
    def add(function: Callable) -> Callable:
        SCENARIOS[what] = function
        return function

    return add


def files(folder: Path) -> dict[Path, bytes]:
    """All that the person has, but the cache."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "cache"
    }


def without_trace(place, *command):
    """Runs the command, which must leave every file as it is and write none."""
    before = files(place.folder)
    result = place.run(*command)
    assert files(place.folder) == before
    return result


@scenario("Model: a start that was never trained")
def _(place):
    header, tensors = load_checkpoint(place.model)
    start = dataclasses.replace(header, architecture={**header.architecture, "head": "fresh"})
    save_checkpoint(place.folder / "start.safetensors", start, tensors)
    return place.fit(model="start.safetensors")


# ---- piaa models convert ----


def convert(place, content: object, *args, name: str = "eat.pth", out: str = "converted.safetensors"):
    """Converts a file that torch.save made of the content; a text stands in the file as it is."""
    if isinstance(content, str):
        (place.folder / name).write_text(content)
    else:
        torch.save(content, place.folder / name)
    return without_trace(place, "models", "convert", name, "--out", out, *args)


PLAIN = {"layer.weight": torch.zeros(2, 2)}


@scenario("Convert: the file is missing")
def _(place):
    return without_trace(place, "models", "convert", "eat.pth", "--out", "converted.safetensors")


@scenario("Convert: not a weights file")
def _(place):
    return convert(place, "not the weights of a network, though there is much of it", name="notes.pth")


class Dropper:
    """An object whose unpickling makes a folder."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


@scenario("Convert: a pickle with code in it")
def _(place):
    target = place.folder / "made-by-the-file"
    result = convert(place, {"model": PLAIN, "args": Dropper(target)}, name="evil.pth")
    assert not target.exists()
    return result


@scenario("Convert: no tensors in the file")
def _(place):
    return convert(place, {"epoch": 3}, name="empty.pth")


@scenario("Convert: weights of another network")
def _(place):
    return convert(place, PLAIN)


@scenario("Convert: the configuration is no object")
def _(place):
    (place.folder / "config.json").write_text("[4, 8, 16, 32]")
    return convert(place, PLAIN, "--config", "config.json")


@scenario("Convert: the model file exists")
def _(place):
    return convert(place, PLAIN, out="model.safetensors")


@scenario("Convert: over the weights themselves")
def _(place):
    save = {key: value.numpy() for key, value in PLAIN.items()}
    save_file(save, place.folder / "eat.safetensors")
    args = ("models", "convert", "eat.safetensors", "--out", "eat.safetensors", "--overwrite")
    return without_trace(place, *args)


@scenario("Convert: unknown suffix")
def _(place):
    return convert(place, PLAIN, out="converted.pth")


# ---- piaa explain ----


def explain(place, *args, photo: str = "photos/photo-01.jpg", out: str = "why.png"):
    return without_trace(place, "explain", photo, "--out", out, "--model", "model.safetensors", *args)


@scenario("Explain: unknown suffix")
def _(place):
    return explain(place, out="why.gif")


@scenario("Explain: the folder is missing")
def _(place):
    return explain(place, out="none/why.png")


@scenario("Explain: the output is the photo")
def _(place):
    return explain(place, out="photos/photo-01.jpg")


@scenario("Explain: the photo is missing")
def _(place):
    return explain(place, photo="photos/foto.jpg")


@scenario("Explain: the photo is empty")
def _(place):
    (place.folder / "extra.jpg").write_bytes(b"")
    return explain(place, photo="extra.jpg")


@scenario("Explain: a folder instead of a photo")
def _(place):
    return explain(place, photo="photos")


@scenario("Explain: above --max-pixels 1000")
def _(place):
    return explain(place, "--max-pixels", "1000")


# ---- piaa data ----


@scenario("Dataset: unknown")
def _(place):
    return without_trace(place, "data", "check", "flickr_aes", "photos")


@scenario("Dataset: the label file is missing")
def _(place):
    return without_trace(place, "data", "check", "para", "photos")


@scenario("Dataset: wrong delimiter")
def _(place):
    (place.folder / "labels").mkdir()
    counts = (0, 1, 5, 17, 38, 36, 15, 6, 5, 1)
    (place.folder / "labels" / "AVA.txt").write_text(",".join(map(str, (1, 953619, *counts, 1, 22, 1396))))
    return without_trace(place, "data", "check", "ava", "labels")


@pytest.mark.parametrize("what", SCENARIOS)
def test_row(what, place, as_documented):
    as_documented(what, SCENARIOS[what](place))
