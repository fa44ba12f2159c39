"""``piaa users refit``: people go over to another model, and nobody is lost on the way."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest

from generic.model.arrays import with_arrays
from generic.model.checkpoint import load_tensors, read_header
from piaa import load_model
from piaa.adapters.prior import PREFIX
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.serving import ServingStore
from piaa.store.store import Store


@pytest.fixture
def newer(tiny_model, tmp_path):
    """The tiny model with a prior of noisier people: another model, of the same vectors."""
    prior = load_tensors(tiny_model, PREFIX)
    out = tmp_path / f"newer{tiny_model.suffix}"
    with_arrays(tiny_model, out, PREFIX, {**prior, "noise": prior["noise"] * 1.5}, {})
    return out


@pytest.fixture
def on(piaa, album):
    """``on(model, user)``: the album's scores for her under a model."""

    def run(model, user):
        result = piaa("score", album, "--user", user, "--model", model, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)["scores"]

    return run


@pytest.fixture
def moved(album, tmp_path):
    """The album's photos under other names, in another folder."""
    folder = tmp_path / "moved"
    shutil.copytree(album, folder)
    for number, path in enumerate(sorted(folder.rglob("*.jpg"))):
        path.rename(folder / f"img_{number:03}.jpg")
    return folder


def test_a_person_goes_over_and_the_old_version_answers_on(
    piaa, fit, on, moved, newer, tiny_model, user_folders
):
    assert fit().exit_code == 0
    before, short = on(tiny_model, "ana"), read_header(newer).hash[:8]
    result = piaa("users", "refit", "ana", "--images", moved, "--model", newer)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"ana: version 2, learned from 10 ratings (auto on piaa-tiny {short})\n"
    assert on(tiny_model, "ana") == before
    assert [row["image"] for row in on(newer, "ana")]
    # As if she had been fitted on it at once.
    assert fit("eva", "--model", newer).exit_code == 0
    assert on(newer, "eva") == on(newer, "ana")
    # Both models are there.
    listed = piaa("models", "list", "--store", user_folders / "piaa.db").stdout.splitlines()
    older = read_header(tiny_model).hash[:8]
    assert sorted(listed[1:]) == sorted(
        [
            f"piaa-tiny  {older}  not in this package; 1 person of the store",
            f"piaa-tiny  {short}  not in this package; 2 people of the store",
        ]
    )
    rows = json.loads(piaa("models", "list", "--store", user_folders / "piaa.db", "--json").stdout)
    assert [row["people"] for row in rows] == [0, 2, 1]
    again = piaa("users", "refit", "ana", "--model", newer)
    assert again.stdout == f"ana: known to piaa-tiny {short} already, with all that counts\n"


def test_everybody_goes_over_but_whose_photos_are_missing(piaa, fit, compare, on, album, moved, newer, names):
    assert fit("ben").exit_code == 0
    assert compare("cem", [(names[0], names[1])]).exit_code == 0
    assert fit("ana").exit_code == 0
    short = read_header(newer).hash[:8]
    empty = moved.parent / "few"
    empty.mkdir()
    shutil.copy(album / names[0], empty / "beach.jpg")
    lost = piaa("users", "refit", "--all", "--images", empty, "--model", newer)
    assert lost.stdout == "0 of 3 people learned anew, 3 as before\n"
    assert lost.stderr.splitlines()[0] == (
        f"ana: as before; of 9 of 10 photos that user 'ana' judged there is neither a vector of model "
        f"piaa-tiny {short} nor a readable file, the first is {names[1]!r}; pass the folder that holds them "
        "with --images"
    )
    result = piaa("users", "refit", "--all", "--images", moved, "--model", newer)
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"ana: version 2, learned from 10 ratings (auto on piaa-tiny {short})",
        f"ben: version 2, learned from 10 ratings (auto on piaa-tiny {short})",
        f"cem: version 2, learned from 1 comparison (pairs on piaa-tiny {short})",
        "3 of 3 people learned anew, 0 as before",
    ]
    assert on(newer, "ben") == on(newer, "ana")


def test_a_single_person_whose_photos_are_missing_is_an_error(piaa, fit, newer):
    assert fit().exit_code == 0
    result = piaa("users", "refit", "ana", "--model", newer)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "piaa: of 10 of 10 photos that user 'ana' judged there is neither a vector"
    )


def test_json(piaa, fit, moved, newer):
    assert fit().exit_code == 0
    result = piaa("users", "refit", "--all", "--images", moved, "--model", newer, "--json")
    assert json.loads(result.stdout) == [
        {
            "user": "ana",
            "version": 2,
            "adapter": "auto",
            "n_ratings": 10,
            "n_comparisons": 0,
            "n_mapped": 0,
            "n_left_out": 0,
            "reason": "",
        }
    ]


def test_one_person_or_all(piaa):
    for asked in (("users", "refit"), ("users", "refit", "ana", "--all")):
        result = piaa(*asked)
        assert result.exit_code == 2
        assert "name one person, or pass --all; not both" in " ".join(result.stderr.split())


@pytest.fixture
def gone(tmp_path, tiny_model):
    """Five people whose photos two models have seen, and ana, of whom two photos are gone."""
    draw, store = np.random.default_rng(0), Store(tmp_path / "gone.db")
    generic = load_model(tiny_model, cache=False).generic
    width = len(generic.vector(np.zeros((generic.size, generic.size, 3), np.uint8)))
    vectors = draw.standard_normal((52, width)).astype(np.float32)
    photos = [
        SeenPhoto(identity=f"{number:064x}", image=f"{number}.jpg", vector=one)
        for number, one in enumerate(vectors)
    ]

    def rate(user: str, seen: list[SeenPhoto]) -> None:
        ratings = [(one, float(draw.integers(1, 6))) for one in seen]
        store.say(user, Saying(ratings=ratings, model_hash="0" * 64, source="python"))

    for number in range(5):
        rate(f"user-{number}", photos[number : number + 46])
    rate("ana", photos[48:])
    again = {one.identity: one.vector * 0.1 + 0.5 for one in photos[:50]}
    ServingStore(store.database).complete(again, read_header(tiny_model).hash)
    return store.name


def test_a_part_is_learned_from_if_that_is_asked_for(piaa, gone, tiny_model):
    command = ("users", "refit", "ana", "--store", gone, "--model", tiny_model)
    refused = piaa(*command)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(
        "piaa: of 2 of 2 photos that user 'ana' judged there is neither a vector"
    )
    part = piaa(*command, "--partial")
    short = read_header(tiny_model).hash[:8]
    assert part.stdout == f"ana: version 1, learned from 2 ratings, 2 left out (auto on piaa-tiny {short})\n"


def test_what_a_map_loses_is_told(piaa, gone, tiny_model):
    mapped = piaa("users", "refit", "ana", "--store", gone, "--model", tiny_model, "--map")
    short = read_header(tiny_model).hash[:8]
    assert mapped.stdout == (
        f"ana: version 1, learned from 4 ratings, 2 photos of them mapped (auto on piaa-tiny {short})\n"
    )
    first, second = mapped.stderr.splitlines()
    assert first == (
        "vectors of 2 photos that are gone were worked out from the model before, by a map learned "
        "from 50 photos (100% of the variance)"
    )
    number = r"[+-]?\d\.\d{3}"
    assert re.fullmatch(
        f"learned from such vectors people are ranked with an SRCC of -?{number}, from the model's own "
        rf"with -?{number}: {number}, standard error {number} \(5 people\)",
        second,
    )
