"""Rows of docs/bad-input.md on histograms, tests of generic models, gaze: what is wrong, what is printed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from generic.model.checkpoint import load_checkpoint, save_checkpoint

SCENARIOS: dict[str, Callable] = {}


def scenario(what: str):
    def add(function: Callable) -> Callable:
        SCENARIOS[what] = function
        return function

    return add


# ---- histograms ----


def pretrain(place, *args):
    """A training that must not begin."""
    words = ("pretrain", "--dataset", "histograms", "--root", "mine", "--images", "photos")
    result = place.run(*words, "--preset", "nima_mobilenet", "--out", "run", *args)
    assert not (place.folder / "run").exists()
    return result


def histograms(place, *rows: str, header: str = "image,1,2,3,n"):
    (place.folder / "mine").mkdir()
    lines = [header, "photo-01.jpg,4,4,4,12", *rows]
    (place.folder / "mine" / "histograms.csv").write_text("\n".join(lines) + "\n")


@scenario("Histograms: wrong columns")
def _(place):
    histograms(place, header="image,1,2,4,n")
    return pretrain(place)


@scenario("Histograms: counts that do not sum to n")
def _(place):
    histograms(place, "photo-02.jpg,1,2,3,12")
    return pretrain(place)


@scenario("Histograms: an empty one and a negative count")
def _(place):
    histograms(place, "photo-02.jpg,0,0,0,0", "photo-03.jpg,4,-1,9,12")
    return pretrain(place)


@scenario("Histograms: shares instead of counts")
def _(place):
    histograms(place, "photo-02.jpg,0.25,0.5,0.25,12")
    return pretrain(place)


@scenario("Histograms: too few raters")
def _(place):
    histograms(place)
    return pretrain(place, "--min-raters", "20")


@scenario("Histograms: a threshold outside of the scale")
def _(place):
    names = sorted(path.name for path in (place.folder / "photos").glob("*.jpg"))
    histograms(place, *(f"{name},4,4,4,12" for name in names[1:]))
    return pretrain(place, "--threshold", "3")


@scenario("Settings: a rate of the stem above the head's")
def _(place):
    return pretrain(place, "--stem-rate", "2")


# ---- piaa evaluate-generic ----


def evaluate(place, *args, model: str = "model.safetensors"):
    words = ("evaluate-generic", "--dataset", "table", "--ratings", "ratings.csv", "--images", "photos")
    (place.folder / "ratings.csv").write_text("user,image,score\nana,photo-01.jpg,5\nana,photo-02.jpg,1\n")
    return place.run(*words, "--model", model, *args)


@scenario("Evaluate-generic: the model learned from a test photo")
def _(place):
    import hashlib

    header, tensors = load_checkpoint(place.model)
    digest = hashlib.sha256((place.folder / "photos" / "photo-01.jpg").read_bytes()).hexdigest()
    header.training["images_sha256"] = [digest]
    save_checkpoint(place.folder / "other.safetensors", header, tensors)
    return evaluate(place, model="other.safetensors")


@scenario("Evaluate-generic: no test image has a file")
def _(place):
    (place.folder / "none").mkdir()
    return evaluate(place, "--images", "none")


# ---- piaa gaze ----

COLUMNS = ("recording", "media", "x", "y", "duration")


def gaze(place, *rows: tuple, header: tuple = COLUMNS, options: tuple = ("--share", "0.5")):
    """Masks two photos to gaze at their centres and what else is given; nothing must be written."""
    (place.folder / "shown").mkdir()
    for name in ("photo-01.jpg", "photo-02.jpg"):
        (place.folder / "shown" / name).write_bytes((place.folder / "photos" / name).read_bytes())
    good = [("p1", "photo-01.jpg", 48, 36, 200), ("p1", "photo-02.jpg", 48, 36, 200)]
    lines = ["\t".join(map(str, row)) for row in (header, *(rows or good))]
    (place.folder / "gaze.tsv").write_text("\n".join(lines) + "\n")
    before = sorted(place.folder.iterdir())
    words = ("gaze", "mask", "shown", "--gaze", "gaze.tsv", "--pixels-per-degree", "30", "--out", "masked")
    result = place.run(*words, *options)
    assert sorted(place.folder.iterdir()) == before
    return result


@scenario("Gaze: wrong columns")
def _(place):
    return gaze(place, header=("recording", "media", "x", "y", "ms"))


@scenario("Gaze: outside of the image")
def _(place):
    return gaze(place, ("p1", "photo-01.jpg", 96, 36, 200), ("p1", "photo-02.jpg", 48, 36, 200))


@scenario("Gaze: an image without gaze")
def _(place):
    return gaze(place, ("p1", "photo-01.jpg", 48, 36, 200))


@scenario("Gaze: a share of nothing")
def _(place):
    return gaze(place, options=("--share", "0"))


@scenario("Gaze: no width of a degree")
def _(place):
    return gaze(place, options=("--pixels-per-degree", "0"))


@scenario("Gaze: the folder of masked photos is in use")
def _(place):
    return gaze(place, options=("--out", "photos"))


@pytest.mark.parametrize("what", SCENARIOS)
def test_row(what, place, as_documented):
    as_documented(what, SCENARIOS[what](place))
