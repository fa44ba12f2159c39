"""What ``piaa score`` wrote, given to ``piaa fit-user``: nobody is learned from our own predictions."""

from __future__ import annotations

import csv
import io
import json

import pandas as pd
import pytest

import piaa as library
from generic.errors import RatingsError
from piaa.ratings.comparisons import read_pairs

MARKS = "'low', 'high', 'generic', 'predicted_by'"
CURE = (
    "nothing of a person is learned from these: add a column 'rating' with what she says herself, or pass "
    "the table that she filled in"
)


@pytest.fixture
def again(piaa, album, tiny_model):
    """``again(table)``: fits ben on a table that piaa wrote."""

    def run(table, *args):
        options = ("--images", album, "--model", tiny_model)
        return piaa("fit-user", "--user", "ben", "--ratings", table, *options, *args)

    return run


def refusal(table):
    return f"piaa: {table} holds scores that piaa predicted, as its columns {MARKS} say; {CURE}\n"


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_every_format_is_refused(score, again, piaa, tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"scores.{suffix}"
    assert score("--out", out).exit_code == 0
    result = again(out)
    assert (result.exit_code, result.stdout) == (1, "")
    marks = "'predicted_by', 'low', 'high', 'generic'" if suffix == "json" else MARKS
    assert result.stderr == refusal(out).replace(MARKS, marks)
    assert piaa("users", "show", "ben").exit_code == 1


def test_what_is_printed_for_machines_is_refused(score, again, tmp_path):
    out = tmp_path / "printed.json"
    out.write_text(score("--json").stdout)
    assert "holds scores that piaa predicted" in again(out).stderr
    lines = tmp_path / "lines.jsonl"
    lines.write_text("\n".join(map(json.dumps, json.loads(out.read_text())["scores"])))
    assert "holds scores that piaa predicted" in again(lines).stderr


@pytest.mark.parametrize("kept", [("predicted_by",), ("low", "high"), ("generic",)])
def test_some_of_our_columns_are_enough(score, again, tmp_path, kept):
    score("--out", tmp_path / "scores.csv")
    frame = pd.read_csv(tmp_path / "scores.csv")[["image", "score", *kept]]
    frame.to_csv(tmp_path / "less.csv", index=False, sep=";", decimal=",")
    shown = "column {} says" if len(kept) == 1 else "columns {} say"
    said = refusal(tmp_path / "less.csv").replace(
        f"columns {MARKS} say", shown.format(", ".join(map(repr, kept)))
    )
    assert again(tmp_path / "less.csv").stderr == said


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_her_own_column_beside_them_is_learned(score, again, rated, names, tmp_path, suffix):
    score("--out", tmp_path / "scores.json")
    content = json.loads((tmp_path / "scores.json").read_text())
    wanted = {}
    for number, row in enumerate(content["scores"]):
        row["Rating"] = wanted[row["image"]] = number % 5 + 1 if number < 7 else None
    table = tmp_path / f"filled.{suffix}"
    if suffix == "json":
        table.write_text(json.dumps({**content, "user": "ben"}))
    else:
        pd.DataFrame(content["scores"]).to_csv(table, index=False, float_format="%g")
    result = again(table)
    assert (result.exit_code, result.stdout.splitlines()[0][:28]) == (0, "ben: learned from 7 ratings ")
    assert result.stderr == (
        f"{table}: learned from its column 'Rating'; its 'score' is what piaa predicted\n"
        f"{table}: left out 5 of 12 rows: 5 unrated (blank or 0)\n"
    )
    assert rated("ben") == {name: score for name, score in wanted.items() if score}
    notes = json.loads(again(table, "--replace", "--json").stdout)["notes"]
    assert notes == result.stderr.splitlines()


def test_a_frame_of_scores_is_no_table_of_ratings(score, album, tiny_model):
    model = library.load_model(tiny_model)
    frame = model.load("ana").score(album)
    with pytest.raises(RatingsError) as caught:
        model.fit_user(frame, images=album)
    assert str(caught.value) == (
        "the data frame holds scores that piaa predicted, as its columns 'low', 'high', 'generic' say; "
        + CURE
    )
    frame["stars"] = [5.0, 4.0, 3.0, 0.0, float("nan"), -1.0] * 2
    person = model.fit_user(frame, images=album)
    assert len(person.ratings) == 6
    assert person.notes == (
        "the data frame: learned from its column 'stars'; its 'score' is what piaa predicted",
        "the data frame: left out 6 of 12 rows: 4 unrated (blank or 0), 2 rejected (-1)",
    )


def test_photos_of_a_table_of_scores_can_be_compared(score, tmp_path):
    score("--out", tmp_path / "scores.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "scores.csv").read_text())))
    table = tmp_path / "pairs.csv"
    frame = pd.DataFrame({"better": [rows[0]["image"]], "worse": [rows[1]["image"]], **rows[0]})
    frame.to_csv(table, index=False)
    assert read_pairs(table).pairs == [(rows[0]["image"], rows[1]["image"])]
