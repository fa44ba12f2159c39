"""``piaa suggest`` as a person uses it, on a rendered album and a tiny model."""

from __future__ import annotations

import csv
import json
import shutil

from PIL import Image


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


def test_suggestions_are_photos_that_are_not_rated(rate, piaa, album, tiny_model, table, names):
    assert rate("ana", part(table, *range(7))).exit_code == 0
    command = ("suggest", album, "--user", "ana", "-n", 3, "--ask", "ratings", "--model", tiny_model)
    result = piaa(*command)
    content = json.loads(piaa(*command, "--json").stdout)
    gain = f"{content['gain_of_more']:.3f}"
    little = ": that is little, stop here" * (content["gain_of_more"] < 0.005)
    assert result.exit_code == 0
    assert result.stderr == f"5 more answers would add about {gain} to the ranking's SRCC{little}\n"
    lines = result.stdout.splitlines()
    assert lines[0].split(maxsplit=1) == ["image", "uncertainty of the album's scores"]
    assert (content["user"], content["n_album"], content["n_rated"]) == ("ana", 12, 7)
    picks = content["suggestions"]
    assert len({pick["image"] for pick in picks} - set(names[:7])) == 3
    for line, pick in zip(lines[1:], picks, strict=True):
        assert pick["image"] in line
        assert line.endswith(f"{pick['before']:.3f} -> {pick['after']:.3f}")
    # Each rating narrows what is left to learn, and the next one goes on from there.
    assert all(pick["after"] < pick["before"] for pick in picks)
    assert [pick["before"] for pick in picks[1:]] == [pick["after"] for pick in picks[:-1]]


def test_somebody_new_gets_suggestions_in_her_scale_too(piaa, album, tiny_model, warm, tmp_path):
    command = ("suggest", album, "-n", 4, "--ask", "ratings", "--model", tiny_model)
    nobody = json.loads(piaa(*command, "--json").stdout)
    named = piaa(*command, "--user", "eve", "--json")
    assert named.stderr == "the store knows no ratings of eve yet: suggestions are for somebody new\n"
    assert json.loads(named.stdout)["suggestions"] == nobody["suggestions"]
    out = tmp_path / "next.csv"
    written = piaa(*command, "--out", out)
    assert written.stdout == f"4 of 12 photos to rate next: {out}\n"
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [pick["image"] for pick in nobody["suggestions"]]
    assert [float(row["after"]) for row in rows] == [round(p["after"], 4) for p in nobody["suggestions"]]
    as_json = tmp_path / "next.json"
    assert piaa(*command, "--out", as_json).exit_code == 0
    assert json.loads(as_json.read_text()) == nobody


def test_pairs_are_suggested_where_they_teach_more_for_a_second(piaa, album, tiny_model, names):
    command = ("suggest", album, "-n", 4, "--model", tiny_model)
    shown = piaa(*command, "--ask", "both")
    content = json.loads(piaa(*command, "--json").stdout)["suggestions"]
    assert any(one["other"] for one in content)
    asked = [name for one in content for name in (one["image"], one["other"]) if name]
    assert len(asked) == len(set(asked))
    assert set(asked) <= set(names)
    for line, one in zip(shown.stdout.splitlines()[1:], content, strict=True):
        assert (f"{one['image']} or {one['other']}" if one["other"] else one["image"]) in line
    alone = json.loads(piaa(*command, "--ask", "comparisons", "--json").stdout)["suggestions"]
    assert all(one["other"] for one in alone)
    slow = json.loads(piaa(*command, "--ask", "both", "--comparison-seconds", 90, "--json").stdout)
    assert not any(one["other"] for one in slow["suggestions"])
    wrong = piaa(*command, "--ask", "everything")
    assert wrong.exit_code == 2
    assert "--ask takes 'ratings', 'comparisons' or 'both', not 'everything'" in wrong.stderr


def test_copies_are_suggested_once_and_all_that_are_left_if_fewer(
    rate, piaa, album, tiny_model, table, names, tmp_path
):
    assert rate("ana", part(table, *range(9))).exit_code == 0
    folder = tmp_path / "copies"
    shutil.copytree(album, folder)
    for name in (names[0], names[10]):
        shutil.copy(folder / name, folder / f"copy-of-{name.split('/')[-1]}")
    command = ("suggest", folder, "--user", "ana", "--ask", "ratings", "--model", tiny_model, "--json")
    content = json.loads(piaa(*command).stdout)
    assert (content["n_album"], content["n_rated"], len(content["suggestions"])) == (14, 10, 3)


def test_nothing_is_left_to_suggest(rate, piaa, album, tiny_model, names):
    assert rate("ana", dict.fromkeys(names, 3)).exit_code == 0
    result = piaa("suggest", album, "--user", "ana", "--model", tiny_model)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "piaa: all 12 photos are rated already; name a folder with photos that are not\n"


def test_no_burst_is_asked_twice(rate, piaa, album, tiny_model, names, tmp_path):
    """Each photo twice, the second time as another picture of the scene: a PNG of the same pixels."""
    folder = tmp_path / "bursts"
    shutil.copytree(album, folder)
    for name in names:
        with Image.open(album / name) as photo:
            photo.save((folder / name).with_suffix(".again.png"))
    command = ("suggest", folder, "-n", 50, "--ask", "ratings", "--model", tiny_model, "--json")
    scenes = [one["image"].partition(".")[0] for one in json.loads(piaa(*command).stdout)["suggestions"]]
    assert sorted(scenes) == sorted(name.partition(".")[0] for name in names)
    # Nor is she asked about a scene of which she rated a photo, here or elsewhere.
    assert rate("ana", {names[0]: 4, names[1]: 2}).exit_code == 0
    (folder / names[1]).unlink()
    told = json.loads(piaa(*command, "--user", "ana").stdout)
    scenes = [one["image"].partition(".")[0] for one in told["suggestions"]]
    assert sorted(scenes) == sorted(name.partition(".")[0] for name in names[2:])
    assert (told["n_album"], told["n_rated"]) == (23, 1)


def test_only_bursts_with_a_rated_photo_are_left(rate, piaa, album, tiny_model, names, tmp_path):
    assert rate("ana", dict.fromkeys(names, 3)).exit_code == 0
    with Image.open(album / names[0]) as photo:
        photo.save(tmp_path / "again.png")
    result = piaa("suggest", tmp_path / "again.png", "--user", "ana", "--model", tiny_model)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "piaa: the only photo is rated already, or of a burst with one that is; name a folder with "
        "photos that are not\n"
    )
