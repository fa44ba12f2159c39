"""Rows of docs/bad-input.md on protocols: what the person did wrong, what is printed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

import pytest

from generic.model.checkpoint import load_checkpoint, save_checkpoint

SCENARIOS: dict[str, Callable] = {}
USERS = ("ana", "ben")


def scenario(what: str):
    def add(function: Callable) -> Callable:
        SCENARIOS[what] = function
        return function

    return add


def study(place, *more: str, header: str = "user,image,score", delimiter: str = ",") -> None:
    """``mine/ratings.csv``: two people rated the photos at the top of ``photos``, and what else is given."""
    names = sorted(path.name for path in (place.folder / "photos").glob("*.jpg"))
    rows = [f"{user},{name},{1 + n % 5}" for user in USERS for n, name in enumerate(names)]
    (place.folder / "mine").mkdir()
    text = "\n".join((header, *rows, *more)) + "\n"
    (place.folder / "mine" / "ratings.csv").write_text(text.replace(",", delimiter))


def listed(place, name: str, *lines: str) -> str:
    (place.folder / name).write_text("\n".join(lines) + "\n")
    return name


def check(place, *args):
    return place.run("data", "check", "table", "mine", "--images", "photos", *args)


def split(place, *args, out: str = "split.json"):
    result = place.run("data", "split", "table", "mine", "--out", out, *args)
    assert result.exit_code == 0 or not (place.folder / out).exists()
    return result


def evaluate(place, *args, shots: str = "3", model: str = "model.safetensors"):
    command = ("evaluate", "--dataset", "table", "--root", "mine", "--images", "photos", "--model", model)
    short = ("--shots", shots, "--repeats", "1", "--adapter", "generic")
    given = [
        word for pair in zip(short[::2], short[1::2], strict=True) if pair[0] not in args for word in pair
    ]
    return place.run(*command, *given, *args)


def nothing_run(place, result):
    """No run folder was begun."""
    assert not (place.folder / "runs").exists()
    return result


# ---- piaa data check ----


@scenario("Data check: the folder is missing")
def _(place):
    return check(place)


@scenario("Data check: a wrong header")
def _(place):
    study(place, header="user,image,stars_given")
    return check(place)


@scenario("Data check: a delimiter that is none")
def _(place):
    study(place, delimiter=" ")
    return check(place)


@scenario("Data check: a score outside the scale")
def _(place):
    study(place, "cy,photo-01.jpg,7")
    return check(place)


@scenario("Data check: a user in the list whom nobody knows")
def _(place):
    study(place)
    return check(place, "--users", listed(place, "users.txt", "ana", "bem"))


@scenario("Data check: an option of another dataset")
def _(place):
    return place.run("data", "check", "real-cur", "photos", "--users", "users.txt")


# ---- piaa data split ----


@scenario("Split: no rule")
def _(place):
    study(place)
    return split(place)


@scenario("Split: a share that is none")
def _(place):
    study(place)
    return split(place, "--test-share", "20")


@scenario("Split: the list of users is missing")
def _(place):
    study(place)
    return split(place, "--test-users", "users.txt")


@scenario("Split: a user whom nobody knows")
def _(place):
    study(place)
    return split(place, "--test-users", listed(place, "users.txt", "bem"))


@scenario("Split: an image that nobody rated")
def _(place):
    study(place)
    return split(place, "--test-images", listed(place, "images.txt", "photo-01.jpg", "photo-77.jpg"))


@scenario("Split: the folder of --out is missing")
def _(place):
    study(place)
    return split(place, "--test-users", listed(place, "users.txt", "ben"), out="none/split.json")


@scenario("Split: a share so small that it holds nobody")
def _(place):
    study(place)
    return split(place, "--test-share", "0.01")


# ---- piaa evaluate ----


@scenario("Evaluate: an unknown adapter")
def _(place):
    study(place)
    return nothing_run(place, evaluate(place, "--adapter", "generic,best"))


@scenario("Evaluate: more shots than ratings")
def _(place):
    study(place)
    return nothing_run(place, evaluate(place, shots="10,100"))


@scenario("Evaluate: nobody is left")
def _(place):
    study(place)
    return nothing_run(place, evaluate(place, "--skip", shots="100"))


@scenario("Evaluate: no shots at all")
def _(place):
    study(place)
    return nothing_run(place, evaluate(place, shots="0"))


@scenario("Evaluate: not one photo is there")
def _(place):
    study(place)
    (place.folder / "empty").mkdir()
    return nothing_run(place, evaluate(place, "--images", "empty"))


@scenario("Evaluate: the split was changed by hand")
def _(place):
    study(place)
    split(place, "--test-users", listed(place, "users.txt", "ben"))
    file = place.folder / "split.json"
    file.write_text(file.read_text().replace('"ben"', '"ana"'))
    return nothing_run(place, evaluate(place, "--split", "split.json"))


@scenario("Evaluate: the split is of other data")
def _(place):
    study(place, "cy,photo-01.jpg,5")
    split(place, "--test-users", listed(place, "users.txt", "cy"))
    table = place.folder / "mine" / "ratings.csv"
    table.write_text(table.read_text().replace("cy,", "cyrus,"))
    return nothing_run(place, evaluate(place, "--split", "split.json"))


@scenario("Evaluate: the model learned from a test photo")
def _(place):
    study(place)
    header, tensors = load_checkpoint(place.model)
    photo = (place.folder / "photos" / "photo-01.jpg").read_bytes()
    training = {**header.training, "images_sha256": [hashlib.sha256(photo).hexdigest()]}
    save_checkpoint(
        place.folder / "other.safetensors", dataclasses.replace(header, training=training), tensors
    )
    return nothing_run(place, evaluate(place, model="other.safetensors"))


# ---- the run folder ----


def into(place, *args, change: Callable | None = None):
    """A finished run in ``study``, then another one into it, which must not touch its results."""
    study(place)
    assert evaluate(place, "--out", "study").exit_code == 0
    before = (place.folder / "study" / "results.json").read_bytes()
    if change:
        change(place.folder / "study")
    result = evaluate(place, "--out", "study", *args)
    assert (place.folder / "study" / "results.json").read_bytes() == before
    return result


@scenario("Run folder: it holds another run")
def _(place):
    return into(place, "--repeats", "2")


@scenario("Run folder: its configuration is damaged")
def _(place):
    return into(place, change=lambda folder: (folder / "config.json").write_text("{"))


@scenario("Run folder: a unit is cut off")
def _(place):
    def cut(folder):
        (unit,) = (folder / "units").iterdir()
        unit.write_bytes(unit.read_bytes()[:50])

    return into(place, change=cut)


@scenario("Run folder: it is a file")
def _(place):
    study(place)
    return evaluate(place, "--out", "ratings.csv")


# ---- piaa cross-evaluate ----


@scenario("Cross-evaluate: a scale that is none")
def _(place):
    study(place)
    pair = ("--train", "A=model.safetensors", "--test", "mine=table:mine")
    short = ("--shots", "3", "--repeats", "1")
    return nothing_run(place, place.run("cross-evaluate", *pair, *short, "--scale", "mine=five"))


@pytest.mark.parametrize("what", SCENARIOS)
def test_row(what, place, as_documented):
    as_documented(what, SCENARIOS[what](place))
