"""``piaa users refit``: people go over to another model, and nobody is lost on the way."""

from __future__ import annotations

import json
import shutil

import pytest

from generic.model.arrays import with_arrays
from generic.model.checkpoint import load_tensors, read_header
from piaa.adapters.prior import PREFIX


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
        {"user": "ana", "version": 2, "adapter": "auto", "n_ratings": 10, "n_comparisons": 0, "reason": ""}
    ]


def test_one_person_or_all(piaa):
    for asked in (("users", "refit"), ("users", "refit", "ana", "--all")):
        result = piaa(*asked)
        assert result.exit_code == 2
        assert "name one person, or pass --all; not both" in " ".join(result.stderr.split())
