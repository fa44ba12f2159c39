"""Rows of docs/bad-input.md on learning on, comparisons and suggestions: what was wrong, what is printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from safetensors.numpy import load, save

from piaa.store.adapter_store import AdapterStore

SCENARIOS: dict[str, Callable] = {}


def scenario(what: str):
    def add(function: Callable) -> Callable:
        SCENARIOS[what] = function
        return function

    return add


def unchanged(place, *command):
    """Runs the command on ana, who was fitted before and must be left as she is."""
    store = place.folder / "piaa.db"
    before = store.read_bytes()
    result = place.run(*command)
    assert store.read_bytes() == before
    return result


def add(place, text: str, *args):
    (place.folder / "more.csv").write_text(text)
    command = ("--user", "ana", "--ratings", "more.csv", "--images", "photos", "--model", "model.safetensors")
    return unchanged(place.fitted(), "fit-user", *command, "--add", *args)


def compare(place, text: str):
    (place.folder / "pairs.csv").write_text(text)
    command = ("--user", "ana", "--pairs", "pairs.csv", "--images", "photos", "--model", "model.safetensors")
    return unchanged(place.fitted(), "fit-user", *command)


def forget(place, *names: str):
    return unchanged(place.fitted(), "users", "forget-rating", "ana", *names, "--model", "model.safetensors")


def suggest(place, *args, photos: str = "photos"):
    place.fitted()
    return unchanged(place, "suggest", photos, "--user", "ana", "--model", "model.safetensors", *args)


@scenario("Add: a photo was rated before")
def _(place):
    return add(place, "image,score\nphoto-05.jpg,3\nphoto-02.jpg,4\n")


@scenario("Add: a score outside the person's scale")
def _(place):
    return add(place, "image,score\nphoto-05.jpg,7\n")


@scenario("Add: nobody was fitted yet")
def _(place):
    return place.fit("--add")


@scenario("Forget: no rating of this photo")
def _(place):
    return forget(place, "photo-01.jpeg")


@scenario("Forget: every rating")
def _(place):
    return forget(place, "photo-01.jpg", "photo-02.jpg", "photo-03.jpg")


@scenario("Comparisons: a column is missing")
def _(place):
    return compare(place, "image,score\nphoto-01.jpg,5\n")


@scenario("Comparisons: a photo is compared with itself")
def _(place):
    return compare(place, "better,worse\nphoto-01.jpg,photo-02.jpg\nphoto-03.jpg,photo-03.jpg\n")


@scenario("Comparisons: no photo can be found")
def _(place):
    return compare(place, "better,worse\nphoto-98.jpg,photo-99.jpg\n")


@scenario("Suggest: all photos are rated")
def _(place):
    (place.folder / "few").mkdir()
    for number in (1, 2):
        name = f"photo-0{number}.jpg"
        (place.folder / "few" / name).write_bytes((place.folder / "photos" / name).read_bytes())
    return suggest(place, photos="few")


@scenario("Suggest: unknown suffix")
def _(place):
    return suggest(place, "--out", "next.txt")


@scenario("User: saved by an older piaa")
def _(place):
    place.fitted()
    keeper = AdapterStore(place.folder / "piaa.db")
    stored = keeper.load("ana")
    state = load(stored.state)
    del state["format"]
    keeper.save("ana", dataclasses.replace(stored, state=save(state)))
    return place.score()


@pytest.mark.parametrize("what", SCENARIOS)
def test_row(what, place, as_documented):
    as_documented(what, SCENARIOS[what](place))
