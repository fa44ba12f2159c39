"""``piaa fit-user`` as a person uses it, on a rendered album and a tiny model."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from generic.model.checkpoint import read_header
from piaa.demo.scenes import draw_scenes, render


def short_hash(path: Path) -> str:
    return read_header(path).hash[:8]


def test_fit_user_says_what_was_learned_and_where_it_lies(fit, tiny_model, tmp_path):
    result = fit()
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"ana: learned from 10 ratings (auto on piaa-tiny {short_hash(tiny_model)})\n"
        "expected ranking: too early to tell from 10 ratings; an estimate needs 20\n"
        f"stored: {tmp_path / 'piaa.db'}, version 1\n"
    )
    assert fit("ana", "--replace").stdout.endswith(f"stored: {tmp_path / 'piaa.db'}, version 2\n")


def test_fit_user_as_json(fit, tiny_model, tmp_path):
    result = fit("ana", "--adapter", "ridge", "--scale", "0", "10", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {
        "user": "ana",
        "version": 1,
        "adapter": "ridge",
        "model": "piaa-tiny",
        "model_hash": read_header(tiny_model).hash,
        "scale": [0.0, 10.0],
        "n_ratings": 10,
        "estimate": None,
        "measured": None,
        "store": str(tmp_path / "piaa.db"),
        "skipped": {},
    }


def test_fit_user_from_twenty_ratings_on_prints_an_estimate(piaa, album, tiny_model, warm, tmp_path):
    folder = tmp_path / "twenty"
    shutil.copytree(album, folder)
    for number, scene in enumerate(draw_scenes(8, 4)):
        render(scene, (96, 72)).save(folder / f"more-{number}.png")
    table = tmp_path / "twenty.csv"
    names = [path.name for path in sorted(folder.rglob("*.*"))]
    table.write_text("\n".join(["image,score", *(f"{n},{i % 5 + 1}" for i, n in enumerate(names))]))
    command = ("fit-user", "--user", "ana", "--ratings", table, "--images", folder, "--model", tiny_model)

    lines = piaa(*command).stdout.splitlines()
    assert re.fullmatch(
        r"expected ranking: SRCC -?\d\.\d\d ± 0\.23 with your own ratings "
        r"\(cross-validated on 20; without learning -?\d\.\d\d\)",
        lines[1],
    )
    estimate = json.loads(piaa("fit-user", "--user", "ana", "--model", tiny_model, "--json").stdout)[
        "estimate"
    ]
    assert set(estimate) == {"srcc", "error", "generic", "pairwise", "pairwise_generic"}
    assert f"SRCC {estimate['srcc']:.2f} ± {estimate['error']:.2f}" in lines[1]
    assert f"without learning {estimate['generic']:.2f})" in lines[1]
    assert lines[2] == (
        f"of 100 pairs of your photos it puts about {100 * estimate['pairwise']:.0f} in your order, the "
        f"crowd's ranking about {100 * estimate['pairwise_generic']:.0f}"
    )
    assert lines[3].startswith("stored: ")


def test_fit_user_picks_one_user_of_many_and_leaves_the_others(
    piaa, album, tiny_model, warm, names, tmp_path
):
    table = tmp_path / "many.csv"
    rows = [f"{user},{name},{score}" for user, score in (("ana", 2), ("ben", 4)) for name in names[:3]]
    table.write_text("\n".join(("userId,imagePair,rating", *rows)))
    command = ("fit-user", "--user", "ben", "--ratings", table, "--images", album, "--model", tiny_model)
    assert json.loads(piaa(*command, "--json").stdout)["n_ratings"] == 3
    assert [row["user"] for row in json.loads(piaa("users", "list", "--json").stdout)] == ["ben"]
    learned = json.loads(piaa("users", "show", "ben", "--json").stdout)["ratings"]
    assert [rating["score"] for rating in learned] == [4, 4, 4]


def test_fit_user_takes_repeated_pairs_as_told(piaa, album, tiny_model, warm, names, tmp_path):
    table = tmp_path / "twice.csv"
    table.write_text(f"image,score\n{names[0]},1\n{names[1]},2\n{names[0]},4\n")
    command = ("fit-user", "--user", "ana", "--ratings", table, "--images", album, "--model", tiny_model)

    def learned(choice):
        assert piaa(*command, "--duplicates", choice, "--replace").exit_code == 0
        return [r["score"] for r in json.loads(piaa("users", "show", "ana", "--json").stdout)["ratings"]]

    assert learned("last") == [4, 2]
    assert learned("mean") == [2.5, 2]
    result = piaa(*command, "--duplicates", "first")
    assert result.exit_code == 2
    assert "--duplicates takes 'error', 'last' or 'mean', not 'first'" in result.stderr


def test_shipped_model_fits_and_scores_in_two_commands(piaa, ratings, album, tmp_path):
    fitted = piaa("fit-user", "--user", "ana", "--ratings", ratings, "--images", album)
    assert fitted.exit_code == 0
    # Rendered pictures are no photos.
    told = "these 10 photos are unlike those that the model was trained on (distance "
    assert fitted.stderr.startswith(told)
    assert fitted.stderr.count("\n") == 1
    lines = fitted.stdout.splitlines()
    assert lines[0].startswith("ana: learned from 10 ratings (auto on piaa-lite ")
    assert lines[1:3] == [
        "expected ranking: too early to tell from 10 ratings; an estimate needs 20",
        "measured on 651 people with 10 ratings: of 1,000 pairs of photos it puts 734 in their order, the "
        "crowd's ranking 728; 30 of 100 people are still ranked worse than by the crowd's ranking",
    ]
    result = piaa("score", album, "--user", "ana", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    content = json.loads(result.stdout)
    assert (content["model"], len(content["scores"])) == ("piaa-lite", 12)
    assert all(1 <= row["low"] <= row["score"] <= row["high"] <= 5 for row in content["scores"])
