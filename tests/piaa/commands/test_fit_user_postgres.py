"""A PostgreSQL URL in the place of a file: the terminal's commands say the same, and keep it there."""

from __future__ import annotations

import json


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


def test_the_commands_of_a_person_in_postgres(
    rate, piaa, postgres, album, tiny_model, table, names, learned, early, tmp_path
):
    store = ("--store", postgres)
    first = rate("ana", part(table, 0, 1, 2), *store)
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout.startswith(learned("ana", "3 ratings") + early(3) + "stored: postgresql://")
    assert first.stdout.endswith(", version 1\n")
    refused = rate("ana", part(table, 3), *store)
    assert refused.exit_code == 1
    assert " knows 3 ratings of user 'ana'; pass --add to add to them, or --replace " in refused.stderr
    assert rate("ana", part(table, 3), "--add", *store).exit_code == 0

    assert rate("ana", part(table, 0, 1, 2, 3)).exit_code == 0  # in a file
    command = ("score", album, "--user", "ana", "--model", tiny_model, "--json")
    there, here = piaa(*command, *store), piaa(*command)
    assert (there.exit_code, there.stdout) == (0, here.stdout)
    listed = piaa("users", "list", *store).stdout
    assert listed.startswith("ana: 4 ratings, auto on piaa-tiny ")
    shown = json.loads(piaa("users", "show", "ana", "--json", *store).stdout)
    assert {row["image"]: row["score"] for row in shown["ratings"]} == part(table, 0, 1, 2, 3)
    assert [one["version"] for one in shown["versions"]] == [1, 2]

    assert piaa("users", "restore", "ana", 1, *store).exit_code == 0
    undone = piaa("users", "undo", "ana", "--model", tiny_model, *store)
    assert undone.stdout.endswith("version 2 counts again\n")
    gone = piaa("users", "forget-rating", "ana", names[3], "--model", tiny_model, *store)
    assert gone.stdout.startswith("ana: deleted version 2, learned with what is withdrawn\n")
    assert piaa("users", "delete", "ana", "--yes", *store).exit_code == 0
    assert piaa("users", "list", *store).stdout == ""


def test_the_environment_names_a_database(
    rate, piaa, postgres, album, tiny_model, table, monkeypatch, tmp_path
):
    monkeypatch.setenv("PIAA_STORE", postgres)
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    scored = piaa("score", album, "--user", "ana", "--model", tiny_model, "--json")
    assert len(json.loads(scored.stdout)["scores"]) == 12
    assert not (tmp_path / "piaa.db").exists()
    unknown = piaa("score", album, "--user", "anna", "--model", tiny_model)
    assert unknown.stderr.endswith(
        " has no user 'anna'; did you mean 'ana'? see all users with: piaa users list\n"
    )


def test_a_store_moves_from_a_file_to_postgres_and_back(
    rate, piaa, postgres, album, tiny_model, table, tmp_path
):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    command = ("score", album, "--user", "ana", "--model", tiny_model, "--json")
    before, today = piaa(*command).stdout, tmp_path / "today.db"
    assert piaa("backup", today).exit_code == 0
    moved = piaa("restore", today, "--store", postgres)
    assert (moved.exit_code, moved.stderr) == (0, "")
    assert moved.stdout.endswith(f": 1 user, 3 ratings, 1 version from {today}\n")
    assert piaa(*command, "--store", postgres).stdout == before
    refused = piaa("restore", today, "--store", postgres)
    assert refused.stderr.endswith(
        " holds 1 user and 3 ratings; pass --replace to put the backup in its place\n"
    )
    back = tmp_path / "back.db"
    assert piaa("backup", back, "--store", postgres).exit_code == 0
    assert piaa(*command, "--store", back).stdout == before
