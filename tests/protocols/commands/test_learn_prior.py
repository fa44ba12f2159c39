"""``piaa models learn-prior``: training users teach, test users never do, and evaluations find leaks."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from generic.model.checkpoint import load_checkpoint, read_header
from generic.model.generic_model import GenericModel
from generic.model.known_users import user_digest
from piaa.adapters.prior import PREFIX, Prior

PHOTOS = [f"{number:02}.png" for number in range(40)]
USERS = [f"u{number:02}" for number in range(26)]
TESTED = USERS[:3]


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Twenty-six people who rated 30 of 40 photos, three of whom are tested on the other ten."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "study"
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in PHOTOS:
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 64)).save(root / "images" / name)
    rows = {
        (user, name): int(rng.integers(1, 6))
        for user in USERS
        for name in (PHOTOS[30:] if user in TESTED else PHOTOS[:30])
    }
    (root / "users.txt").write_text("\n".join(TESTED) + "\n")

    def write(rows=rows):
        lines = [f"{user},{name},{score}" for (user, name), score in rows.items()]
        (root / "ratings.csv").write_text("\n".join(("user,image,score", *lines)) + "\n")
        return rows

    write()
    return write


@pytest.fixture
def learn(piaa, study, tiny_model, tmp_path):
    model = tmp_path / f"copy{tiny_model.suffix}"
    shutil.copy(tiny_model, model)

    def run(out, *args):
        return piaa(
            *("models", "learn-prior", model, "--dataset", "table", "--root", "study", "--out", out),
            *("--users", "study/users.txt", "--scale", "1", "5", *args),
        )

    return run


def test_the_prior_is_in_the_file_and_says_whom_it_is_from(learn, piaa, tiny_model, tmp_path):
    out = f"mine{tiny_model.suffix}"
    result = learn(out, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    facts = json.loads(result.stdout)
    header, tensors = load_checkpoint(tmp_path / out)
    assert facts["hash"] == header.hash != read_header(tiny_model).hash
    assert (facts["n_people"], facts["n_photos"], facts["n_new_photos"]) == (23, 30, 30)
    taught = [user_digest("table", user) for user in USERS if user not in TESTED]
    assert header.training["prior_from"]["users_sha256"] == sorted(taught)
    assert "users" not in header.training["prior_from"], "a model that is passed on names nobody"
    before = load_checkpoint(tiny_model)[1]
    for key, value in before.items():
        if not key.startswith(PREFIX):
            np.testing.assert_array_equal(tensors[key], value, err_msg=key)
    evaluated = piaa(
        *("evaluate", "--dataset", "table", "--root", "study", "--users", "study/users.txt", "--model", out),
        *("--scale", "1", "5", "--shots", "3", "--repeats", "1", "--adapter", "generic,bayes,auto,pairs"),
        *("--out", "run"),
    )
    assert evaluated.exit_code == 0


def test_what_test_users_say_changes_nothing(learn, study, tiny_model, tmp_path):
    assert learn(f"one{tiny_model.suffix}").exit_code == 0
    study({key: 6 - score if key[0] in TESTED else score for key, score in study().items()})
    assert learn(f"other{tiny_model.suffix}").exit_code == 0
    one, other = (
        Prior.from_tensors(GenericModel(tmp_path / f"{name}{tiny_model.suffix}").tensors(PREFIX)).tensors()
        for name in ("one", "other")
    )
    for key, value in one.items():
        np.testing.assert_array_equal(value, other[key], err_msg=key)


def test_an_evaluation_finds_that_a_prior_knows_a_test_user(learn, piaa, tiny_model, tmp_path):
    out = f"mine{tiny_model.suffix}"
    assert learn(out).exit_code == 0
    (tmp_path / "study" / "users.txt").write_text("u05\n")
    result = piaa(
        *("evaluate", "--dataset", "table", "--root", "study", "--users", "study/users.txt", "--model", out),
        *("--scale", "1", "5", "--shots", "3", "--repeats", "1", "--out", "run"),
    )
    assert result.exit_code == 1
    header = read_header(tmp_path / out)
    assert result.stderr.splitlines()[-1] == (
        f"piaa: the prior of model {header.name} {header.hash[:8]} was learned from 1 of 1 test users, such "
        "as 'u05'; learn it without them: piaa models learn-prior"
    )
