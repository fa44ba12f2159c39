"""``piaa tidy``."""

from __future__ import annotations

import json


def test_old_versions_go(rate, piaa, table, names, tmp_path):
    for n in range(1, 5):
        assert rate("ana", {name: table[name] for name in names[:n]}, "--replace").exit_code == 0
    done = piaa("tidy", "--keep-versions", 2)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (
        f"{tmp_path / 'piaa.db'}: 2 versions, 0 fits that ended, 0 rows of photos sent removed; "
        "1 linear form of versions that do not count dropped\n"
    )
    versions = json.loads(piaa("users", "show", "ana", "--json").stdout)["versions"]
    assert [one["version"] for one in versions] == [3, 4]
    again = json.loads(piaa("tidy", "--json").stdout)
    assert {key: value for key, value in again.items() if key != "store"} == {
        "n_versions": 0,
        "n_forms": 0,
        "n_jobs": 0,
        "n_sent": 0,
    }


def test_a_store_that_there_is_not_is_not_made(piaa, tmp_path):
    place = tmp_path / "none.db"
    done = piaa("tidy", "--store", place)
    assert (done.exit_code, done.stderr) == (
        1,
        f"piaa: there is no store '{place}' to tidy; name another one with --store\n",
    )
    assert not place.exists()
