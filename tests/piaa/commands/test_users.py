"""``piaa users`` as a person uses it, on a rendered album and a tiny model."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

from generic.model.checkpoint import read_header


def short_hash(path: Path) -> str:
    return read_header(path).hash[:8]


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


def versions_of(piaa, user):
    return json.loads(piaa("users", "show", user, "--json").stdout)


def test_users_list_and_show(piaa, fit, tiny_model, names):
    for user in ("ana", "ben", "ana"):
        fit(user)
    listed = json.loads(piaa("users", "list", "--json").stdout)
    assert [(row["user"], row["n_versions"], row["version"]) for row in listed] == [
        ("ana", 2, 2),
        ("ben", 1, 1),
    ]
    lines = piaa("users", "list").stdout.splitlines()
    assert lines == [
        f"{row['user']}: 10 ratings, auto on piaa-tiny {short_hash(tiny_model)}, "
        f"version {row['version']} of {row['created']}"
        for row in listed
    ]
    shown = json.loads(piaa("users", "show", "ana", "--json").stdout)
    assert [version["version"] for version in shown["versions"]] == [1, 2]
    assert [rating["image"] for rating in shown["ratings"]] == names[:10]
    assert {len(rating["sha256"]) for rating in shown["ratings"]} == {64}
    text = piaa("users", "show", "ana").stdout.splitlines()
    assert len(text) == 12
    assert text[2] == f"  5  {names[0]}"


def test_users_delete_asks_first(piaa, fit, tmp_path):
    fit("ana")
    fit("ben")
    store = tmp_path / "piaa.db"
    refused = piaa("users", "delete", "ana", input="n\n")
    question = f"Delete 'ana' with all versions and ratings from {store}? [y/N]:"
    # The answer that was typed is all that stdout shows.
    assert (refused.exit_code, refused.stdout) == (1, " n\n")
    assert refused.stderr == f"{question}Aborted!\n"
    assert "ana" in piaa("users", "list").stdout
    agreed = piaa("users", "delete", "ana", input="y\n")
    assert (agreed.exit_code, agreed.stdout) == (0, " y\ndeleted ana: 1 version\n")
    assert agreed.stderr == question
    assert "ana" not in piaa("users", "list").stdout
    assert piaa("users", "delete", "ben", "--yes").stdout == "deleted ben: 1 version\n"
    assert json.loads(piaa("users", "list", "--json").stdout) == []
    assert piaa("users", "delete", "ben", "--yes").exit_code == 1


def test_users_travel_to_another_store(piaa, fit, album, tiny_model, tmp_path):
    fit()
    fit()
    file, other = tmp_path / "ana.json", tmp_path / "other" / "people.db"
    assert piaa("users", "export", "ana", file).stdout == f"exported ana: 1 version to {file}\n"
    assert piaa("users", "import", file, "--store", other).stdout == "imported ana: 1 version\n"
    command = ("score", album, "--user", "ana", "--model", tiny_model, "--json")
    here, there = piaa(*command), piaa(*command, "--store", other)
    assert (here.exit_code, there.stdout) == (0, here.stdout)

    again = piaa("users", "import", file, "--store", other)
    assert again.exit_code == 1
    assert again.stderr == (
        f"piaa: store {str(other)!r} already has a user 'ana'; import under another name "
        "with --user NAME, or replace the user and all versions with --replace\n"
    )
    assert piaa("users", "import", file, "--store", other, "--user", "ann").exit_code == 0
    assert piaa("users", "export", "ana", file, "--all").stdout == f"exported ana: 2 versions to {file}\n"
    assert piaa("users", "import", file, "--store", other, "--replace").stdout == "imported ana: 2 versions\n"
    listed = json.loads(piaa("users", "list", "--store", other, "--json").stdout)
    assert [(row["user"], row["n_versions"]) for row in listed] == [("ana", 2), ("ann", 1)]


def test_the_store_is_where_the_environment_says(fit, piaa, tmp_path):
    fit()
    assert (tmp_path / "piaa.db").is_file()
    fit("ben", "--store", tmp_path / "own.db")
    assert "ben" not in piaa("users", "list").stdout
    assert "ben" in piaa("users", "list", "--store", tmp_path / "own.db").stdout


def test_store_is_one_plain_database(fit, tmp_path):
    fit()
    connection = sqlite3.connect(tmp_path / "piaa.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert sorted(path.name for path in tmp_path.glob("piaa.db*")) == ["piaa.db"]


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
