"""``piaa users`` as a person uses it, on a rendered album and a tiny model."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from generic.model.checkpoint import read_header
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store


def short_hash(path: Path) -> str:
    return read_header(path).hash[:8]


def test_users_list_and_show(piaa, fit, tiny_model, names):
    for user in ("ana", "ben", "ana"):
        assert fit(user, "--replace").exit_code == 0
    listed = json.loads(piaa("users", "list", "--json").stdout)
    assert [(row["user"], row["n_versions"], row["latest"]["version"]) for row in listed] == [
        ("ana", 2, 2),
        ("ben", 1, 1),
    ]
    lines = piaa("users", "list").stdout.splitlines()
    assert lines == [
        f"{row['user']}: 10 ratings, auto on piaa-tiny {short_hash(tiny_model)}, "
        f"version {row['latest']['version']} of {row['latest']['created']}"
        for row in listed
    ]
    shown = json.loads(piaa("users", "show", "ana", "--json").stdout)
    assert [version["version"] for version in shown["versions"]] == [1, 2]
    assert [rating["image"] for rating in shown["ratings"]] == names[:10]
    assert {len(rating["sha256"]) for rating in shown["ratings"]} == {64}
    assert {(rating["source"], len(rating["photo"])) for rating in shown["ratings"]} == {("table", 64)}
    shown_as = [
        f"version {one['version']} of {one['created']}: 10 ratings on 1..5, auto on piaa-tiny "
        f"{short_hash(tiny_model)}, {one['n_bytes']} bytes{counts}"
        for one, counts in zip(shown["versions"], ("", "  counts now"), strict=True)
    ]
    said = [f"  {one['score']:g}  {one['image']}" for one in shown["ratings"]]
    last = json.loads(piaa("users", "history", "ana", "--json").stdout)[-1]
    back = [
        "to undo:",
        f"  piaa users undo ana  (takes back the last change, replace of {last['at'][:19]})",
        "  piaa users restore ana NUMBER  (has an earlier version count)",
        "  piaa users forget-rating ana PHOTO  (deletes all that was said of a photo)",
        "  piaa users delete ana  (deletes everything)",
    ]
    result = piaa("users", "show", "ana", "--model", tiny_model)
    text = result.stdout.splitlines()
    assert result.stderr == ""
    assert text[:2] + text[-15:] == [*shown_as, *said, *back]
    assert len(text) == 2 + 3 + 10 + 5
    # Of another model the rest is told.
    other = piaa("users", "show", "ana")
    assert other.stdout.splitlines() == [*shown_as, *said, *back]
    assert other.stderr.startswith("what was learned is told by its own model, with --model: adapter of user")


def test_users_show_says_what_was_learned(piaa, rate, album, tiny_model, names, scores_of):
    rated = dict(zip(names, (5, 5, 1, 1, 3, 3), strict=False))
    assert rate("ana", rated, "--adapter", "neighbours").exit_code == 0
    scores = {row["image"]: row for row in scores_of("ana")}
    moves = {name: scores[name]["score"] - scores[name]["generic"] for name in rated}
    level = sum(moves.values()) / len(moves)
    text = piaa("users", "show", "ana", "--model", tiny_model).stdout.splitlines()
    way = "more" if level > 0 else "less"
    assert text[1] == f"learned: ana gives {abs(level):.2f} {way} than the crowd, on average"
    for line, word, sign in ((text[2], "more", 1), (text[3], "less", -1)):
        order = sorted(moves, key=lambda name: -sign * moves[name])
        told = [
            f"{name} (crowd {scores[name]['generic']:.2f}, now {scores[name]['score']:.2f})"
            for name in order
            if sign * (moves[name] - level) > 0
        ]
        assert line == f"relatively {word} to {'; '.join(told[:3])}"


def test_users_without_a_version_are_listed_and_shown(piaa, fit, names, tiny_model, tmp_path):
    fit()
    said = Store(tmp_path / "piaa.db").said("ana", read_header(tiny_model).hash)
    photo = SeenPhoto(identity=said.ratings[0].photo, sha256=said.ratings[0].sha256, image=names[0])
    saying = Saying(ratings=[(photo, 4.5)], flags=[(photo, "pick")], model_hash="", source="http")
    Store(tmp_path / "piaa.db").say("eve", saying)
    assert piaa("users", "list").stdout.splitlines()[1] == "eve: 1 rating, nothing learned yet"
    assert json.loads(piaa("users", "list", "--json").stdout)[1] == {
        "user": "eve",
        "n_ratings": 1,
        "n_comparisons": 0,
        "n_versions": 0,
        "latest": None,
    }
    at = json.loads(piaa("users", "history", "eve", "--json").stdout)[-1]["at"]
    assert piaa("users", "show", "eve").stdout == (
        f"nothing learned yet\n  4.5  {names[0]}\n  pick  {names[0]}\n"
        "to undo:\n"
        f"  piaa users undo eve  (takes back the last change, flag of {at[:19]})\n"
        "  piaa users forget-rating eve PHOTO  (deletes all that was said of a photo)\n"
        "  piaa users delete eve  (deletes everything)\n"
    )
    assert piaa("users", "versions", "eve").stdout == "nothing learned yet\n"
    refused = piaa("score", tmp_path, "--user", "eve", "--model", tiny_model)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"piaa: nothing was learned yet from what user 'eve' in store {str(tmp_path / 'piaa.db')!r} said; "
        "learn: piaa fit-user --user eve\n"
    )


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


def test_keys_of_somebody_who_is_deleted_go_too(piaa, fit):
    fit("ana")
    for _ in range(2):
        assert piaa("keys", "create", "--role", "user", "--user", "ana").exit_code == 0
    assert piaa("users", "delete", "ana", "--yes").stdout == "deleted ana: 1 version, 2 API keys revoked\n"
    assert {bool(key["revoked"]) for key in json.loads(piaa("keys", "list", "--json").stdout)} == {True}


def test_users_travel_to_another_store(piaa, fit, album, tiny_model, tmp_path):
    fit()
    fit("ana", "--replace")
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
