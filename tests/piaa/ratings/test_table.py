from __future__ import annotations

import csv
import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generic.errors import RatingsError, ShapeError
from piaa.ratings.scale import Scale
from piaa.ratings.table import BadRowsError, Ratings, RowProblem, read_ratings

SCALE = Scale(1, 5)
TO_DO_FILL_IN = "fill in every field or delete the row"
TO_DO_NUMBER = "write every score as a plain number such as 3.5"
TO_DO_TEXT = "write every user and image as plain text"
TO_DO_SCALE = "correct the score or pass its real scale as --scale LOW HIGH"
TO_DO_REPEAT = "delete one of the two rows, or pass --duplicates last or --duplicates mean"
TO_DO_JSON = 'write one object per line, such as {"user": "ana", "image": "a.jpg", "score": 4}'
TO_DO_COMMA = "write 3 fields on every line, with double quotes around a name that holds a ','"
TO_DO_QUOTES = "put double quotes around whole fields, and write a double quote inside one twice"
REPEATED = "image 'a' was already rated by user 'ana' on"
HALF = "holds a NUL or half a character"
IMAGE_NAMES = "image, imagePair, imageName, file, filename, photo, path"
SCORE_NAMES = "score, rating, aestheticScore, stars"
USER_NAMES = "user, worker, userId, user_id, rater"

TABLE = Ratings.from_rows([("ana", "a.jpg", 4), ("ana", "b.jpg", 1), ("bo", "a.jpg", 2.5)], scale=SCALE)

# Surrogates and NUL cannot be in a UTF-8 file of text.
names = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
    .map(str.strip)
    .filter(bool)
)
pairs = st.lists(st.tuples(names, names), min_size=1, max_size=8, unique=True)
tables = pairs.flatmap(
    lambda chosen: st.tuples(*(st.tuples(*map(st.just, pair), st.floats(1, 5)) for pair in chosen))
)


def write(folder, content, name="r.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def failure(path, **options):
    """The message of the error that reading raises, with the folder taken out."""
    with pytest.raises(RatingsError) as caught:
        read_ratings(path, **{"scale": SCALE, **options})
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{path.parent}/", "")


def rows_of(ratings):
    return list(zip(ratings.users, ratings.images, ratings.scores.tolist(), strict=True))


# --- reading what is good ---


@given(tables, st.sampled_from([",", ";", "\t"]))
def test_csv_round_trip(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.mktemp("csv") / "r.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["user", "image", "score"])
        writer.writerows(rows)
    assert read_ratings(path, scale=SCALE) == Ratings.from_rows(rows, scale=SCALE)


@given(tables)
def test_json_lines_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("jsonl") / "r.jsonl"
    objects = [dict(zip(("user", "image", "score"), row, strict=True)) for row in rows]
    path.write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")
    assert read_ratings(path, scale=SCALE) == Ratings.from_rows(rows, scale=SCALE)


@settings(max_examples=25)  # A data frame takes milliseconds.
@given(tables)
def test_frame_round_trip(rows):
    ratings = Ratings.from_rows(rows, scale=SCALE)
    assert Ratings.from_frame(ratings.to_frame(), scale=SCALE) == ratings


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", "user,image,score\nana,a.jpg,4\nana,b.jpg,1\nbo,a.jpg,2.5\n"),
        ("flickr.csv", "worker, imagePair, score\nana, a.jpg, 4\nana ,b.jpg,1\nbo,a.jpg , 2.5"),
        ("bom.csv", b"\xef\xbb\xbfuser,image,score\r\nana,a.jpg,4\r\nana,b.jpg,1\r\nbo,a.jpg,2.5\r\n"),
        ("mac.csv", "user,image,score\rana,a.jpg,4\rana,b.jpg,1\rbo,a.jpg,2.5\r"),
        ("upper.CSV", "USER,IMAGENAME,AestheticScore\nana,a.jpg,4\nana,b.jpg,1\nbo,a.jpg,2.5\n"),
        ("order.csv", "stars,photo,rater\n4,a.jpg,ana\n1,b.jpg,ana\n2.5,a.jpg,bo\n"),
        ("more.csv", 'n,user_id,file,rating,note\n1,ana,a.jpg,4,\n2,ana,b.jpg,1,"x, y"\n3,bo,a.jpg,2.5,\n'),
        ("blank.csv", "\n\nuser,image,score\n\nana,a.jpg,4\n  \nana,b.jpg,1\nbo,a.jpg,2.5\n\n\n"),
        ("quoted.csv", '"user","image","score"\n"ana", "a.jpg","4"\n"ana","b.jpg",1\n"bo","a.jpg",2.5'),
        ("semicolon.csv", "user;image;score\nana;a.jpg;4\nana;b.jpg;1\nbo;a.jpg;2.5\n"),
        ("tab.csv", "user\timage\tscore\nana\ta.jpg\t4\nana\tb.jpg\t1\nbo\ta.jpg\t2.5\n"),
        ("tab.tsv", "user\timage\tscore\nana\ta.jpg\t4\nana\tb.jpg\t1\nbo\ta.jpg\t2.5\n"),
        ("space.txt", "\n user  image score \nana a.jpg 4\n\n ana  b.jpg   1\nbo a.jpg 2.5\n"),
        ("tab.txt", "user\timage\tscore\nana\ta.jpg\t4\nana\tb.jpg\t1\nbo\ta.jpg\t2.5\n"),
        ("comma.txt", "user,image,score\nana,a.jpg,4\nana,b.jpg,1\nbo,a.jpg,2.5\n"),
        (
            "objects.jsonl",
            '{"user": "ana", "image": "a.jpg", "score": 4, "note": [1]}\n\n'
            '{"score": " 1 ", "image": " b.jpg ", "user": "ana"}\r\n'
            '{"user": "bo", "image": "a.jpg", "score": 2.5}',
        ),
        (
            "bom.ndjson",
            b'\xef\xbb\xbf{"rater":"ana","path":"a.jpg","Stars":4}\n{"rater":"ana","path":"b.jpg","Stars":1}\n'
            b'{"rater":"bo","path":"a.jpg","Stars":2.5}\n',
        ),
    ],
)
def test_the_same_table_in_many_clothes(tmp_path, name, content):
    assert read_ratings(write(tmp_path, content, name), scale=SCALE) == TABLE


def test_names_may_hold_delimiters_quotes_line_breaks_and_backslashes(tmp_path):
    path = write(tmp_path, 'user,image,score\nana,"a, ""b""\nc.jpg",4\nana,d\\e;f.jpg,1\n')
    assert read_ratings(path, scale=SCALE).images == ('a, "b"\nc.jpg', "d\\e;f.jpg")


def test_a_space_separated_name_may_hold_commas(tmp_path):
    path = write(tmp_path, "user image score\nana a,b.jpg 4\n", "r.txt")
    assert read_ratings(path, scale=SCALE).images == ("a,b.jpg",)


def test_json_line_separators_of_unicode_do_not_end_a_line(tmp_path):
    path = write(tmp_path, '{"user": "a\u2028b", "image": "a.jpg", "score": 4}', "r.jsonl")
    assert read_ratings(path, scale=SCALE).users == ("a\u2028b",)


def test_numbers_as_names_are_read_as_text(tmp_path):
    path = write(tmp_path, '{"user": 12, "image": 7, "score": 4}', "r.jsonl")
    assert rows_of(read_ratings(path, scale=SCALE)) == [("12", "7", 4)]


def test_without_a_user_column_all_rows_belong_to_the_named_user(tmp_path):
    for name, content in [
        ("r.csv", "image,score\na.jpg,4\n"),
        ("r.txt", "image score\na.jpg 4\n"),
        ("r.jsonl", '{"image": "a.jpg", "score": 4}\n'),
    ]:
        path = write(tmp_path, content, name)
        assert rows_of(read_ratings(path, scale=SCALE, user=" ana ")) == [("ana", "a.jpg", 4)]


def test_with_a_user_column_the_named_user_filters_nothing(tmp_path):
    path = write(tmp_path, "user,image,score\nana,a.jpg,4\nbo,a.jpg,2\n")
    assert read_ratings(path, scale=SCALE, user="ana").user_names() == ["ana", "bo"]


def test_repeated_pairs_by_policy(tmp_path):
    path = write(tmp_path, "user,image,score\nana,a,1\nana,b,2\nbo,a,3\nana,a,4\nana,a ,2\n")
    last = read_ratings(path, scale=SCALE, duplicates="last")
    assert rows_of(last) == [("ana", "a", 2), ("ana", "b", 2), ("bo", "a", 3)]
    mean = read_ratings(path, scale=SCALE, duplicates="mean")
    assert rows_of(mean) == [("ana", "a", 7 / 3), ("ana", "b", 2), ("bo", "a", 3)]


@given(st.lists(st.floats(0.7, 0.7000000000000001), min_size=2, max_size=6))
def test_a_mean_never_leaves_a_scale_by_rounding(scores):
    rows = [("ana", "a.jpg", score) for score in scores]
    mean = Ratings.from_rows(rows, scale=Scale(0.7, 0.8), duplicates="mean").scores[0]
    assert min(scores) <= mean <= max(scores)


# --- files that are no table ---


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.csv", "", "r.csv is empty, expected ratings; give it the columns user, image, score"),
        ("r.jsonl", "\n \n", "r.jsonl is empty, expected ratings; give it the columns user, image, score"),
        ("r.csv", "user,image,score\n\n", "r.csv has a header but no ratings; add one row per rating"),
        (
            "r.csv",
            '""',
            "r.csv has no image column and no score column; its columns are none; "
            f"name the image column one of {IMAGE_NAMES} and the score column one of {SCORE_NAMES}",
        ),
        (
            "r.csv",
            "user,picture,score\nana,a.jpg,4\n",
            "r.csv has no image column; its columns are 'user', 'picture', 'score'; "
            f"name the image column one of {IMAGE_NAMES}",
        ),
        (
            "r.csv",
            "ana,a.jpg,4\nana,b.jpg,1\n",
            "r.csv has no image column and no score column; its columns are 'ana', 'a.jpg', '4'; "
            f"name the image column one of {IMAGE_NAMES} and the score column one of {SCORE_NAMES}",
        ),
        (
            "r.csv",
            "a,b,c,d,e,f,g,h,i,j,k,score\n",
            "r.csv has no image column; its columns are 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j' "
            f"and 2 more; name the image column one of {IMAGE_NAMES}",
        ),
        (
            "r.jsonl",
            '{"image": "a.jpg"}\n',
            "r.jsonl has no score column; its columns are 'image'; "
            f"name the score column one of {SCORE_NAMES}",
        ),
        (
            "r.csv",
            "image,score\na.jpg,4\n",
            "r.csv has no user column and no user is named; its columns are 'image', 'score'; "
            f"add a column named one of {USER_NAMES}",
        ),
        (
            "r.csv",
            "user,image,File,score\nana,a.jpg,b.jpg,4\n",
            "r.csv: the columns 'image' and 'File' both mean the image; rename or delete one of them",
        ),
        (
            "r.csv",
            "user,image,score,score\nana,a.jpg,4,4\n",
            "r.csv: the columns 'score' and 'score' both mean the score; rename or delete one of them",
        ),
        (
            "r.jsonl",
            '{"user": "a", "image": "a.jpg", "score": 4}\n{"worker": "b", "image": "a.jpg", "score": 4}\n',
            "r.jsonl: the columns 'user' and 'worker' both mean the user; rename or delete one of them",
        ),
        (
            "r.csv",
            '"user,image,score\nana,a.jpg,4\n',
            f"r.csv line 1: a double quote is never closed; {TO_DO_QUOTES}",
        ),
        (
            "r.csv",
            b"\xef\xbb\xbfuser,image,score\nana,a.jpg,4\nana,caf\xe9.jpg,4\n",
            "r.csv line 3: byte 0xe9 at offset 39 is not UTF-8; save the file as UTF-8",
        ),
        (
            "r.csv",
            "user,image,score\nana,a.jpg,4\n".encode("utf-16")[:-1],
            "r.csv is UTF-16 text that is damaged or cut off; save it as UTF-8",
        ),
        (
            "r.csv",
            "user,image,score\nana,ü,4\nana,".encode() + b"\xfc,4\n",
            "r.csv line 3: byte 0xfc at offset 30 is not UTF-8; save the file as UTF-8",
        ),
        (
            "r.csv",
            b"user,image,score\rana,a\0.jpg,4\r",
            "r.csv line 2: NUL byte at offset 22, expected text; save the file as UTF-8 text",
        ),
        (
            "r.xls",
            b"PK",
            "r.xls has the suffix '.xls', expected one of .csv, .tsv, .txt, .json, .jsonl, .ndjson, "
            ".parquet, .xlsx; save the ratings in one of these formats",
        ),
    ],
)
def test_files_that_are_no_table(tmp_path, name, content, message):
    assert failure(write(tmp_path, content, name)) == message


def test_a_file_that_is_missing(tmp_path):
    assert failure(tmp_path / "r.csv") == "r.csv does not exist; check the path of the ratings"


def test_a_folder_for_a_file(tmp_path):
    (tmp_path / "r.csv").mkdir()
    assert failure(tmp_path / "r.csv") == (
        "r.csv is a folder, expected a file of ratings; name the file itself"
    )


def test_a_file_that_cannot_be_read(tmp_path):
    path = tmp_path / ("r" * 300 + ".csv")
    assert failure(path) == (
        f"{path.name} cannot be read: File name too long; check the path and its permissions"
    )


def test_an_empty_user(tmp_path):
    path = write(tmp_path, "image,score\na.jpg,4\n")
    assert failure(path, user=" ") == "the user's name is empty, expected a name; pass --user NAME"


# --- bad rows ---


@pytest.mark.parametrize(
    ("row", "problem", "cure"),
    [
        ("ana,a,abc", "score 'abc' is not a number", TO_DO_NUMBER),
        ('ana,a,"3,5,"', "score '3,5,' is not a number", TO_DO_NUMBER),
        ("ana,a,1_0", "score '1_0' is not a number", TO_DO_NUMBER),
        ("ana,a,nan", "score 'nan' is not a finite number", TO_DO_NUMBER),
        ("ana,a,-inf", "score '-inf' is not a finite number", TO_DO_NUMBER),
        ("ana,a,1e999", "score '1e999' is not a finite number", TO_DO_NUMBER),
        (" ,a,4", "user is empty", TO_DO_FILL_IN),
        ("ana,,4", "image is empty", TO_DO_FILL_IN),
        (",,4", "user is empty and image is empty", TO_DO_FILL_IN),
        ("ana,a,5.5", "score '5.5' is outside the scale 1..5", TO_DO_SCALE),
        ("ana,b, c.jpg,4", "'ana,b,c.jpg,4' has 4 fields instead of 3", TO_DO_COMMA),
        ("ana", "'ana' has 1 field instead of 3", TO_DO_COMMA),
        ('ana,"a,4', "a double quote is never closed", TO_DO_QUOTES),
        ('ana,"a"b,4', "text follows a closing double quote", TO_DO_QUOTES),
    ],
)
def test_one_bad_row_of_csv(tmp_path, row, problem, cure):
    path = write(tmp_path, f"user,image,score\n{row}\n")
    assert failure(path) == f"r.csv: 1 of 1 row is bad: line 2, {problem}. To do: {cure}"


def test_a_bad_row_names_the_column_as_the_file_does(tmp_path):
    path = write(tmp_path, "worker; imagePair; Stars\n;a;3,x\n")
    assert failure(path) == (
        "r.csv: 1 of 1 row is bad: line 2, worker is empty and Stars '3,x' is not a number. "
        f"To do: {TO_DO_FILL_IN}; {TO_DO_NUMBER}"
    )


def test_a_space_in_a_space_separated_name(tmp_path):
    path = write(tmp_path, "user image score\nana my photo.jpg 4\n", "r.txt")
    assert failure(path) == (
        "r.txt: 1 of 1 row is bad: line 2, 'ana my photo.jpg 4' has 4 fields instead of 3. "
        "To do: write 3 fields on every line, or use a .csv file if a name holds a space"
    )


@pytest.mark.parametrize(
    ("line", "problem", "cure"),
    [
        ('{"image": "a", "score": 4', """'{"image": "a", "score": 4' is not valid JSON""", TO_DO_JSON),
        ('["ana", "a", 4]', """'["ana", "a", 4]' is not a JSON object""", TO_DO_JSON),
        ("[" * 100_000, f"'{'[' * 59}…' is not valid JSON", TO_DO_JSON),
        ('{"score": 1, "score": 4}', """'{"score": 1, "score": 4}' names a key twice""", TO_DO_JSON),
        (
            '{"user": "ana", "image": "a", "score": true}',
            "score 'True' is true or false, not a number",
            TO_DO_NUMBER,
        ),
        ('{"user": "ana", "image": "a", "score": NaN}', "score 'nan' is not a finite number", TO_DO_NUMBER),
        ('{"user": "ana", "image": "a", "score": [4]}', "score '[4]' is not a number", TO_DO_NUMBER),
        ('{"user": "ana", "image": 1.5, "score": 4}', "image '1.5' is not text", TO_DO_TEXT),
        ('{"user": true, "image": "a", "score": 4}', "user 'True' is not text", TO_DO_TEXT),
        ('{"user": "\\ud800", "image": "a", "score": 4}', f"user '\\ud800' {HALF}", TO_DO_TEXT),
        ('{"user": "a\\u0000", "image": "a", "score": 4}', f"user 'a\\x00' {HALF}", TO_DO_TEXT),
    ],
)
def test_one_bad_line_of_json(tmp_path, line, problem, cure):
    path = write(tmp_path, line, "r.jsonl")
    assert failure(path) == f"r.jsonl: 1 of 1 row is bad: line 1, {problem}. To do: {cure}"


def test_a_huge_json_number_is_reported_as_json(tmp_path):
    path = write(tmp_path, '{"user": "ana", "image": "a", "score": ' + "1" * 5000 + "}", "r.jsonl")
    assert failure(path) == (
        "r.jsonl: 1 of 1 row is bad: "
        """line 1, '{"user": "ana", "image": "a", "score": 11111111111111111111…' """
        f"is not valid JSON. To do: {TO_DO_JSON}"
    )


def test_a_key_that_one_line_lacks(tmp_path):
    path = write(tmp_path, '{"user":"ana","image":"a","score":4}\n{"user":"ana","score":4}\n', "r.jsonl")
    assert failure(path) == f"r.jsonl: 1 of 2 rows is bad: line 2, image is empty. To do: {TO_DO_FILL_IN}"


def test_all_bad_rows_at_once_five_of_them_in_the_message(tmp_path):
    path = write(
        tmp_path,
        "user,image,score\n"
        "ana,a,4\n"
        'ana,"two\nlines",x\n'
        "ana,b,9\n"
        "\n"
        "ana,a,2\n"
        "ana,c,d,2\n"
        ",e,\n"
        "ana,f,3\n"
        "ana,g,-2\n"
        ",h,1\n",
    )
    with pytest.raises(BadRowsError) as caught:
        read_ratings(path, scale=SCALE)
    assert str(caught.value) == (
        f"{path}: 7 of 9 rows are bad: line 3, score 'x' is not a number; "
        "line 5, score '9' is outside the scale 1..5; "
        "line 7, image 'a' was already rated by user 'ana' on line 2; "
        "line 8, 'ana,c,d,2' has 4 fields instead of 3; "
        "line 9, user is empty; and 2 more. "
        f"To do: {TO_DO_NUMBER}; {TO_DO_SCALE}; {TO_DO_REPEAT}; {TO_DO_COMMA}; {TO_DO_FILL_IN}"
    )
    problems = caught.value.problems
    assert [(problem.line, problem.column, problem.value) for problem in problems] == [
        (3, "score", "x"),
        (5, "score", "9"),
        (7, "image", "a"),
        (8, "", "ana,c,d,2"),
        (9, "user", ""),
        (11, "score", "-2"),
        (12, "user", ""),
    ]
    assert json.loads(json.dumps(dataclasses.asdict(problems[0]))) == {
        "line": 3,
        "column": "score",
        "value": "x",
        "reason": "is not a number",
        "cure": TO_DO_NUMBER,
    }
    assert pickle.loads(pickle.dumps(caught.value)).problems == problems


def test_reading_goes_on_after_a_broken_quote(tmp_path):
    path = write(tmp_path, 'user,image,score\nana,"a"b,4\nana,c,9\nana,"d,4\nana,e,4\n')
    with pytest.raises(BadRowsError) as caught:
        read_ratings(path, scale=SCALE)
    assert [(problem.line, problem.reason) for problem in caught.value.problems] == [
        (2, "text follows a closing double quote"),
        (3, "is outside the scale 1..5"),
        (4, "a double quote is never closed"),
    ]


def test_a_bad_score_does_not_hide_a_repeated_pair(tmp_path):
    path = write(tmp_path, "user,image,score\nana,a,x\nana,a,4\n")
    assert failure(path) == (
        "r.csv: 2 of 2 rows are bad: line 2, score 'x' is not a number; "
        f"line 3, image 'a' was already rated by user 'ana' on line 2. To do: {TO_DO_NUMBER}; {TO_DO_REPEAT}"
    )
    assert failure(path, duplicates="last") == (
        f"r.csv: 1 of 2 rows is bad: line 2, score 'x' is not a number. To do: {TO_DO_NUMBER}"
    )


def test_empty_names_are_not_repeated_pairs(tmp_path):
    path = write(tmp_path, "user,image,score\n,a,4\n,a,4\n")
    assert failure(path) == (
        f"r.csv: 2 of 2 rows are bad: line 2, user is empty; line 3, user is empty. To do: {TO_DO_FILL_IN}"
    )


# --- Parquet ---


@pytest.fixture
def parquet():
    try:
        import pyarrow.parquet
    except ImportError as error:
        pytest.skip(reason=f"pyarrow cannot be imported: {error}")
    return pyarrow


def test_parquet(tmp_path, parquet):
    columns = {
        "extra": [[1], [2], None],
        " Worker ": parquet.array(["ana", "ana", "bo"]).dictionary_encode(),
        "image": ["a.jpg", " b.jpg", "a.jpg"],
        "Score": [4.0, 1.0, 2.5],
    }
    parquet.parquet.write_table(parquet.table(columns), tmp_path / "r.parquet")
    assert read_ratings(tmp_path / "r.parquet", scale=SCALE) == TABLE


def test_parquet_without_users(tmp_path, parquet):
    parquet.parquet.write_table(parquet.table({"image": ["a"], "score": [4]}), tmp_path / "r.parquet")
    assert rows_of(read_ratings(tmp_path / "r.parquet", scale=SCALE, user="ana")) == [("ana", "a", 4)]


def test_parquet_rows_are_counted_from_one(tmp_path, parquet):
    columns = {"user": ["ana", None, "bo"], "image": ["a", "a", "b"], "score": [4.0, float("nan"), None]}
    parquet.parquet.write_table(parquet.table(columns), tmp_path / "r.parquet")
    assert failure(tmp_path / "r.parquet") == (
        "r.parquet: 1 of 3 rows is bad: row 2, user is empty and score 'nan' is not a finite number. "
        f"To do: {TO_DO_FILL_IN}; {TO_DO_NUMBER}"
    )


def test_parquet_without_rows(tmp_path, parquet):
    table = parquet.table({"user": [], "image": [], "score": []})
    parquet.parquet.write_table(table, tmp_path / "r.parquet")
    assert failure(tmp_path / "r.parquet") == "r.parquet has columns but no ratings; add one row per rating"


def test_parquet_that_is_none(tmp_path, parquet):
    message = failure(write(tmp_path, "user,image,score\nana,a.jpg,4\n", "r.parquet"))
    # Between the parentheses stand the words of pyarrow.
    assert message.startswith("r.parquet is not a readable Parquet file (Parquet magic bytes not found")
    assert message.endswith("); write it again")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert failure(write(tmp_path, b"PAR1", "r.parquet")) == (
        "r.parquet needs pyarrow, which is not installed; install it: pip install 'piaa[parquet]'  "
        "(in a clone: uv run --extra parquet piaa ...), or save the ratings as .csv"
    )


def test_parquet_with_a_pyarrow_that_does_not_import(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setattr("piaa.ratings.files.parquet.installed", lambda _: True)
    assert failure(write(tmp_path, b"PAR1", "r.parquet")) == (
        "r.parquet needs pyarrow, which cannot be imported (import of pyarrow halted; None in sys.modules); "
        "repair the installation, or save the ratings as .csv"
    )


# --- the table ---


def test_columns_of_the_table():
    assert (TABLE.n, len(TABLE), TABLE.scale) == (3, 3, SCALE)
    assert TABLE.user_names() == ["ana", "bo"]
    assert TABLE.unit_scores.tolist() == [0.75, 0, 0.375]
    assert TABLE.scores.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        TABLE.scores[0] = 1


def test_the_scores_are_a_copy():
    scores = np.array([4.0])
    ratings = Ratings(users=("ana",), images=("a",), scores=scores, scale=SCALE)
    scores[0] = 1
    assert ratings.scores.tolist() == [4]


def test_equality_is_about_the_rows_and_the_scale_not_the_source():
    rows = rows_of(TABLE)
    assert Ratings.from_rows(rows, scale=SCALE, source="elsewhere") == TABLE
    assert Ratings.from_rows(rows, scale=Scale(1, 6)) != TABLE
    assert Ratings.from_rows(rows[::-1], scale=SCALE) != TABLE
    assert Ratings.from_rows([("ana", "a.jpg", 3), *rows[1:]], scale=SCALE) != TABLE
    assert rows != TABLE


def test_one_user():
    assert rows_of(TABLE.for_user("ana")) == [("ana", "a.jpg", 4), ("ana", "b.jpg", 1)]
    assert TABLE.for_user("bo").scale == SCALE


def test_some_rows():
    assert rows_of(TABLE.take([2, 0])) == [("bo", "a.jpg", 2.5), ("ana", "a.jpg", 4)]
    assert TABLE.take(np.array([True, False, True])) == TABLE.take([0, 2])
    assert len(TABLE.take([])) == 0
    with pytest.raises(IndexError):
        TABLE.take([3])


def test_an_empty_table_is_a_table():
    empty = Ratings.from_rows([], scale=SCALE)
    assert (empty.n, empty.user_names(), empty.unit_scores.shape) == (0, [], (0,))


def unknown(ratings, user):
    with pytest.raises(RatingsError) as caught:
        ratings.for_user(user)
    return str(caught.value)


def test_a_user_who_is_not_in_the_table(tmp_path):
    path = write(tmp_path, "user,image,score\nana,a,4\n")
    one = read_ratings(path, scale=SCALE)
    assert unknown(one, "anna") == f"{path} has no ratings by 'anna' among its 1 user; did you mean 'ana'?"
    few = Ratings.from_rows([("ana", "a", 4), ("bo", "a", 4), ("cy", "a", 4)], scale=SCALE)
    assert unknown(few, "zzz") == (
        "the ratings has no ratings by 'zzz' among its 3 users; did you mean 'ana' or 'bo' or 'cy'?"
    )
    many = Ratings.from_rows([(f"u{i:03}", "a", 4) for i in range(50)], scale=SCALE, source="many.csv")
    assert unknown(many, "ana") == (
        "many.csv has no ratings by 'ana' among its 50 users; check the name's spelling and case"
    )
    empty = Ratings.from_rows([], scale=SCALE, source="empty.csv")
    assert unknown(empty, "ana") == (
        "empty.csv has no ratings by 'ana' among its 0 users; check the name's spelling and case"
    )


def test_bad_rows_given_in_python():
    with pytest.raises(BadRowsError) as caught:
        Ratings.from_rows([("ana", "a", 4), ("ana", "a", float("nan")), ("", "b", "4")], scale=SCALE)
    assert str(caught.value) == (
        "the ratings: 2 of 3 rows are bad: row 2, score 'nan' is not a finite number "
        "and image 'a' was already rated by user 'ana' on row 1; row 3, user is empty. "
        f"To do: {TO_DO_NUMBER}; {TO_DO_REPEAT}; {TO_DO_FILL_IN}"
    )
    assert caught.value.problems[-1] == RowProblem(
        line=3, column="user", value="", reason="is empty", cure=TO_DO_FILL_IN
    )


@pytest.mark.parametrize(
    ("users", "images", "scores", "problem", "cure"),
    [
        (("ana", "ana"), ("a", "b"), (4, 7), "row 2, score '7.0' is outside the scale 1..5", TO_DO_SCALE),
        (("ana", " "), ("a", "b"), (4, 4), "row 2, user is empty", TO_DO_FILL_IN),
        (("ana", "bo"), ("a", ""), (4, 4), "row 2, image is empty", TO_DO_FILL_IN),
        (("ana", "ana"), ("a", "a"), (4, 4), f"row 2, {REPEATED} row 1", TO_DO_REPEAT),
    ],
)
def test_the_constructor_lets_nothing_bad_in(users, images, scores, problem, cure):
    with pytest.raises(BadRowsError) as caught:
        Ratings(users=users, images=images, scores=scores, scale=SCALE)
    assert str(caught.value) == f"the ratings: 1 of 2 rows is bad: {problem}. To do: {cure}"


@pytest.mark.parametrize(
    ("images", "scores", "shape"),
    [(("a", "b"), [4], "(1,)"), (("a",), [4, 4], "(2,)"), (("a",), [[4]], "(1, 1)")],
)
def test_columns_of_different_lengths(images, scores, shape):
    with pytest.raises(ShapeError) as caught:
        Ratings(users=("ana",), images=images, scores=scores, scale=SCALE)
    assert str(caught.value) == (
        f"the ratings: 1 users, {len(images)} images and scores of shape {shape}, "
        "expected as many of each; give one of each per row"
    )


def test_a_frame_with_other_names_and_without_users():
    import pandas as pd

    frame = pd.DataFrame({"Photo": ["a", "b"], "stars": [4, 1], "when": [None, None]}, index=[7, 7])
    assert rows_of(Ratings.from_frame(frame, scale=SCALE, user="ana")) == [("ana", "a", 4), ("ana", "b", 1)]
    with pytest.raises(RatingsError) as caught:
        Ratings.from_frame(frame, scale=SCALE)
    assert str(caught.value) == (
        "the data frame has no user column and no user is named; its columns are 'Photo', 'stars', 'when'; "
        f"add a column named one of {USER_NAMES}"
    )


def test_a_frame_with_gaps():
    import pandas as pd

    frame = pd.DataFrame({"user": ["ana", None], "image": ["a", "b"], "score": [float("nan"), 4]})
    with pytest.raises(BadRowsError) as caught:
        Ratings.from_frame(frame, scale=SCALE)
    assert str(caught.value) == (
        f"the data frame: 1 of 2 rows is bad: row 2, user is empty. To do: {TO_DO_FILL_IN}"
    )


# --- real files ---


def test_the_beauty_ratings(shared_data):
    ratings = read_ratings(shared_data / "oasis_beauty" / "ratings.csv", scale=Scale(1, 7))
    assert (ratings.n, len(ratings.user_names())) == (122_251, 653)
    assert {ratings.for_user(user).n for user in ratings.user_names()} == {187, 188}
    assert (ratings.unit_scores.min(), ratings.unit_scores.max()) == (0, 1)


def test_the_test_workers_of_flickr_aes(shared_data):
    folder = shared_data / "labels" / "flickr_aes"
    path = folder / "FLICKR-AES_image_labeled_by_each_worker.test37.csv"
    assert failure(path) == (
        f"{path.name}: 1 of 5139 rows is bad: line 897, imagePair 'farm1_282_20196584515_a2b1490ee1_b.jpg' "
        f"was already rated by user 'A192LAQKHD9LW' on line 839. To do: {TO_DO_REPEAT}"
    )
    workers = (folder / "test_workers_ID.csv").read_text().split()[1:]
    for policy in ("last", "mean"):
        ratings = read_ratings(path, scale=SCALE, duplicates=policy)
        assert ratings.n == 5138
        assert sorted(ratings.user_names()) == sorted(workers)
        assert len(set(ratings.images)) == 4977
