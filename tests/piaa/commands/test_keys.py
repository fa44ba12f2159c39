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


def test_keys_with_scopes_an_end_and_a_new_secret(piaa):
    made = json.loads(
        piaa(
            *("keys", "create", "--role", "service", "--scope", "metrics", "--label", "prometheus"),
            *("--expires", "2099-01-31", "--json"),
        ).stdout
    )
    assert (made["role"], made["user"], made["scopes"], made["label"], made["expires"]) == (
        "service",
        None,
        ["metrics"],
        "prometheus",
        "2099-01-31T00:00:00.000000+00:00",
    )
    rotated = piaa("keys", "rotate", made["id"], "--keep-old", "7d")
    assert rotated.stderr == f"key {made['id']}: the secret is not kept, write it down now\n"
    assert rotated.stdout.strip() != made["secret"]
    (found,) = json.loads(piaa("keys", "list", "--json").stdout)
    assert {**found, "old_until": None, "secret": made["secret"]} == made
    assert piaa("keys", "list").stdout == (
        f"{made['id']}: service, 'prometheus', for metrics, of {made['created']}, "
        f"expires {made['expires']}, old secret until {found['old_until']}\n"
    )


def test_what_no_key_can_be_leaves_no_store(piaa, tmp_path):
    refused = piaa("keys", "create", "--role", "service", "--store", tmp_path / "new.db")
    assert refused.stderr == ("piaa: a service's key needs scopes; choose of score, rate, admin, metrics\n")
    refused = piaa("keys", "create", "--role", "admin", "--expires", "soon", "--store", tmp_path / "new.db")
    assert refused.stderr == "piaa: 'soon' is no time; give a span such as 12h or 90d, or 2027-01-31\n"
    assert not (tmp_path / "new.db").exists()
