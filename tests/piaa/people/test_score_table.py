"""Score tables in every format, read back by other programs' readers."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generic.errors import OutputError
from piaa.people.score_table import COLUMNS, FORMATS, ScoreTable, check_format

ROOT = Path(__file__).parents[3]
NAMES = ("b.jpg", 'sub/a "great", one.jpg', "zoë.png", "a.jpg")


def table(names=NAMES, **changes) -> ScoreTable:
    n = len(names)
    scores = 5 - np.arange(n) / 3
    values = {
        "images": tuple(names),
        "scores": scores,
        "low": scores - 0.512345,
        "high": scores + 0.25,
        "generic": np.linspace(2, 4, n),
        "skipped": {"broken.jpg": "not an image"},
        **changes,
    }
    return ScoreTable(**values)


def rows(names=NAMES):
    return [
        {
            "image": name,
            "score": round(5 - i / 3, 4),
            "low": round(5 - i / 3 - 0.512345, 4),
            "high": round(5 - i / 3 + 0.25, 4),
            "generic": round(2 + 2 * i / (len(names) - 1), 4),
        }
        for i, name in enumerate(names)
    ]


def test_rows_are_plain_values_in_the_order_of_the_table():
    got = list(table().rows())
    assert got == rows()
    assert all(list(row) == list(COLUMNS) for row in got)
    assert all(type(row[column]) is float for row in got for column in COLUMNS[1:])
    assert len(table()) == 4


@pytest.mark.parametrize(("top", "n"), [(None, 4), (0, 0), (1, 1), (4, 4), (9, 4)])
def test_top_takes_the_first_rows_in_every_format(tmp_path, top, n):
    pytest.importorskip("pyarrow")
    assert list(table().rows(top)) == rows()[:n]
    assert len(list(csv.DictReader(io.StringIO(table().to_csv(top))))) == n
    assert json.loads(table().to_json(top))["scores"] == rows()[:n]
    path = tmp_path / "a.parquet"
    table().write(path, top)
    assert pd.read_parquet(path)["image"].tolist() == list(NAMES)[:n]


def test_csv_is_read_back():
    text = table().to_csv()
    assert text.splitlines()[:2] == [
        "image,score,low,high,generic,predicted_by",
        "b.jpg,5.0,4.4877,5.25,2.0,piaa",
    ]
    assert "\r" not in text
    read = list(csv.DictReader(io.StringIO(text)))
    assert {row.pop("predicted_by") for row in read} == {"piaa"}
    assert [
        {key: value if key == "image" else float(value) for key, value in row.items()} for row in read
    ] == rows()


characters = st.characters(exclude_categories=["Cs"])


@given(st.lists(st.text(characters, min_size=1), min_size=2, max_size=5, unique=True))
def test_any_file_name_survives_csv_and_json(names):
    one = table(names)
    # newline="" is what the csv module asks of files that it reads.
    read = [row["image"] for row in csv.DictReader(io.StringIO(one.to_csv(), newline=""))]
    # What a spreadsheet would run is named as a path, which leads to the same file.
    assert [name.removeprefix("./") for name in read] == [name.removeprefix("./") for name in names]
    assert not [name for name in read if name.lstrip().startswith(("=", "+", "-", "@"))]
    assert [row["image"] for row in json.loads(one.to_json())["scores"]] == names


def test_json_holds_facts_scores_and_skipped_photos():
    text = table().to_json(user="ana", model="piaa-lite")
    assert json.loads(text) == {
        "user": "ana",
        "model": "piaa-lite",
        "predicted_by": "piaa",
        "scores": rows(),
        "skipped": {"broken.jpg": "not an image"},
    }
    assert list(json.loads(text)) == ["user", "model", "predicted_by", "scores", "skipped"]
    assert "zoë.png" in text  # readable as it stands


def test_a_frame_holds_full_precision():
    frame = table().to_frame()
    assert list(frame.columns) == list(COLUMNS)
    assert frame["image"].tolist() == list(NAMES)
    assert frame["low"].tolist() == table().low.tolist()


def test_where_it_is_said_how_sure_a_place_is_it_is_the_last_column():
    sure = np.array([0.912345, 0.5, 0.7, 0.99])
    told = table(sure=sure)
    assert list(told.columns) == [*COLUMNS[1:], "sure"]
    assert [row["sure"] for row in told.rows()] == [0.9123, 0.5, 0.7, 0.99]
    assert told.to_csv().splitlines()[:2] == [
        "image,score,low,high,generic,sure,predicted_by",
        "b.jpg,5.0,4.4877,5.25,2.0,0.9123,piaa",
    ]
    assert told.take([3, 1]).sure.tolist() == [0.99, 0.5]
    assert told.to_frame()["sure"].tolist() == sure.tolist()


def test_an_empty_table(tmp_path):
    pytest.importorskip("pyarrow")
    nothing = np.zeros(0)
    empty = ScoreTable(images=(), scores=nothing, low=nothing, high=nothing, generic=nothing, skipped={})
    assert empty.to_csv() == "image,score,low,high,generic,predicted_by\n"
    assert json.loads(empty.to_json()) == {"predicted_by": "piaa", "scores": [], "skipped": {}}
    empty.write(tmp_path / "a.parquet")
    assert list(pd.read_parquet(tmp_path / "a.parquet").columns) == list(COLUMNS)
    assert len(empty) == len(empty.to_frame()) == 0


def test_columns_of_different_length_are_no_table():
    with pytest.raises(ValueError, match=r"^zip\(\) argument 3 is shorter than arguments 1-2$"):
        list(table(low=np.zeros(3)).rows())


@pytest.mark.parametrize("suffix", [*FORMATS, ".CSV", ".Json", ".PARQUET"])
def test_a_file_is_written_in_the_format_of_its_suffix(tmp_path, suffix):
    if suffix.lower() == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"scores{suffix}"
    path.write_text("an earlier result")
    table().write(path, user="ana")
    if suffix.lower() == ".parquet":
        pd.testing.assert_frame_equal(pd.read_parquet(path), table().to_frame())
    elif suffix.lower() == ".csv":
        assert path.read_bytes() == table().to_csv().encode("utf-8-sig")  # for Excel: "zoë.png" is no ASCII
    else:
        assert path.read_bytes() == table().to_json(user="ana").encode() + b"\n"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["scores.xlsx", "scores", "scores.csv.gz"])
def test_other_formats_are_refused_before_anything_is_written(tmp_path, name):
    path = tmp_path / name
    for call in (check_format, table().write):
        with pytest.raises(OutputError) as caught:
            call(path)
        assert str(caught.value) == (
            f"cannot write {path}: the suffix {path.suffix!r} is no table format; "
            f"name a file that ends in .csv, .json, .parquet"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_folder_that_does_not_exist(tmp_path, suffix):
    path = tmp_path / "nowhere" / f"a{suffix}"
    for call in (check_format, table().write):
        with pytest.raises(OutputError) as caught:
            call(path)
        assert str(caught.value) == (
            f"cannot write {path}: the folder {path.parent} does not exist; create it first"
        )


def test_a_bare_name_lies_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_format(Path("scores.csv"))
    table(NAMES[:2]).write(Path("scores.csv"))
    assert (tmp_path / "scores.csv").read_text() == table(NAMES[:2]).to_csv()


@pytest.mark.parametrize("suffix", FORMATS)
def test_only_parquet_needs_pandas(tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    code = f"""
import sys, numpy as np
from pathlib import Path
from piaa.people.score_table import ScoreTable
x = np.arange(2.0)
table = ScoreTable(images=("a", "b"), scores=x, low=x, high=x, generic=x, skipped={{}})
table.write(Path({str(tmp_path)!r}, "a{suffix}"))
print(sorted({{"pandas", "pyarrow", "torch", "scipy", "sklearn"}} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == ("['pandas', 'pyarrow']\n" if suffix == ".parquet" else "[]\n")


@pytest.mark.parametrize("rows", [[2, 0], []])
def test_some_rows_of_a_table(rows):
    columns = np.array([[3.0, 2.0, 1.0], [2, 1, 1], [4, 3, 2], [2.5, 2.6, 2.7]])
    table = ScoreTable.ranked(["a", "b", "c"], columns, {"x": "broken"})
    some = table.take(rows)
    assert some.images == tuple("abc"[row] for row in rows)
    for name, values in some.columns.items():
        assert values.tolist() == [table.columns[name][row] for row in rows]
    assert some.skipped == {"x": "broken"}
    crowd = ScoreTable.ranked(["a", "b", "c"], columns[:1], {}).take(rows)
    assert (crowd.low, crowd.high) == (None, None)
    assert crowd.generic.tolist() == crowd.scores.tolist() == [columns[0][row] for row in rows]
