"""``piaa users forget-rating``: what is withdrawn is deleted, and all that was learned with it."""

from __future__ import annotations

import json
import re


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


def numbers(shown, user):
    return [one["version"] for one in shown(user)["versions"]]


def in_the_store(folder, *names):
    left = b"".join(path.read_bytes() for path in folder.glob("piaa.db*"))
    return [name for name in names if name.encode() in left]


def test_a_rating_is_withdrawn_with_every_version_that_knows_it(
    rate, piaa, scores_of, shown, rated, learned, early, tiny_model, table, names, tmp_path
):
    gone = names[4]
    assert rate("ana", part(table, 0, 1, 2, 3)).exit_code == 0
    assert rate("ana", part(table, 4, 5, 6), "--add").exit_code == 0
    assert rate("ben", part(table, 4, 5)).exit_code == 0
    result = piaa("users", "forget-rating", "ana", gone, "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "ana: deleted version 2, learned with what is withdrawn\n"
        f"{learned('ana', '6 ratings')}{early(6)}stored: {tmp_path / 'piaa.db'}, version 3\n"
    )
    assert numbers(shown, "ana") == [1, 3]
    assert gone not in rated("ana")
    assert rate("eve", part(table, 0, 1, 2, 3, 5, 6)).exit_code == 0
    assert scores_of("ana") == scores_of("eve")
    # Nobody else's rating of the photo is touched.
    assert gone in rated("ben")
    piaa("users", "delete", "ben", "--yes")
    assert in_the_store(tmp_path, gone) == []


def test_a_withdrawn_photo_is_gone_under_all_its_names(
    rate, piaa, shown, rated, tiny_model, copies, names, tmp_path
):
    assert rate("ana", {names[0]: 1, names[3]: 2}, folder=copies).exit_code == 0
    assert rate("ana", {"copy.jpg": 5, names[4]: 3}, "--add", folder=copies).exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[0], "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert list(rated("ana")) == [names[3], names[4]]
    assert numbers(shown, "ana") == [3]
    assert in_the_store(tmp_path, names[0], "copy.jpg") == []


def test_two_photos_of_one_name_are_withdrawn_together(rate, piaa, shown, rated, tiny_model, copies, names):
    """A name is all that she can say; what she may have meant must not stay."""
    assert rate("ana", {names[2]: 1, names[3]: 2}, folder=copies).exit_code == 0
    assert rate("ana", {names[2]: 5}, "--add", folder=copies / "other").exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[2], "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert list(rated("ana")) == [names[3]]
    assert numbers(shown, "ana") == [3]


def test_a_model_that_is_not_there_withdraws_nothing(rate, piaa, shown, table, names):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    before = shown("ana")
    for command in (("forget-rating", "ana", names[0]), ("undo", "ana")):
        result = piaa("users", *command, "--model", "nosuch")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("piaa: there is no model 'nosuch'")
        assert shown("ana") == before


def test_she_is_learned_again_by_the_adapter_that_she_had(rate, piaa, learned, tiny_model, table, names):
    assert rate("ana", part(table, 0, 1, 2), "--adapter", "ridge").exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[0], "--model", tiny_model)
    assert learned("ana", "2 ratings", "ridge") in result.stdout


def test_a_photo_is_also_named_by_its_hash(rate, piaa, shown, rated, tiny_model, table, names):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    one, other, _ = shown("ana")["ratings"]
    result = piaa(
        "users", "forget-rating", "ana", one["photo"], other["sha256"], "--model", tiny_model, "--json"
    )
    assert json.loads(result.stdout)["n_ratings"] == 1
    assert list(rated("ana")) == [names[2]]


def test_a_rating_of_long_ago_is_withdrawn_from_the_history(
    rate, piaa, scores_of, shown, rated, tiny_model, table, names, copies, tmp_path
):
    gone = names[0]
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    assert rate("ana", {"copy.jpg": 4, names[2]: 2}, "--replace", folder=copies).exit_code == 0
    assert rate("ana", part(table, 1, 2), "--replace").exit_code == 0
    assert rate("ana", part(table, 1, 2, 3), "--replace").exit_code == 0
    before = scores_of("ana")
    result = piaa("users", "forget-rating", "ana", gone, "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("ana: deleted versions 1, 2, learned with what is withdrawn\n")
    assert numbers(shown, "ana")[:2] == [3, 4]
    assert rated("ana") == part(table, 1, 2, 3)
    assert scores_of("ana") == before
    assert in_the_store(tmp_path, gone, "copy.jpg") == []
    again = piaa("users", "forget-rating", "ana", gone, "--model", tiny_model)
    assert again.exit_code == 1
    assert f"has no rating of {gone!r} among 3;" in again.stderr


def test_one_command_withdraws_from_what_counts_and_from_the_history(
    rate, piaa, shown, rated, tiny_model, table, names
):
    for number, places in enumerate(((0, 1), (1, 2), (2, 3, 4))):
        assert rate("ana", part(table, *places), *("--replace",) * bool(number)).exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[0], names[4], "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("ana: deleted versions 1, 3, learned with what is withdrawn\n")
    assert numbers(shown, "ana") == [2, 4]
    assert list(rated("ana")) == [names[2], names[3]]


def test_the_last_rating_may_go(rate, piaa, shown, tiny_model, table, names, album, tmp_path):
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    result = piaa("users", "forget-rating", "ana", *names[:2], "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "ana: deleted version 1, learned with what is withdrawn\nana: nothing is left to learn from\n"
    )
    assert piaa("users", "show", "ana").stdout == (
        "nothing learned yet\nto undo:\n  piaa users delete ana  (deletes everything)\n"
    )
    assert piaa("users", "list").stdout == "ana: 0 ratings, nothing learned yet\n"
    assert in_the_store(tmp_path, *names[:2]) == []
    scored = piaa("score", album, "--user", "ana", "--model", tiny_model)
    assert scored.exit_code == 1
    assert scored.stderr.startswith("piaa: nothing was learned yet from what user 'ana' in store ")
    # She may begin again; numbers of versions are not used twice.
    assert rate("ana", part(table, 2)).exit_code == 0
    assert numbers(shown, "ana") == [2]


def test_the_last_rating_as_json(rate, piaa, tiny_model, table, names, tmp_path):
    assert rate("ana", part(table, 0)).exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[0], "--model", tiny_model, "--json")
    assert json.loads(result.stdout) == {
        "user": "ana",
        "version": None,
        "n_ratings": 0,
        "store": str(tmp_path / "piaa.db"),
    }


def test_a_compared_photo_goes_with_its_comparisons(
    rate, compare, piaa, shown, rated, tiny_model, table, names, tmp_path
):
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    assert compare("ana", [(names[0], names[2]), (names[3], names[4])], "--add").exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[0], "--model", tiny_model)
    assert result.exit_code == 0
    assert result.stdout.startswith("ana: deleted versions 1, 2, learned with what is withdrawn\n")
    assert rated("ana") == part(table, 1)
    assert [(one["a"], one["b"]) for one in shown("ana")["comparisons"]] == [(names[3], names[4])]
    assert in_the_store(tmp_path, names[0], names[2]) == []


def test_a_photo_that_was_only_compared(compare, piaa, shown, learned, tiny_model, names, tmp_path):
    assert compare("ana", [(names[0], names[1]), (names[2], names[3])]).exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[1], "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(
        "ana: deleted version 1, learned with what is withdrawn\n" + learned("ana", "1 comparison", "pairs")
    )
    assert [(one["a"], one["b"]) for one in shown("ana")["comparisons"]] == [(names[2], names[3])]
    assert in_the_store(tmp_path, names[0], names[1]) == []


def test_what_cannot_be_withdrawn(rate, piaa, shown, tiny_model, table, names):
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    wrong = piaa("users", "forget-rating", "ana", names[0] + "x", "--model", tiny_model)
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert re.fullmatch(
        rf"piaa: user 'ana' has no rating of '{re.escape(names[0])}x' among 2; did you mean '.+'\?\n",
        wrong.stderr,
    )
    far = piaa("users", "forget-rating", "ana", names[0], "?", "--model", tiny_model)
    assert far.stderr == "piaa: user 'ana' has no rating of '?' among 2; see: piaa users show NAME\n"
    assert numbers(shown, "ana") == [1]
