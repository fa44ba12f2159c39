"""Rows of docs/bad-input.md on meta-learned starts: what the person did wrong, what is printed."""

from __future__ import annotations

import builtins
from collections.abc import Callable

import numpy as np
import pytest

from generic.model.checkpoint import read_header
from piaa.meta import learner
from piaa.meta.head import Standard
from piaa.meta.start import Choices, Start

SCENARIOS: dict[str, Callable] = {}
WIDTH, UNITS = 9, 2


def scenario(what: str):
    def add(function: Callable) -> Callable:
        SCENARIOS[what] = function
        return function

    return add


def start(place, *, model_hash: str | None = None):
    """A start for anil in start.safetensors; for the model at hand, unless another is named."""
    one = np.ones(1)
    Start(
        algorithm="anil",
        model_hash=model_hash or read_header(place.model).hash,
        weights={
            "body.weight": np.zeros((UNITS, WIDTH)),
            "body.bias": np.zeros(UNITS),
            "last.weight": np.zeros((1, UNITS + 1)),
            "last.bias": np.zeros(1),
        },
        rates={"last.weight": one, "last.bias": one},
        standard=Standard(mean=np.zeros(WIDTH), deviation=np.ones(WIDTH)),
        choices=Choices(k=one, steps=one, caution=one, query=one, support=one),
    ).save(place.folder / "start.safetensors")


def refused(place, *args):
    """A fit that must leave no store behind."""
    result = place.fit(*args)
    assert not (place.folder / "piaa.db").exists()
    return result


def meta_train(place, *args, users: int = 1, out: str = "start.safetensors", algorithm: str = "anil"):
    rows = place.good.splitlines()
    names = ("ana", "bo", "cy", "di")[:users]
    table = [f"user,{rows[0]}", *(f"{user},{row}" for user in names for row in rows[1:])]
    (place.folder / "study.csv").write_text("\n".join(table) + "\n")
    before = sorted(place.folder.iterdir())
    result = place.run(
        *("meta-train", "--dataset", "table", "--ratings", "study.csv", "--images", "photos"),
        *("--model", "model.safetensors", "--algorithm", algorithm, "--out", out, *args),
    )
    assert sorted(place.folder.iterdir()) == before
    return result


@scenario("Meta: no start is given")
def _(place):
    return refused(place, "--adapter", "anil")


@scenario("Meta: an adapter that takes no start")
def _(place):
    start(place)
    return refused(place, "--adapter", "bayes", "--meta", "start.safetensors")


@scenario("Meta: the file is missing")
def _(place):
    return refused(place, "--adapter", "anil", "--meta", "none.safetensors")


@scenario("Meta: the file is damaged")
def _(place):
    start(place)
    path = place.folder / "start.safetensors"
    path.write_bytes(path.read_bytes()[:-40])
    return refused(place, "--adapter", "anil", "--meta", "start.safetensors")


@scenario("Meta: a model instead of a start")
def _(place):
    return refused(place, "--adapter", "anil", "--meta", "model.safetensors")


@scenario("Meta: a start for another adapter")
def _(place):
    start(place)
    return refused(place, "--adapter", "maml", "--meta", "start.safetensors")


@scenario("Meta: a start for another model")
def _(place):
    start(place, model_hash="ab" * 32)
    return refused(place, "--adapter", "anil", "--meta", "start.safetensors")


@scenario("Meta-train: unknown algorithm")
def _(place):
    return meta_train(place, algorithm="reptile")


@scenario("Meta-train: more ratings than a user has")
def _(place):
    return meta_train(place, "--shots", "5..10", users=4)


@scenario("Meta-train: too few users")
def _(place):
    return meta_train(place, "--shots", "1..1")


@scenario("Meta-train: the file exists")
def _(place):
    return meta_train(place, out="model.safetensors")


@scenario("Meta-train: unknown suffix")
def _(place):
    return meta_train(place, out="start.pt")


@scenario("Meta-train: learn2learn is not installed")
def _(place):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("learn2learn"):
            raise ImportError("No module named 'learn2learn'")
        return real(name, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "__import__", refuse)
        return meta_train(place)


@pytest.mark.parametrize("what", SCENARIOS)
def test_row(what, place, as_documented, monkeypatch):
    if "learn2learn" not in what:
        # What these rows tell does not depend on whether the extra is installed.
        monkeypatch.setattr(learner, "load_learn2learn", lambda: None)
    as_documented(what, SCENARIOS[what](place))
