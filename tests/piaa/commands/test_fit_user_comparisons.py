"""``piaa fit-user --pairs``: comparisons alone, and beside ratings."""

from __future__ import annotations

import json

import numpy as np

NO_SCORES = (
    "expected ranking: comparisons give no scores to check it with; rate some photos to get an estimate\n"
)


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


def compared(shown, user):
    return [(one["a"], one["b"], one["outcome"]) for one in shown(user)["comparisons"]]


def compared_names(shown, user):
    return [(a, b) for a, b, _ in compared(shown, user)]


def test_comparisons_are_learned_and_kept(compare, scores_of, learned, names, tmp_path):
    order = names[:6]
    pairs = [(order[i], order[j]) for i in range(6) for j in range(i + 1, 6)]
    # The order that the crowd's scores do not have, so that it is learned.
    for user, told in (("ana", pairs), ("ben", [(worse, better) for better, worse in pairs])):
        result = compare(user, told * 3)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == (
            f"{learned(user, '45 comparisons', 'pairs')}{NO_SCORES}"
            f"stored: {tmp_path / 'piaa.db'}, version 1\n"
        )
    ranks = {
        user: [place.get(name) for name in order]
        for user in ("ana", "ben")
        for place in [{row["image"]: rank for rank, row in enumerate(scores_of(user))}]
    }
    agreed = {user: np.corrcoef(ranks[user], range(6))[0, 1] for user in ranks}
    assert agreed["ana"] > 0.5
    assert agreed["ben"] < -0.5
    content = json.loads(compare("ana", pairs, "--replace", "--json").stdout)
    assert (content["n_pairs"], content["n_ratings"], content["adapter"]) == (15, 0, "pairs")
    assert content["version"] == 2


def test_ratings_are_not_kept_where_the_comparisons_cannot_be_read(rate, shown, table, tmp_path):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    before = shown("ana")
    missing = tmp_path / "nosuch.csv"
    refused = rate("ana", part(table, 3, 4), "--pairs", missing, "--replace")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"{missing}" in refused.stderr
    assert shown("ana") == before


def test_a_person_who_compared_is_known(compare, names, tmp_path):
    assert compare("ana", [(names[0], names[1]), (names[2], names[3])]).exit_code == 0
    refused = compare("ana", [(names[4], names[5])])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"piaa: store {str(tmp_path / 'piaa.db')!r} knows 2 comparisons of user 'ana'; pass --add to add to "
        "them, or --replace to put these in their place (they stay in the history)\n"
    )


def test_added_comparisons_are_as_if_given_at_once(compare, scores_of, shown, names):
    first, more = [(names[0], names[1])], [(names[2], names[3]), (names[4], names[0])]
    assert compare("ana", first).exit_code == 0
    assert compare("ana", more, "--add").exit_code == 0
    assert compare("ben", first + more).exit_code == 0
    assert compared(shown, "ana") == compared(shown, "ben") == [(*pair, "a") for pair in first + more]
    assert scores_of("ana") == scores_of("ben")


def test_replaced_comparisons_are_history_and_ratings_stay(compare, rate, shown, rated, piaa, table, names):
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    assert compare("ana", [(names[0], names[1])], "--add").exit_code == 0
    result = compare("ana", [(names[2], names[3])], "--replace")
    assert result.exit_code == 0
    assert result.stderr == (
        "--replace is of comparisons alone: 2 ratings of ana still count; replace them with --ratings FILE "
        "--replace, or delete all that she said of a photo: piaa users forget-rating ana PHOTO\n"
    )
    assert compared(shown, "ana") == [(names[2], names[3], "a")]
    assert rated("ana") == part(table, 0, 1)
    lines = [line.split(maxsplit=1)[1] for line in piaa("users", "history", "ana").stdout.splitlines()]
    assert lines == [
        "rate     table   2 new",
        "compare  table   1 new",
        "replace  table   1 new, 1 replaced",
    ]


def test_replaced_ratings_leave_comparisons_and_say_so(compare, rate, shown, rated, table, names):
    assert compare("ana b", [(names[0], names[1])]).exit_code == 0
    result = rate("ana b", part(table, 2, 3), "--replace")
    assert result.exit_code == 0
    assert result.stderr == (
        "--replace is of ratings alone: 1 comparison of ana b still counts; replace it with --pairs FILE "
        "--replace, or delete all that she said of a photo: piaa users forget-rating 'ana b' PHOTO\n"
    )
    assert rated("ana b") == part(table, 2, 3)
    assert compared(shown, "ana b") == [(names[0], names[1], "a")]
    # Machines see it in the numbers.
    again = rate("ana b", part(table, 4), "--replace", "--json")
    assert again.stderr == ""
    assert json.loads(again.stdout)["n_pairs"] == 1


def test_comparisons_beside_ratings_are_learned_from(
    compare, rate, scores_of, shown, piaa, learned, early, table, names, tmp_path
):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    before = scores_of("ana")
    result = compare("ana", [(names[0], names[1]), (names[3], names[4])], "--add")
    assert (result.exit_code, result.stderr) == (0, "")
    given = learned("ana", "3 ratings and 2 comparisons")
    assert result.stdout == f"{given}{early(3)}stored: {tmp_path / 'piaa.db'}, version 2\n"
    assert scores_of("ana") != before
    assert compared(shown, "ana") == [(names[0], names[1], "a"), (names[3], names[4], "a")]
    content = json.loads(compare("ana", [(names[5], names[6])], "--add", "--json").stdout)
    assert (content["n_ratings"], content["n_pairs"]) == (3, 3)
    assert "n_pairs_unused" not in content
    assert piaa("users", "list").stdout.startswith("ana: 3 ratings, 3 comparisons, auto on piaa-tiny ")


def test_an_adapter_of_ratings_leaves_comparisons_and_says_so(compare, rate, table, names):
    assert compare("ana", [(names[0], names[1])]).exit_code == 0
    result = rate("ana", part(table, 2, 3), "--add", "--adapter", "ridge")
    assert result.exit_code == 0
    assert result.stderr == (
        "1 comparison of ana kept, but not used: adapter ridge learns from ratings alone\n"
    )
    content = json.loads(rate("ana", part(table, 4), "--add", "--adapter", "ridge", "--json").stdout)
    assert (content["n_ratings"], content["n_pairs_unused"]) == (3, 1)
    assert "n_pairs" not in content


def test_the_order_in_which_she_said_it_is_all_the_same(compare, rate, scores_of, rated, table, names):
    pairs = [(names[0], names[1]), (names[4], names[2])]
    assert compare("ana", pairs).exit_code == 0
    assert rate("ana", part(table, 2, 3), "--add").exit_code == 0
    assert rate("ben", part(table, 2, 3)).exit_code == 0
    assert compare("ben", pairs, "--add").exit_code == 0
    assert rated("ana") == part(table, 2, 3)
    assert scores_of("ana") == scores_of("ben")


def test_ratings_and_comparisons_are_given_at_once(
    compare, rate, scores_of, rated, shown, table, names, tmp_path
):
    pairs = tmp_path / "both.csv"
    pairs.write_text(f"better,worse\n{names[0]},{names[1]}\n{names[4]},{names[2]}\n")
    result = rate("ana", part(table, 2, 3), "--pairs", pairs)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "learned from 2 ratings and 2 comparisons" in result.stdout
    assert rate("ben", part(table, 2, 3)).exit_code == 0
    assert compare("ben", compared_names(shown, "ana"), "--add").exit_code == 0
    assert scores_of("ana") == scores_of("ben")
    again = rate("ana", part(table, 5), "--pairs", pairs, "--replace")
    assert (again.exit_code, again.stderr) == (0, "")
    assert rated("ana") == part(table, 5)


def test_suggestions_for_a_person_who_compared_are_of_other_photos(compare, piaa, album, tiny_model, names):
    assert compare("ana", [(names[0], names[1])]).exit_code == 0
    command = ("suggest", album, "-n", 20, "--ask", "ratings", "--model", tiny_model, "--json")
    mine = piaa(*command, "--user", "ana")
    assert mine.stderr == ""
    picks = json.loads(mine.stdout)["suggestions"]
    assert {one["image"] for one in picks} == set(names[2:])
    nobody = json.loads(piaa(*command).stdout)["suggestions"]
    assert picks[0]["before"] < nobody[0]["before"]


def test_comparisons_are_not_learned_by_an_adapter_of_ratings(compare, shown, names):
    refused = compare("ana", [(names[0], names[1])], "--adapter", "ridge")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        "piaa: adapter 'ridge' learns from ratings, but she gave 1 comparison and no rating; leave it out, "
        "or rate some photos (what the table says is kept)\n"
    )
    assert compared(shown, "ana") == [(names[0], names[1], "a")]
    assert compare("ben", [(names[0], names[1])], "--adapter", "auto").exit_code == 0
