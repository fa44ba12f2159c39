"""Learning on, comparisons and suggestions, as a person uses them: on a rendered album and a tiny model."""

from __future__ import annotations

import csv
import json
import re
import shutil

import numpy as np
import pytest

import piaa as library
from generic.errors import StoreError

SCORES = (5, 1, 4, 2, 3, 5, 2, 1, 4, 3)


@pytest.fixture
def rate(piaa, album, tiny_model, warm, tmp_path):
    """``rate(user, {image: score}, ...)`` fits a user on a table of these ratings."""

    def run(user, scores, *args, folder=album):
        table = tmp_path / "table.csv"
        table.write_text("\n".join(["image,score", *(f"{name},{score}" for name, score in scores.items())]))
        options = ("--ratings", table, "--images", folder, "--model", tiny_model)
        return piaa("fit-user", "--user", user, *options, *args)

    return run


@pytest.fixture
def compare(piaa, album, tiny_model, warm, tmp_path):
    """``compare(user, [(better, worse), ...], ...)`` fits a user on comparisons."""

    def run(user, pairs, *args):
        table = tmp_path / "pairs.csv"
        table.write_text("\n".join(["better,worse", *map(",".join, pairs)]))
        options = ("--pairs", table, "--images", album, "--model", tiny_model)
        return piaa("fit-user", "--user", user, *options, *args)

    return run


@pytest.fixture
def scores_of(piaa, album, tiny_model):
    """What ``score`` says of the album, without the user's name."""

    def run(user):
        result = piaa("score", album, "--user", user, "--model", tiny_model, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)["scores"]

    return run


@pytest.fixture
def table(names):
    return dict(zip(names, SCORES, strict=False))


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


def versions_of(piaa, user):
    return json.loads(piaa("users", "show", user, "--json").stdout)


# ---- fit-user --add ----


def test_added_ratings_are_as_if_given_at_once(rate, scores_of, piaa, table):
    assert rate("ana", part(table, 0, 1, 2, 3)).exit_code == 0
    added = rate("ana", part(table, *range(4, 10)), "--add")
    assert (added.exit_code, added.stderr) == (0, "")
    assert added.stdout.startswith("ana: learned from 10 ratings (")
    assert added.stdout.endswith(", version 2\n")
    assert rate("ben", table).exit_code == 0
    assert scores_of("ana") == scores_of("ben")
    assert versions_of(piaa, "ana")["ratings"] == versions_of(piaa, "ben")["ratings"]


def test_added_ratings_keep_scale_and_adapter(rate, piaa, table):
    assert rate("ana", part(table, 0, 1), "--scale", "0", "10", "--adapter", "ridge").exit_code == 0
    content = json.loads(rate("ana", part(table, 2), "--add", "--json").stdout)
    assert (content["adapter"], content["scale"], content["n_ratings"]) == ("ridge", [0.0, 10.0], 3)
    for option in (("--scale", "1", "5"), ("--adapter", "bayes")):
        refused = rate("ana", part(table, 3), "--add", *option)
        assert refused.exit_code == 2
        assert "with --add, scale and adapter are the person's" in refused.stderr


def test_a_photo_rated_before_is_refused_or_taken_as_told(rate, piaa, table, names):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    again = {names[1]: 5, names[5]: 2}
    refused = rate("ana", again, "--add")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"piaa: user 'ana' has rated 1 of these 2 photos before, the first {names[1]!r} as 1; "
        "leave them out, or pass --duplicates last or --duplicates mean\n"
    )
    assert [v["version"] for v in versions_of(piaa, "ana")["versions"]] == [1]

    def learned(choice):
        assert rate("ana", again, "--add", "--duplicates", choice).exit_code == 0
        return {row["image"]: row["score"] for row in versions_of(piaa, "ana")["ratings"]}

    assert learned("mean") == {names[0]: 5, names[2]: 4, names[1]: 3, names[5]: 2}
    assert learned("last") == {names[0]: 5, names[2]: 4, names[1]: 5, names[5]: 2}


@pytest.fixture
def copies(album, names, tmp_path):
    """The album, its first photo once more, and its second under the name of the third."""
    folder = tmp_path / "copies"
    shutil.copytree(album, folder)
    shutil.copyfile(album / names[0], folder / "copy.jpg")
    (folder / "other" / names[2]).parent.mkdir(parents=True)
    shutil.copyfile(album / names[1], folder / "other" / names[2])
    return folder


@pytest.mark.parametrize(("choice", "score"), [("last", 2), ("mean", 4)])
def test_a_photo_rated_under_two_names_is_one_photo(rate, piaa, copies, names, choice, score):
    first = {names[0]: 5, "copy.jpg": 5, names[3]: 2, names[4]: 4}
    assert rate("ana", first, folder=copies).exit_code == 0
    result = rate("ana", {names[0]: 2}, "--add", "--duplicates", choice, folder=copies)
    assert (result.exit_code, result.stderr) == (0, "")
    rated = [(row["image"], row["score"]) for row in versions_of(piaa, "ana")["ratings"]]
    assert rated == [(names[3], 2), (names[4], 4), (names[0], score)]


def test_a_change_of_an_old_version_is_not_stored(rate, album, tiny_model, table, tmp_path):
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    old = library.load_model(tiny_model).load("ana")
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    with pytest.raises(StoreError) as caught:
        old.add(_more(tmp_path, table, 5), images=album).save()
    assert str(caught.value) == (
        f"user 'ana' in store {str(tmp_path / 'piaa.db')!r} has version 2 by now, and this change was "
        "made from version 1; run the command again"
    )


def _more(folder, table, place):
    path = folder / "more.csv"
    path.write_text("\n".join(["image,score", *(f"{n},{s}" for n, s in part(table, place).items())]))
    return path


# ---- users forget-rating ----


def test_a_rating_is_withdrawn_with_every_version_that_knows_it(
    rate, piaa, scores_of, tiny_model, table, names, tmp_path
):
    gone = names[4]
    assert rate("ana", part(table, 0, 1, 2, 3)).exit_code == 0
    assert rate("ana", part(table, 4, 5, 6), "--add").exit_code == 0
    assert rate("ben", part(table, 4, 5)).exit_code == 0
    result = piaa("users", "forget-rating", "ana", gone, "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("ana: learned from 6 ratings (")
    shown = versions_of(piaa, "ana")
    assert [version["version"] for version in shown["versions"]] == [1, 3]
    assert gone not in [row["image"] for row in shown["ratings"]]
    assert rate("eve", part(table, 0, 1, 2, 3, 5, 6)).exit_code == 0
    assert scores_of("ana") == scores_of("eve")
    # Nobody else's rating of the photo is touched.
    assert gone in [row["image"] for row in versions_of(piaa, "ben")["ratings"]]
    piaa("users", "delete", "ben", "--yes")
    left = b"".join(path.read_bytes() for path in tmp_path.glob("piaa.db*"))
    assert gone.encode() not in left


def test_a_withdrawn_photo_is_gone_under_all_its_names(rate, piaa, tiny_model, copies, names, tmp_path):
    assert rate("ana", {names[0]: 1, "copy.jpg": 5, names[3]: 2}, folder=copies).exit_code == 0
    assert rate("ana", {names[4]: 3}, "--add", folder=copies).exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[0], "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    shown = versions_of(piaa, "ana")
    assert [row["image"] for row in shown["ratings"]] == [names[3], names[4]]
    assert [version["version"] for version in shown["versions"]] == [3]
    left = b"".join(path.read_bytes() for path in tmp_path.glob("piaa.db*"))
    assert names[0].encode() not in left
    assert b"copy.jpg" not in left


def test_two_photos_of_one_name_are_withdrawn_together(rate, piaa, tiny_model, copies, names):
    """A name is all that she can say; what she may have meant must not stay."""
    assert rate("ana", {names[2]: 1, names[3]: 2}, folder=copies).exit_code == 0
    assert rate("ana", {names[2]: 5}, "--add", folder=copies / "other").exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[2], "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    shown = versions_of(piaa, "ana")
    assert [row["image"] for row in shown["ratings"]] == [names[3]]
    assert [version["version"] for version in shown["versions"]] == [3]


def test_a_rating_that_only_older_versions_know_is_withdrawn_from_these(
    rate, piaa, scores_of, tiny_model, table, names, copies, tmp_path
):
    gone = names[0]
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    assert rate("ana", {"copy.jpg": 4, names[2]: 2}, folder=copies).exit_code == 0
    assert rate("ana", part(table, 1, 2)).exit_code == 0
    assert rate("ana", part(table, 1, 2, 3)).exit_code == 0
    before = scores_of("ana")
    result = piaa("users", "forget-rating", "ana", gone, "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "ana: deleted versions 1, 2, learned with what is withdrawn\n"
        f"stored: {tmp_path / 'piaa.db'}, version 4, which was learned without it and stays as it is\n"
    )
    assert [version["version"] for version in versions_of(piaa, "ana")["versions"]] == [3, 4]
    assert scores_of("ana") == before
    left = b"".join(path.read_bytes() for path in tmp_path.glob("piaa.db*"))
    assert gone.encode() not in left
    assert b"copy.jpg" not in left
    again = piaa("users", "forget-rating", "ana", gone, "--model", tiny_model)
    assert again.exit_code == 1
    assert f"has no rating of {gone!r} among 3;" in again.stderr


def test_one_command_withdraws_from_the_newest_and_from_older_versions(rate, piaa, tiny_model, table, names):
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    assert rate("ana", part(table, 1, 2)).exit_code == 0
    assert rate("ana", part(table, 2, 3, 4)).exit_code == 0
    older = json.loads(
        piaa("users", "forget-rating", "ana", names[1], "--model", tiny_model, "--json").stdout
    )
    assert (older["version"], older["deleted_versions"]) == (3, [1, 2])
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    assert rate("ana", part(table, 2, 3, 4)).exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[0], names[4], "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    shown = versions_of(piaa, "ana")
    assert [version["version"] for version in shown["versions"]] == [6]
    assert [row["image"] for row in shown["ratings"]] == [names[2], names[3]]


def test_a_copy_in_the_newest_of_what_an_older_version_names_goes_too(rate, piaa, tiny_model, copies, names):
    assert rate("ana", {names[0]: 5, names[3]: 2}, folder=copies).exit_code == 0
    assert rate("ana", {"copy.jpg": 4, names[4]: 2}, folder=copies).exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[0], "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    shown = versions_of(piaa, "ana")
    assert [row["image"] for row in shown["ratings"]] == [names[4]]
    assert [version["version"] for version in shown["versions"]] == [3]


def test_a_rating_of_a_photo_that_was_compared_since_is_refused(
    rate, compare, piaa, tiny_model, table, names
):
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    assert compare("ana", [(names[0], names[2])]).exit_code == 0
    refused = piaa("users", "forget-rating", "ana", names[0], "--model", tiny_model)
    assert refused.exit_code == 1
    assert "was learned by comparisons" in refused.stderr
    result = piaa("users", "forget-rating", "ana", names[1], "--model", tiny_model)
    assert result.stdout.startswith("ana: deleted version 1, learned with")


def test_what_cannot_be_withdrawn(rate, piaa, tiny_model, table, names):
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    wrong = piaa("users", "forget-rating", "ana", names[0] + "x", "--model", tiny_model)
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert re.fullmatch(
        rf"piaa: user 'ana' has no rating of '{re.escape(names[0])}x' among 2; did you mean '.+'\?\n",
        wrong.stderr,
    )
    every = piaa("users", "forget-rating", "ana", *names[:2], "--model", tiny_model)
    assert every.exit_code == 1
    assert every.stderr == (
        "piaa: this would forget all 2 ratings, and an adapter needs at least 1; delete the person instead\n"
    )
    assert [v["version"] for v in versions_of(piaa, "ana")["versions"]] == [1]


# ---- fit-user --pairs ----


def test_comparisons_are_learned_and_kept(compare, scores_of, piaa, names):
    order = names[:6]
    pairs = [(order[i], order[j]) for i in range(6) for j in range(i + 1, 6)]
    # The order that the crowd's scores do not have, so that it is learned.
    for user, told in (("ana", pairs), ("ben", [(worse, better) for better, worse in pairs])):
        result = compare(user, told * 3)
        assert (result.exit_code, result.stderr) == (0, "")
        lines = result.stdout.splitlines()
        assert lines[0].startswith(f"{user}: learned from 45 comparisons (pairs on piaa-tiny ")
        assert lines[1] == (
            "expected ranking: comparisons give no scores to check it with; rate some photos to get an "
            "estimate"
        )
    ranks = {
        user: [place.get(name) for name in order]
        for user in ("ana", "ben")
        for place in [{row["image"]: rank for rank, row in enumerate(scores_of(user))}]
    }
    agreed = {user: np.corrcoef(ranks[user], range(6))[0, 1] for user in ranks}
    assert agreed["ana"] > 0.5
    assert agreed["ben"] < -0.5
    content = json.loads(compare("ana", pairs, "--json").stdout)
    assert (content["n_pairs"], content["n_ratings"], content["adapter"]) == (15, 0, "pairs")
    assert content["version"] == 2


def test_comparisons_stand_alone(compare, rate, piaa, album, tiny_model, ratings, table, names):
    assert compare("ana", [(names[0], names[1])]).exit_code == 0
    refused = rate("ana", part(table, 2), "--add")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        "piaa: user 'ana' was learned by comparisons, to which no rating can be added and of which none "
        "can be taken; fit again with the whole table (piaa fit-user), and where a rating is "
        "withdrawn delete the person before (piaa users delete)\n"
    )
    suggested = piaa("suggest", album, "--user", "ana", "--model", tiny_model)
    assert suggested.exit_code == 1
    assert suggested.stderr == (
        "piaa: user 'ana' was learned by comparisons, from which no suggestions are made; leave out "
        "--user, or "
        "fit her from ratings with another adapter\n"
    )
    for args, message in (
        (("--ratings", ratings), "give either --ratings FILE or --pairs FILE"),
        (("--add",), "--pairs is learned by the adapter pairs"),
        (("--adapter", "bayes"), "--pairs is learned by the adapter pairs"),
    ):
        result = compare("ana", [(names[0], names[1])], *args)
        assert result.exit_code == 2
        assert message in result.stderr


# ---- suggest ----


def test_suggestions_are_photos_that_are_not_rated(rate, piaa, album, tiny_model, table, names):
    assert rate("ana", part(table, *range(7))).exit_code == 0
    command = ("suggest", album, "--user", "ana", "-n", 3, "--model", tiny_model)
    result = piaa(*command)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split(maxsplit=1) == ["image", "uncertainty of the album's scores"]
    content = json.loads(piaa(*command, "--json").stdout)
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
    command = ("suggest", album, "-n", 4, "--model", tiny_model)
    nobody = json.loads(piaa(*command, "--json").stdout)
    named = piaa(*command, "--user", "eve", "--json")
    assert named.stderr == "eve is not in the store yet: suggestions are for somebody new\n"
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


def test_copies_are_suggested_once_and_all_that_are_left_if_fewer(
    rate, piaa, album, tiny_model, table, names, tmp_path
):
    assert rate("ana", part(table, *range(9))).exit_code == 0
    folder = tmp_path / "copies"
    shutil.copytree(album, folder)
    for name in (names[0], names[10]):
        shutil.copy(folder / name, folder / f"copy-of-{name.split('/')[-1]}")
    content = json.loads(piaa("suggest", folder, "--user", "ana", "--model", tiny_model, "--json").stdout)
    assert (content["n_album"], content["n_rated"], len(content["suggestions"])) == (14, 10, 3)


def test_nothing_is_left_to_suggest(rate, piaa, album, tiny_model, names):
    assert rate("ana", dict.fromkeys(names, 3)).exit_code == 0
    result = piaa("suggest", album, "--user", "ana", "--model", tiny_model)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "piaa: all 12 photos are rated already; name a folder with photos that are not\n"
