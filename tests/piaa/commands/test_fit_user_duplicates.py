"""Two names of one photo in one table: refused, or taken as told."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("add", [(), ("--add",)])
def test_two_scores_of_one_photo_are_an_error_of_the_table(rate, shown, piaa, copies, names, tmp_path, add):
    if add:
        assert rate("ana", {names[3]: 2}, folder=copies).exit_code == 0
    refused = rate("ana", {names[0]: 5, names[4]: 4, "copy.jpg": 1}, *add, folder=copies)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"piaa: {tmp_path / 'table.csv'}: 'copy.jpg' has the score 1, but it is the same photo as "
        f"{names[0]!r}, which has 5; delete one of the two rows, or pass --duplicates last or "
        "--duplicates mean\n"
    )
    if add:
        assert [row["image"] for row in shown("ana")["ratings"]] == [names[3]]
    else:
        assert piaa("users", "show", "ana").exit_code == 1


def test_one_score_under_two_names_is_one_rating(rate, rated, copies, names):
    result = rate("ana", {names[0]: 5, names[4]: 4, "copy.jpg": 5}, folder=copies)
    assert (result.exit_code, result.stderr) == (0, "")
    assert rated("ana") == {"copy.jpg": 5, names[4]: 4}


@pytest.mark.parametrize(("choice", "score"), [("last", 2), ("mean", 3.5)])
def test_duplicates_say_which_score_counts(rate, rated, copies, names, choice, score):
    table = {names[0]: 5, names[4]: 4, "copy.jpg": 2}
    assert rate("ana", table, "--duplicates", choice, folder=copies).exit_code == 0
    assert rated("ana") == {"copy.jpg": score, names[4]: 4}


@pytest.mark.parametrize("choice", ["error", "last", "mean"])
def test_duplicates_concern_one_table_only(rate, rated, copies, names, choice):
    assert rate("ana", {names[0]: 5, names[3]: 2, names[4]: 4}, folder=copies).exit_code == 0
    result = rate("ana", {"copy.jpg": 2}, "--add", "--duplicates", choice, folder=copies)
    assert (result.exit_code, result.stderr) == (0, "")
    assert list(rated("ana").items()) == [(names[3], 2), (names[4], 4), ("copy.jpg", 2)]
