"""One table of ratings in the dialects of common programs: always the same ratings."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generic.errors import RatingsError
from piaa.ratings import rows
from piaa.ratings.comparisons import read_pairs
from piaa.ratings.files import problems
from piaa.ratings.scale import Scale
from piaa.ratings.table import BadRowsError, Ratings, read_ratings

SCALE = Scale(1, 5)
LETTERS = "abcÄöüéñß_ -.()'&ÀÆ0189"


@dataclass(frozen=True)
class Dialect:
    """How a program writes a table."""

    delimiter: str
    comma: bool
    """Whether it writes 3,5."""
    encoding: str
    end: str
    hint: bool
    """Whether sep= stands above."""
    quotes: int
    trailing: bool
    """Whether a delimiter ends every line."""
    empty: int
    """Rows of nothing but delimiters below."""
    header: tuple[str, str]


dialects = st.builds(
    Dialect,
    delimiter=st.sampled_from([",", ";", "\t"]),
    comma=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    hint=st.booleans(),
    quotes=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    trailing=st.booleans(),
    empty=st.integers(0, 3),
    header=st.sampled_from(
        [("SourceFile", "Rating"), ("File Name", "stars"), ("file_name", "rating"), ("image", "score")]
    ),
)
names = st.text(LETTERS, min_size=1, max_size=10).map(str.strip).filter(bool).map(lambda name: f"{name}.jpg")
scores = st.integers(4, 20).map(lambda quarters: quarters / 4)
ratings = st.dictionaries(names, scores, min_size=1, max_size=8)


def write(path, table, dialect):
    text = io.StringIO()
    if dialect.hint:
        text.write(f"sep={dialect.delimiter}{dialect.end}")
    writer = csv.writer(text, delimiter=dialect.delimiter, lineterminator=dialect.end, quoting=dialect.quotes)
    more = [""] * dialect.trailing
    writer.writerow([*dialect.header, *more])
    for name, score in table.items():
        written = f"{score:g}".replace(".", ",") if dialect.comma else score
        writer.writerow([name, written, *more])
    for _ in range(dialect.empty):
        text.write(dialect.delimiter * 3 + dialect.end)
    path.write_bytes(text.getvalue().encode(dialect.encoding))


@given(ratings, dialects)
def test_whatever_a_program_writes_is_read_the_same(tmp_path_factory, table, dialect):
    path = tmp_path_factory.mktemp("dialects") / "r.csv"
    write(path, table, dialect)
    read = read_ratings(path, scale=SCALE, user="ana")
    assert read == Ratings.from_rows([("ana", name, score) for name, score in table.items()], scale=SCALE)
    wide, ascii_only = dialect.encoding.startswith("utf-16"), path.read_bytes().isascii()
    assert len(read.notes) == (wide or (dialect.encoding == "cp1252" and not ascii_only))


@given(ratings)
def test_what_exiftool_prints(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("exiftool")
    objects = [{"SourceFile": f"./{name}", "Rating": score} for name, score in table.items()]
    (folder / "r.json").write_text(json.dumps(objects, indent=2), encoding="utf-8")
    read = read_ratings(folder / "r.json", scale=SCALE, user="ana")
    assert dict(zip(read.images, read.scores.tolist(), strict=True)) == {
        f"./{name}": score for name, score in table.items()
    }


@given(st.lists(st.tuples(names, names), min_size=1, max_size=6), dialects)
def test_comparisons_in_every_dialect(tmp_path_factory, pairs, dialect):
    wanted = [(better, worse) for better, worse in pairs if better != worse]
    path = tmp_path_factory.mktemp("pairs") / "p.csv"
    text = io.StringIO()
    if dialect.hint:
        text.write(f"sep={dialect.delimiter}{dialect.end}")
    writer = csv.writer(text, delimiter=dialect.delimiter, lineterminator=dialect.end, quoting=dialect.quotes)
    more = [""] * dialect.trailing
    writer.writerows([[*row, *more] for row in (("better", "worse"), *wanted)])
    text.write((dialect.delimiter * 3 + dialect.end) * dialect.empty)
    path.write_bytes(text.getvalue().encode(dialect.encoding))
    if wanted:
        assert read_pairs(path).pairs == wanted
    else:
        with pytest.raises(RatingsError):
            read_pairs(path)


def test_photos_without_a_rating_are_counted_and_not_learned(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("image,rating\na,0\nb,\nc,-1\nd,★★★☆☆\ne,4/5\nf, \na,5\n,\n", encoding="utf-8")
    read = read_ratings(path, scale=SCALE, user="ana")
    assert dict(zip(read.images, read.scores.tolist(), strict=True)) == {"d": 3, "e": 4, "a": 5}
    assert read.notes == (f"{path}: left out 4 of 7 rows: 3 unrated (blank or 0), 1 rejected (-1)",)
    assert read_ratings(path, scale=Scale(0, 5), user="ana", duplicates="last").scores.tolist() == [5, 3, 4]


def test_where_every_row_must_have_a_score_all_are_reported(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("image,rating\na,0\nb,\nc,-1\n")
    with pytest.raises(BadRowsError) as caught:
        read_ratings(path, scale=SCALE, user="ana", strict=True)
    assert [problem.reason for problem in caught.value.problems] == [
        "is outside the scale 1..5",
        "is empty",
        "is outside the scale 1..5",
    ]


@pytest.mark.parametrize(("duplicates", "score"), [("last", 6), ("mean", 3)])
def test_names_of_one_file_are_one_image(tmp_path, duplicates, score):
    path = tmp_path / "r.csv"
    path.write_text("image,score\na,1\n./a,2\nb,2\na,6\n")
    files = {"a": 1, "./a": 1, "b": 2}
    read = read_ratings(
        path,
        scale=Scale(0, 9),
        user="ana",
        duplicates=duplicates,
        same=lambda names: {n: files[n] for n in names},
    )
    assert dict(zip(read.images, read.scores.tolist(), strict=True)) == {"a": score, "b": 2}


def test_an_image_has_one_name_for_everybody(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("user,image,score\nana,A,1\nben,a,2\nben,b,2\n")
    files = {"A": 1, "a": 1}
    read = read_ratings(path, scale=SCALE, same=lambda names: {n: files[n] for n in names if n in files})
    assert (read.users, read.images) == (("ana", "ben", "ben"), ("A", "A", "b"))


def test_one_score_under_two_names_is_no_contradiction(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("image,score\na,1\n./a,1\n")
    read = read_ratings(path, scale=SCALE, user="ana", same=lambda names: dict.fromkeys(names, 1))
    assert (read.images, read.scores.tolist()) == (("a",), [1])


def test_of_a_table_of_bad_rows_not_all_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MOST_PROBLEMS", 7)
    monkeypatch.setattr(problems, "MOST_PROBLEMS", 7)
    path = tmp_path / "r.csv"
    for name, score in (("{}", 9), ("a", 4)):
        lines = [f"{name.format(number)},{score}" for number in range(50)]
        path.write_text("\n".join(["image,score", *lines]))
        with pytest.raises(BadRowsError) as caught:
            read_ratings(path, scale=SCALE, user="ana")
        assert str(caught.value).startswith(f"{path}: at least 7 of 50 rows are bad: line ")
        assert len(caught.value.problems) == 7
