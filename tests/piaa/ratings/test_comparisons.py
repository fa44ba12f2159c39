"""Tables of comparisons, as people write them."""

from __future__ import annotations

import pytest

from generic.errors import RatingsError
from piaa.ratings.comparisons import read_pairs
from piaa.ratings.files.problems import BadRowsError


@pytest.fixture
def read(tmp_path):
    def run(content, name="pairs.csv", errors="strict"):
        path = tmp_path / name
        path.write_bytes(content.encode(errors=errors))
        return read_pairs(path).pairs

    return run


def test_columns_in_any_order_with_others_beside_them(read):
    table = 'When,worse,BETTER\nmonday,b.jpg,"a, b.jpg"\n\ntuesday, d.jpg , c.jpg\n'
    assert read(table) == [("a, b.jpg", "b.jpg"), ("c.jpg", "d.jpg")]
    assert read("\ufeffbetter,worse\r\nä.jpg,b.jpg\r\n") == [("ä.jpg", "b.jpg")]
    assert read("better,worse\na,b\nb,a\n") == [("a", "b"), ("b", "a")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", "better;worse\na.jpg;b, c.jpg\n7;d.jpg\n"),
        ("p.tsv", "better\tworse\na.jpg\tb, c.jpg\n7\td.jpg\n"),
        ("p.tsv", 'better,worse\na.jpg,"b, c.jpg"\n7,d.jpg\n'),
        ("p", 'better,worse\na.jpg,"b, c.jpg"\n7,d.jpg\n'),
        ("p.jsonl", '{"Better": "a.jpg", "worse": "b, c.jpg"}\n{"Better": 7, "worse": " d.jpg", "x": 1}\n'),
    ],
)
def test_all_formats_of_ratings(read, name, content):
    assert read(content, name=name) == [("a.jpg", "b, c.jpg"), ("7", "d.jpg")]


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow.parquet")
    import pyarrow

    table = pyarrow.table({"worse": ["b.jpg", "a.jpg"], "better": ["a.jpg", "b.jpg"]})
    pyarrow.parquet.write_table(table, tmp_path / "p.parquet")
    assert read_pairs(tmp_path / "p.parquet").pairs == [("a.jpg", "b.jpg"), ("b.jpg", "a.jpg")]


def test_rows_may_have_more_or_fewer_fields_than_the_header_if_both_photos_are_there(read):
    assert read('when,better,worse,why\n1,a,b\n2,c,d,e,f\n,,\n3,"g"h,i,"\n') == [
        ("a", "b"),
        ("c", "d"),
        ("gh", "i"),
    ]


def test_bad_rows_of_json(read, tmp_path):
    with pytest.raises(BadRowsError) as caught:
        read(
            '{"better": "a", "worse": "b"}\n{"better": "a", "worse": null}\nno\n{"better": 1.5}\n',
            name="p.jsonl",
        )
    assert str(caught.value) == (
        f"{tmp_path / 'p.jsonl'}: 3 of 4 rows are bad: line 2, a photo is missing; line 3, 'no' is not valid "
        "JSON; line 4, a photo is not text. To do: name two different photos in every row; write one object "
        'per line, such as {"better": "a.jpg", "worse": "b.jpg"}'
    )
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,score\na,1\n", "has no better and no worse column; its columns are 'image', 'score'; "
         "give it the columns better,worse"),
        ("better\na\n", "has no worse column; its columns are 'better'; give it the columns better,worse"),
        ("", "has no better and no worse column; its columns are none; give it the columns better,worse"),
        ("better,worse\n", "has a header but no comparisons; add one row per comparison"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_used(read, tmp_path, content, message):
    with pytest.raises(RatingsError) as caught:
        read(content)
    assert str(caught.value) == f"{tmp_path / 'pairs.csv'} {message}"


def test_bad_rows_are_all_counted_and_five_named(read, tmp_path):
    with pytest.raises(RatingsError) as caught:
        read("better,worse\na,a\nb,c\nd\n" + "e,\n" * 4)
    assert str(caught.value) == (
        f"{tmp_path / 'pairs.csv'}: 6 of 7 rows are bad: line 2, photo 'a' is compared with itself; line "
        "4, a photo "
        "is missing; line 5, a photo is missing; line 6, a photo is missing; line 7, a photo is missing; "
        "and 1 more. To do: name two different photos in every row"
    )


def test_files_that_cannot_be_read(read, tmp_path):
    with pytest.raises(RatingsError) as caught:
        read_pairs(tmp_path / "none.csv")
    assert str(caught.value) == f"{tmp_path / 'none.csv'} does not exist; check the path of the comparisons"
    with pytest.raises(RatingsError) as caught:
        read("better,worse\nä,\udce4\n", errors="surrogateescape")
    assert str(caught.value) == (
        f"{tmp_path / 'pairs.csv'} cannot be read as UTF-8 text (UnicodeDecodeError); "
        "name a CSV file with the columns better,worse"
    )


def test_two_columns_of_one_name_are_refused(read, tmp_path):
    with pytest.raises(RatingsError) as caught:
        read("better,Better,worse\na,b,c\n")
    assert str(caught.value) == (
        f"{tmp_path / 'pairs.csv'} has two columns 'better'; rename or delete one of them"
    )
