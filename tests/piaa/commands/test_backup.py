"""``piaa backup`` and ``piaa restore`` as a person uses them."""

from __future__ import annotations

import json
import os
import stat

import pytest


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


@pytest.fixture
def backed_up(rate, piaa, table, tmp_path):
    """A backup of a store in which ana rated three photos, and ben since rated two."""
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    out = tmp_path / "today.db"
    result = piaa("backup", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{out}: 1 user, 3 ratings, 1 version of {tmp_path / 'piaa.db'}\n"
    assert rate("ben", part(table, 0, 1)).exit_code == 0
    return out


def users(piaa, *options):
    return [row["user"] for row in json.loads(piaa("users", "list", "--json", *options).stdout)]


def test_a_backup_is_a_store_of_its_own(backed_up, piaa, album, tiny_model):
    assert users(piaa, "--store", backed_up) == ["ana"]
    if os.name == "posix":
        assert stat.S_IMODE(backed_up.stat().st_mode) == 0o600
    command = ("score", album, "--user", "ana", "--model", tiny_model, "--json")
    assert piaa(*command, "--store", backed_up).stdout == piaa(*command).stdout


def test_restoring_puts_it_in_the_place_of_the_store_and_keeps_that(backed_up, piaa, tmp_path):
    store, kept = tmp_path / "piaa.db", tmp_path / "piaa.db.before-restore-1"
    result = piaa("restore", backed_up, "--replace")
    assert result.exit_code == 0
    assert result.stderr == f"what the store held before is kept in {kept}\n"
    assert result.stdout == f"{store}: 1 user, 3 ratings, 1 version from {backed_up}\n"
    assert users(piaa) == ["ana"]
    assert users(piaa, "--store", kept) == ["ana", "ben"]
    back = json.loads(piaa("restore", kept, "--replace", "--json").stdout)
    assert back == {
        "n_users": 2,
        "n_ratings": 5,
        "n_versions": 2,
        "store": str(store),
        "backup": str(kept),
        "kept": str(tmp_path / "piaa.db.before-restore-2"),
    }
    assert users(piaa) == ["ana", "ben"]


def test_restoring_into_nothing_asks_nothing(backed_up, piaa, tmp_path):
    new = tmp_path / "new" / "piaa.db"
    result = piaa("restore", backed_up, "--store", new)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{new}: 1 user, 3 ratings, 1 version from {backed_up}\n"


def test_a_backup_as_json(backed_up, piaa, tmp_path):
    again = tmp_path / "again.db"
    assert json.loads(piaa("backup", again, "--json").stdout) == {
        "n_users": 2,
        "n_ratings": 5,
        "n_versions": 2,
        "store": str(tmp_path / "piaa.db"),
        "backup": str(again),
    }


@pytest.mark.parametrize(("answer", "left"), [("n\n", ["ana", "ben"]), ("y\n", ["ana"])])
def test_a_person_at_a_terminal_is_asked(backed_up, piaa, on_a_terminal, tmp_path, answer, left):
    code, seen = on_a_terminal(["restore", backed_up], "[y/N]: ", answer)
    assert f"Replace {tmp_path / 'piaa.db'}, which holds 2 users and 5 ratings? [y/N]: " in seen
    assert code == (answer == "n\n")
    assert users(piaa) == left
    assert (tmp_path / "piaa.db.before-restore-1").exists() == (answer == "y\n")
