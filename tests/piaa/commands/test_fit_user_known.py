"""``piaa fit-user`` on somebody whom the store knows: added, replaced, asked, learned again."""

from __future__ import annotations

import json

import pytest

HINT = "pass --add to add to them, or --replace to put these in their place (they stay in the history)\n"
QUESTION = "Add to them, replace them (they stay in the history), or stop? [add]: "


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


def test_a_known_person_is_not_touched_without_being_told(rate, rated, table, tmp_path):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    refused = rate("ana", part(table, 3, 4))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"piaa: store {str(tmp_path / 'piaa.db')!r} knows 3 ratings of user 'ana'; {HINT}"
    )
    assert rated("ana") == part(table, 0, 1, 2)
    content = json.loads(rate("ana", part(table, 3, 4), "--json").stdout)
    assert (content["kind"], content["error"]) == ("StoreError", refused.stderr[6:-1])


def test_added_ratings_are_as_if_given_at_once(rate, rated, scores_of, learned, early, table, tmp_path):
    assert rate("ana", part(table, 0, 1, 2, 3)).exit_code == 0
    added = rate("ana", part(table, *range(4, 10)), "--add")
    assert (added.exit_code, added.stderr) == (0, "")
    assert added.stdout == (
        f"{learned('ana', '10 ratings')}{early(10)}stored: {tmp_path / 'piaa.db'}, version 2\n"
    )
    assert rate("ben", table).exit_code == 0
    assert scores_of("ana") == scores_of("ben")
    assert rated("ana") == rated("ben")


def test_adding_to_nobody_is_a_first_fit(rate, rated, table, tmp_path):
    result = rate("ana", part(table, 0, 1), "--add")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(f"stored: {tmp_path / 'piaa.db'}, version 1\n")
    assert rated("ana") == part(table, 0, 1)


def test_of_a_photo_rated_again_the_newest_counts(rate, rated, shown, table, names):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    result = rate("ana", {names[1]: 5, names[5]: 2}, "--add")
    assert (result.exit_code, result.stderr) == (0, "")
    assert list(rated("ana").items()) == [(names[0], 5), (names[2], 4), (names[1], 5), (names[5], 2)]
    assert [one["n_ratings"] for one in shown("ana")["versions"]] == [3, 4]


def test_replacing_keeps_what_was_said_as_history(rate, rated, piaa, learned, early, table, tmp_path):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    result = rate("ana", part(table, 2, 3), "--replace")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"{learned('ana', '2 ratings')}{early(2)}stored: {tmp_path / 'piaa.db'}, version 2\n"
    )
    assert rated("ana") == part(table, 2, 3)
    lines = [line.split(maxsplit=1)[1] for line in piaa("users", "history", "ana").stdout.splitlines()]
    assert lines == ["rate     table   3 new", "replace  table   2 new, 3 replaced"]


def test_replacing_may_change_the_scale(rate, shown, table, names):
    assert rate("ana", part(table, 0, 1), "--scale", 1, 5).exit_code == 0
    refused = rate("ana", {names[2]: 8}, "--add", "--scale", 0, 10)
    assert refused.exit_code == 1
    assert rate("ana", {names[2]: 8}, "--replace", "--scale", 0, 10).exit_code == 0
    assert [one["scale"] for one in shown("ana")["versions"]] == [[1.0, 5.0], [0.0, 10.0]]


def test_added_ratings_keep_scale_and_adapter(rate, table):
    assert rate("ana", part(table, 0, 1), "--scale", 0, 10, "--adapter", "ridge").exit_code == 0
    content = json.loads(rate("ana", part(table, 2), "--add", "--json").stdout)
    assert (content["adapter"], content["scale"], content["n_ratings"]) == ("ridge", [0.0, 10.0], 3)
    other = json.loads(rate("ana", part(table, 3), "--add", "--adapter", "bayes", "--json").stdout)
    assert (other["adapter"], other["scale"], other["n_ratings"]) == ("bayes", [0.0, 10.0], 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--add", "--replace"), "--add and --replace contradict each other; give one of them"),
        (("--images", "."), None),
    ],
)
def test_ways_that_go_together(rate, piaa, table, tiny_model, options, message):
    result = rate("ana", part(table, 0), *options)
    assert result.exit_code == (2 if message else 1)
    assert (message or "piaa: not even the one photo that user 'ana' rated can be used") in result.stderr
    for way, told in (
        (("--add",), "--add and --replace go with --ratings FILE or --pairs FILE"),
        (("--replace",), "--add and --replace go with --ratings FILE or --pairs FILE"),
        (("--ratings", "r.csv"), "a table names photos; give the folder that holds them with --images DIR"),
        (("--ratings", "r.csv", "--pairs", "p.csv"), "a table names photos; give the folder that holds them"),
    ):
        refused = piaa("fit-user", "--user", "ana", "--model", tiny_model, *way)
        assert refused.exit_code == 2
        assert told in " ".join(refused.stderr.replace("│", " ").split())


def test_without_a_table_she_is_learned_again(
    rate, piaa, scores_of, learned, early, table, tiny_model, tmp_path
):
    assert rate("ana", table, "--adapter", "ridge").exit_code == 0
    before = scores_of("ana")
    again = piaa("fit-user", "--user", "ana", "--model", tiny_model)
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout == (
        f"{learned('ana', '10 ratings', 'ridge')}{early(10)}stored: {tmp_path / 'piaa.db'}, version 2\n"
    )
    assert scores_of("ana") == before
    other = piaa("fit-user", "--user", "ana", "--model", tiny_model, "--adapter", "bayes")
    assert other.stdout == (
        f"{learned('ana', '10 ratings', 'bayes')}{early(10)}stored: {tmp_path / 'piaa.db'}, version 3\n"
    )
    assert scores_of("ana") != before


@pytest.mark.parametrize(
    ("answer", "places"),
    [("\n", (0, 1, 2, 3)), ("ad\nAdd\n", (0, 1, 2, 3)), ("replace\n", (2, 3)), ("stop\n", ())],
)
def test_a_person_at_a_terminal_is_asked(
    on_a_terminal, rate, rated, shown, album, table, tiny_model, tmp_path, answer, places
):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    more = tmp_path / "more.csv"
    more.write_text("\n".join(["image,score", *(f"{n},{s}" for n, s in part(table, 2, 3).items())]))
    arguments = ["fit-user", "--user", "ana", "--ratings", more, "--images", album, "--model", tiny_model]
    code, seen = on_a_terminal(arguments, "[add]: ", answer)
    assert "The store knows 3 ratings of ana.\n" in seen
    assert QUESTION in seen
    assert seen.count("please type add, replace or stop\n") == answer.count("\n") - 1
    if places:
        assert code == 0
        assert f"ana: learned from {len(places)} ratings (auto on piaa-tiny " in seen
        assert rated("ana") == part(table, *places)
        return
    assert code == 1
    assert seen.endswith("Aborted!\n")
    assert rated("ana") == part(table, 0, 1, 2)
    assert len(shown("ana")["versions"]) == 1
