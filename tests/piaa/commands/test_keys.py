"""``piaa keys audit``: who did what to the store."""

from __future__ import annotations

import json


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


def test_the_audit_names_keys_and_what_was_withdrawn_erased_and_restored(
    rate, piaa, tiny_model, table, names, tmp_path
):
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    assert rate("ben", part(table, 0)).exit_code == 0
    key = json.loads(piaa("keys", "create", "--role", "user", "--user", "ana", "--json").stdout)
    assert piaa("keys", "revoke", key["id"]).stdout == f"revoked {key['id']}\n"
    assert piaa("users", "forget-rating", "ana", names[1], "--model", tiny_model).exit_code == 0
    assert piaa("users", "delete", "ben", "--yes").exit_code == 0
    assert piaa("backup", tmp_path / "today.sqlite").exit_code == 0
    assert piaa("restore", tmp_path / "today.sqlite", "--replace").exit_code == 0
    found = json.loads(piaa("keys", "audit", "--json").stdout)
    told = [(one["who"], one["what"], one["user"]) for one in found]
    assert told == [
        ("terminal", f"create key {key['id']}", "ana"),
        ("terminal", f"revoke key {key['id']}", None),
        ("terminal", "withdraw", "ana"),
        ("terminal", "erase", "user 2"),
        ("terminal", "restore", None),
    ]
    lines = piaa("keys", "audit").stdout.splitlines()
    assert lines == [
        f"{one['at']}  {one['who']:<12} {one['what']}{'  ' + one['user'] if one['user'] else ''}"
        for one in found
    ]
    assert piaa("keys", "audit", "-n", 1).stdout.splitlines() == lines[-1:]
    # What was deleted is named nowhere, and no secret is.
    assert "ben" not in piaa("keys", "audit").stdout
    left = b"".join(path.read_bytes() for path in tmp_path.glob("piaa.db*"))
    assert key["secret"].encode() not in left
    assert b"ben" not in left
