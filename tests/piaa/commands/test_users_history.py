"""``piaa users history``, ``versions``, ``restore`` and ``undo``: what was said, and the way back."""

from __future__ import annotations

import json
import re
import shlex
import shutil


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


def history(piaa, user="ana"):
    """The lines without their times, which are ISO 8601 in UTC and never go back."""
    result = piaa("users", "history", user)
    assert (result.exit_code, result.stderr) == (0, "")
    times, lines = zip(*(line.split("  ", 1) for line in result.stdout.splitlines()), strict=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", time) for time in times)
    assert sorted(times) == list(times)
    return list(lines)


def counting(piaa, user="ana"):
    """The version that counts, of all that there are."""
    found = json.loads(piaa("users", "versions", user, "--json").stdout)
    return [one["version"] for one in found if one["active"]], [one["version"] for one in found]


def took_back(piaa, change, counts, user="ana"):
    (time,) = [one["at"] for one in json.loads(piaa("users", "history", user, "--json").stdout)][change:][:1]
    return f"{user}: took back {{}} of {time} ({counts})\n"


def test_the_history_names_every_change_and_who_made_it(rate, compare, piaa, tiny_model, table, names):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    assert rate("ana", {names[2]: 1, names[3]: 2}, "--add").exit_code == 0
    assert compare("ana", [(names[0], names[1])], "--add").exit_code == 0
    assert rate("ana", part(table, 4), "--replace").exit_code == 0
    assert piaa("users", "restore", "ana", 1).exit_code == 0
    assert piaa("users", "undo", "ana", "--model", tiny_model).exit_code == 0
    assert piaa("users", "forget-rating", "ana", names[4], "--model", tiny_model).exit_code == 0
    assert history(piaa) == [
        "rate     table   3 new",
        "rate     table   2 new, 1 replaced",
        "compare  table   1 new",
        "replace  table   4 replaced",
        "restore  terminal 3 new, version 1  (undone)",
        "undo     terminal 3 replaced",
        "withdraw terminal 1 deleted",
    ]
    first = json.loads(piaa("users", "history", "ana", "--json").stdout)[0]
    assert {**first, "id": 0, "at": ""} == {
        "id": 0,
        "at": "",
        "what": "rate",
        "source": "table",
        "n_added": 3,
        "n_ended": 0,
        "n_withdrawn": 0,
        "version": None,
        "undone": False,
    }


def test_versions_say_which_one_counts(rate, piaa, tiny_model, learned, table):
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    assert rate("ana", part(table, 2), "--add", "--adapter", "ridge").exit_code == 0
    one, two = json.loads(piaa("users", "versions", "ana", "--json").stdout)
    assert [one["active"], two["active"]] == [False, True]
    short = one["model_hash"][:8]
    assert piaa("users", "versions", "ana").stdout == (
        f"version 1 of {one['created']}: 2 ratings on 1..5, auto on piaa-tiny {short}, "
        f"{one['n_bytes']} bytes\n"
        f"version 2 of {two['created']}: 3 ratings on 1..5, ridge on piaa-tiny {short}, "
        f"{two['n_bytes']} bytes  counts now\n"
    )


def test_the_way_back_from_a_restore_can_be_typed_as_it_is_named(rate, piaa, table, tmp_path):
    store = tmp_path / "two words.db"
    assert rate("o'hara", part(table, 0, 1), "--store", store).exit_code == 0
    result = piaa("users", "restore", "o'hara", 1, "--store", store)
    named = re.search("`(.*)`", result.stdout).group(1)
    assert shlex.split(named) == ["piaa", "users", "undo", "o'hara", "--store", str(store)]


def test_a_version_is_restored_with_what_she_had_said_and_back(
    rate, piaa, rated, scores_of, tiny_model, table, names
):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    before = scores_of("ana")
    assert rate("ana", {names[1]: 5, **part(table, 3, 4)}, "--add").exit_code == 0
    after, said = scores_of("ana"), rated("ana")
    result = piaa("users", "restore", "ana", 1)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "ana: version 1 counts now; `piaa users undo ana` takes that back\n"
    assert (scores_of("ana"), counting(piaa)) == (before, ([1], [1, 2]))
    assert rated("ana") == part(table, 0, 1, 2)
    undone = piaa("users", "undo", "ana", "--model", tiny_model)
    assert (undone.exit_code, undone.stderr) == (0, "")
    assert undone.stdout == (
        took_back(piaa, 2, "terminal: 1 new, 3 replaced").format("restore") + "version 2 counts again\n"
    )
    assert (scores_of("ana"), counting(piaa), rated("ana")) == (after, ([2], [1, 2]), said)


def test_learning_after_a_restore_goes_on_from_there(rate, piaa, rated, scores_of, tiny_model, table):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    assert rate("ana", part(table, 3, 4), "--replace").exit_code == 0
    assert piaa("users", "restore", "ana", 1).exit_code == 0
    assert rate("ana", part(table, 5), "--add").exit_code == 0
    assert rate("eve", part(table, 0, 1, 2, 5)).exit_code == 0
    assert rated("ana") == part(table, 0, 1, 2, 5)
    assert scores_of("ana") == scores_of("eve")


def test_changes_are_taken_back_one_by_one(rate, piaa, rated, scores_of, tiny_model, table, names, tmp_path):
    states = []
    for number, (scores, way) in enumerate(
        ((part(table, 0, 1), ()), ({names[1]: 4, names[2]: 2}, ("--add",)), (part(table, 3), ("--replace",)))
    ):
        assert rate("ana", scores, *way).exit_code == 0
        states.append((rated("ana"), scores_of("ana"), number + 1))
    for (said, scores, version), change, counts in (
        (states[1], 2, "replace:table: 1 new, 3 replaced"),
        (states[0], 1, "rate:table: 2 new, 1 replaced"),
    ):
        word, numbers = counts.split(":", 1)
        result = piaa("users", "undo", "ana", "--model", tiny_model)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == (
            took_back(piaa, change, numbers).format(word) + f"version {version} counts again\n"
        )
        assert (rated("ana"), scores_of("ana")) == (said, scores)
    last = piaa("users", "undo", "ana", "--model", tiny_model)
    assert last.stdout == (
        took_back(piaa, 0, "table: 2 new, 0 replaced").format("rate")
        + "ana: nothing is left to learn from; version 1 counts until she rates again\n"
    )
    assert rated("ana") == {}
    none = piaa("users", "undo", "ana", "--model", tiny_model)
    assert (none.exit_code, none.stdout) == (1, "")
    assert none.stderr == (
        "piaa: user 'ana' has no change that could be taken back; see: piaa users history ana\n"
    )


def test_what_was_never_learned_is_learned_when_it_counts_again(
    rate, piaa, learned, early, scores_of, album, tiny_model, table, names, tmp_path
):
    assert rate("ana", part(table, 0)).exit_code == 0
    (tmp_path / "one").mkdir()
    shutil.copy(album / names[1], tmp_path / "one")
    bad = rate("ana", part(table, 1), "--add", "--adapter", "lora", folder=tmp_path / "one")
    assert (bad.exit_code, bad.stdout) == (1, "")
    assert bad.stderr == (
        "piaa: adapter 'lora' learns from the photos themselves, but 1 of the 2 that user 'ana' rated are "
        f"not there, the first is {names[0]!r}; pass the folder that holds them with --images, or use "
        "another adapter (what the table says is kept)\n"
    )
    assert rate("ana", part(table, 2), "--add").exit_code == 0
    result = piaa("users", "undo", "ana", "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        took_back(piaa, 2, "table: 1 new, 0 replaced").format("rate")
        + f"{learned('ana', '2 ratings')}{early(2)}stored: {tmp_path / 'piaa.db'}, version 3\n"
    )
    assert rate("eve", part(table, 0, 1)).exit_code == 0
    assert scores_of("ana") == scores_of("eve")


def test_what_was_withdrawn_does_not_come_back(rate, piaa, rated, tiny_model, table, names):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    assert piaa("users", "forget-rating", "ana", names[1], "--model", tiny_model).exit_code == 0
    (*_, last) = json.loads(piaa("users", "history", "ana", "--json").stdout)
    refused = piaa("users", "undo", "ana", "--model", tiny_model)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"piaa: the last change of user 'ana', of {last['at']}, withdrew what she said of some photos, "
        "which was deleted for good; rate these photos again instead\n"
    )
    assert rated("ana") == part(table, 0, 2)
    gone = piaa("users", "restore", "ana", 1)
    assert "has no version 1, but: 2;" in gone.stderr


def test_nobody_has_no_history(rate, piaa, tiny_model, table, tmp_path):
    assert rate("ana", part(table, 0)).exit_code == 0
    for command in ("history", "versions", "show", ("restore", 1), "undo"):
        words = (command, "anna") if isinstance(command, str) else (command[0], "anna", command[1])
        refused = piaa("users", *words)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr == (
            f"piaa: store {str(tmp_path / 'piaa.db')!r} has no user 'anna'; did you mean 'ana'? see all "
            "users with: piaa users list\n"
        )
