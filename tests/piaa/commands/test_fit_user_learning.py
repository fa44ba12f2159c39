"""``piaa fit-user`` with more ratings and with comparisons: on a rendered album and a tiny model."""

from __future__ import annotations

import json

import numpy as np
import pytest

import piaa as library
from generic.errors import StoreError


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


def versions_of(piaa, user):
    return json.loads(piaa("users", "show", user, "--json").stdout)


def test_added_ratings_are_as_if_given_at_once(rate, scores_of, piaa, table):
    assert rate("ana", part(table, 0, 1, 2, 3)).exit_code == 0
    added = rate("ana", part(table, *range(4, 10)), "--add")
    assert (added.exit_code, added.stderr) == (0, "")
    assert added.stdout.startswith("ana: learned from 10 ratings (")
    assert added.stdout.endswith(", version 2\n")
    assert rate("ben", table).exit_code == 0
    assert scores_of("ana") == scores_of("ben")
    assert versions_of(piaa, "ana")["ratings"] == versions_of(piaa, "ben")["ratings"]


def test_added_ratings_keep_scale_and_adapter(rate, piaa, table):
    assert rate("ana", part(table, 0, 1), "--scale", "0", "10", "--adapter", "ridge").exit_code == 0
    content = json.loads(rate("ana", part(table, 2), "--add", "--json").stdout)
    assert (content["adapter"], content["scale"], content["n_ratings"]) == ("ridge", [0.0, 10.0], 3)
    for option in (("--scale", "1", "5"), ("--adapter", "bayes")):
        refused = rate("ana", part(table, 3), "--add", *option)
        assert refused.exit_code == 2
        assert "with --add, scale and adapter are the person's" in refused.stderr


def test_a_photo_rated_before_is_refused_or_taken_as_told(rate, piaa, table, names):
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    again = {names[1]: 5, names[5]: 2}
    refused = rate("ana", again, "--add")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"piaa: user 'ana' has rated 1 of these 2 photos before, the first {names[1]!r} as 1; "
        "leave them out, or pass --duplicates last or --duplicates mean\n"
    )
    assert [v["version"] for v in versions_of(piaa, "ana")["versions"]] == [1]

    def learned(choice):
        assert rate("ana", again, "--add", "--duplicates", choice).exit_code == 0
        return {row["image"]: row["score"] for row in versions_of(piaa, "ana")["ratings"]}

    assert learned("mean") == {names[0]: 5, names[2]: 4, names[1]: 3, names[5]: 2}
    assert learned("last") == {names[0]: 5, names[2]: 4, names[1]: 5, names[5]: 2}


@pytest.mark.parametrize(("choice", "score"), [("last", 2), ("mean", 4)])
def test_a_photo_rated_under_two_names_is_one_photo(rate, piaa, copies, names, choice, score):
    first = {names[0]: 5, "copy.jpg": 5, names[3]: 2, names[4]: 4}
    assert rate("ana", first, folder=copies).exit_code == 0
    result = rate("ana", {names[0]: 2}, "--add", "--duplicates", choice, folder=copies)
    assert (result.exit_code, result.stderr) == (0, "")
    rated = [(row["image"], row["score"]) for row in versions_of(piaa, "ana")["ratings"]]
    assert rated == [(names[3], 2), (names[4], 4), (names[0], score)]


def test_a_change_of_an_old_version_is_not_stored(rate, album, tiny_model, table, tmp_path):
    assert rate("ana", part(table, 0, 1)).exit_code == 0
    old = library.load_model(tiny_model).load("ana")
    assert rate("ana", part(table, 0, 1, 2)).exit_code == 0
    with pytest.raises(StoreError) as caught:
        old.add(_more(tmp_path, table, 5), images=album).save()
    assert str(caught.value) == (
        f"user 'ana' in store {str(tmp_path / 'piaa.db')!r} has version 2 by now, and this change was "
        "made from version 1; run the command again"
    )


def _more(folder, table, place):
    path = folder / "more.csv"
    path.write_text("\n".join(["image,score", *(f"{n},{s}" for n, s in part(table, place).items())]))
    return path


def test_comparisons_are_learned_and_kept(compare, scores_of, piaa, names):
    order = names[:6]
    pairs = [(order[i], order[j]) for i in range(6) for j in range(i + 1, 6)]
    # The order that the crowd's scores do not have, so that it is learned.
    for user, told in (("ana", pairs), ("ben", [(worse, better) for better, worse in pairs])):
        result = compare(user, told * 3)
        assert (result.exit_code, result.stderr) == (0, "")
        lines = result.stdout.splitlines()
        assert lines[0].startswith(f"{user}: learned from 45 comparisons (pairs on piaa-tiny ")
        assert lines[1] == (
            "expected ranking: comparisons give no scores to check it with; rate some photos to get an "
            "estimate"
        )
    ranks = {
        user: [place.get(name) for name in order]
        for user in ("ana", "ben")
        for place in [{row["image"]: rank for rank, row in enumerate(scores_of(user))}]
    }
    agreed = {user: np.corrcoef(ranks[user], range(6))[0, 1] for user in ranks}
    assert agreed["ana"] > 0.5
    assert agreed["ben"] < -0.5
    content = json.loads(compare("ana", pairs, "--json").stdout)
    assert (content["n_pairs"], content["n_ratings"], content["adapter"]) == (15, 0, "pairs")
    assert content["version"] == 2


def test_comparisons_stand_alone(compare, rate, piaa, album, tiny_model, ratings, table, names):
    assert compare("ana", [(names[0], names[1])]).exit_code == 0
    refused = rate("ana", part(table, 2), "--add")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        "piaa: user 'ana' was learned by comparisons, to which no rating can be added and of which none "
        "can be taken; fit again with the whole table (piaa fit-user), and where a rating is "
        "withdrawn delete the person before (piaa users delete)\n"
    )
    suggested = piaa("suggest", album, "--user", "ana", "--model", tiny_model)
    assert suggested.exit_code == 1
    assert suggested.stderr == (
        "piaa: user 'ana' was learned by comparisons, from which no suggestions are made; leave out "
        "--user, or "
        "fit her from ratings with another adapter\n"
    )
    for args, message in (
        (("--ratings", ratings), "give either --ratings FILE or --pairs FILE"),
        (("--add",), "--pairs is learned by the adapter pairs"),
        (("--adapter", "bayes"), "--pairs is learned by the adapter pairs"),
    ):
        result = compare("ana", [(names[0], names[1])], *args)
        assert result.exit_code == 2
        assert message in result.stderr
