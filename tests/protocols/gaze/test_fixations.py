"""Exports of an eye tracker: what is read, and what every mistake prints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from generic.errors import DatasetError
from protocols.gaze.fixations import COLUMNS, BadGazeError, read_fixations
from protocols.gaze.media import image_sizes


def test_fixations_of_each_image(read, sizes):
    found = read()
    assert list(found) == ["a.jpg", "b.jpg"]
    a, b = found["a.jpg"], found["b.jpg"]
    assert (a.image, a.size, a.recordings, len(a)) == ("a.jpg", (30, 40), ("p1", "p1"), 2)
    assert a.points.tolist() == [[0.0, 0.0], [39.5, 29.0]]
    assert a.durations.tolist() == [200.0, 120.0]
    assert (b.recordings, b.points.tolist(), b.durations.tolist()) == (("p2",), [[5.0, 7.25]], [80.0])


@pytest.mark.parametrize(
    "names", [[names[0] for names in COLUMNS.values()], ["DURATION", "y", "X", "Media", "recording"]]
)
def test_short_names_in_any_order(read, names):
    values = {"recording": "p1", "media": "b.jpg", "x": "5", "y": "7", "duration": "90"}
    row = "\t".join(values[name.lower()] for name in names)
    found = read(row, header="\t".join(names), good=False, sizes={"b.jpg": (10, 20)})
    assert found["b.jpg"].points.tolist() == [[5.0, 7.0]]
    assert found["b.jpg"].durations.tolist() == [90.0]


def test_byte_order_mark_windows_lines_and_spaces(tmp_path, sizes):
    rows = "recording\tmedia\tx\ty\tduration\r\n p1 \ta.jpg\t1\t2 \t3\r\n\r\np1\tb.jpg\t1\t2\t3\r\n"
    (tmp_path / "gaze.tsv").write_bytes(b"\xef\xbb\xbf" + rows.encode())
    found = read_fixations(tmp_path / "gaze.tsv", sizes)
    assert found["a.jpg"].recordings == ("p1",)
    assert found["a.jpg"].points.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            "p1\ta.jpg\t40\t12\t90\t",
            "FixationPointX (MCSpx) '40' is outside of 'a.jpg', expected 0 to below 40. To do: export media "
            "pixels (MCSpx) of the image as it was shown, and leave out gaze beside it",
        ),
        (
            "p1\tb.jpg\t4\t-0.5\t90\t",
            "FixationPointY (MCSpx) '-0.5' is outside of 'b.jpg', expected 0 to below 10. To do: export "
            "media pixels (MCSpx) of the image as it was shown, and leave out gaze beside it",
        ),
        (
            "p1\tc.jpg\t4\t5\t90\t",
            "MediaName 'c.jpg' is none of the images. To do: write media names as the image files are named, "
            "or add the images",
        ),
        (
            "p1\ta.jpg\t4\t\t90\t",
            "FixationPointY (MCSpx) is empty. To do: fill in every field, and export fixations only",
        ),
        (
            "\ta.jpg\t4\t5\t90\t",
            "RecordingName is empty. To do: fill in every field, and export fixations only",
        ),
        (
            "p1\ta.jpg\t4,5\t5\t90\t",
            "FixationPointX (MCSpx) '4,5' is not a finite number. To do: write numbers as 412.5, with a "
            "decimal point",
        ),
        (
            "p1\ta.jpg\t1_0\t5\t90\t",
            "FixationPointX (MCSpx) '1_0' is not a finite number. To do: write numbers as 412.5, with a "
            "decimal point",
        ),
        (
            "p1\ta.jpg\t4\tnan\t90\t",
            "FixationPointY (MCSpx) 'nan' is not a finite number. To do: write numbers as 412.5, with a "
            "decimal point",
        ),
        (
            "p1\ta.jpg\t4\t5\t0\t",
            "GazeEventDuration '0' is not above 0. To do: write durations in milliseconds, above 0",
        ),
        (
            "p1\ta.jpg\t4\t5",
            "row has 4 fields instead of 6. To do: write as many fields, between tabs, as the header has",
        ),
        (
            "p2\tb.jpg\t5\t7.25\t80\tagain",
            "row is the same fixation as on line 4. To do: export one row per fixation, not one per sample",
        ),
    ],
)
def test_one_bad_row(refused, row, told):
    error = refused(row)
    assert str(error) == f"gaze.tsv: 1 of 4 rows is bad: line 5, {told}"
    assert [problem.line for problem in error.problems] == [5]


def test_all_bad_rows_at_once(refused):
    rows = [f"p1\ta.jpg\t{40 + index}\t99\t-1\t" for index in range(7)]
    error = refused(*rows, "p1\ta.jpg\t4\t5\t6\t", "p9")
    assert [(problem.line, problem.value) for problem in error.problems] == [
        *((5 + index, value) for index in range(7) for value in ("-1", "99", str(40 + index))),
        (13, ""),
    ]
    assert str(error).startswith(
        "gaze.tsv: 8 of 12 rows are bad: line 5, GazeEventDuration '-1' is not above 0 and "
    )
    assert "line 9, " in str(error)
    assert "line 10, " not in str(error)
    assert "; and 3 more. To do: write durations in milliseconds, above 0; export media pixels" in str(error)
    assert all(problem.cure for problem in error.problems)


def test_images_without_gaze(refused):
    sizes = {"a.jpg": (30, 40), "b.jpg": (10, 20)} | {f"{index}.jpg": (9, 9) for index in range(7)}
    error = refused(sizes={key: sizes[key] for key in ("a.jpg", "b.jpg", "0.jpg")})
    assert str(error) == "gaze.tsv: 1 image has no gaze: '0.jpg'; add their rows, or leave these images out"
    assert error.problems == ()
    assert str(refused(sizes=sizes)) == (
        "gaze.tsv: 7 images have no gaze: '0.jpg', '1.jpg', '2.jpg', '3.jpg', '4.jpg' and 2 more; add their "
        "rows, or leave these images out"
    )


def test_bad_rows_and_images_without_gaze_together(refused):
    error = refused("p1\ta.jpg\t4\t5\t0\t", sizes={"a.jpg": (30, 40), "b.jpg": (10, 20), "c.jpg": (5, 5)})
    assert str(error) == (
        "gaze.tsv: 1 of 4 rows is bad: line 5, GazeEventDuration '0' is not above 0. To do: write durations "
        "in milliseconds, above 0. Also, 1 image has no gaze: 'c.jpg'; add their rows, or leave these images "
        "out"
    )


def test_an_image_whose_only_row_is_bad_is_not_told_twice(refused):
    error = refused("p1\tc.jpg\t4\t5\t0\t", sizes={"a.jpg": (30, 40), "b.jpg": (10, 20), "c.jpg": (9, 9)})
    assert "no gaze" not in str(error)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (
            "recording\tmedia\tx\ty",
            "gaze.tsv has no duration column (named 'duration' or 'GazeEventDuration'); its columns, between "
            "tabs, are 'recording', 'media', 'x', 'y'; export fixations as tab-separated text with these "
            "columns",
        ),
        (
            "recording,media,x,y,duration",
            "gaze.tsv has no recording column (named 'recording' or 'RecordingName') and no media column "
            "(named 'media' or 'MediaName') and no x column (named 'x' or 'FixationPointX (MCSpx)') and no y "
            "column (named 'y' or 'FixationPointY (MCSpx)') and no duration column (named 'duration' or "
            "'GazeEventDuration'); its columns, between tabs, are 'recording,media,x,y,duration'; export "
            "fixations as tab-separated text with these columns",
        ),
        (
            "recording\tmedia\tx\ty\tduration\tMediaName",
            "gaze.tsv: the columns 'media' and 'MediaName' both mean the media; delete one of them",
        ),
    ],
)
def test_wrong_columns(read, header, told):
    with pytest.raises(DatasetError) as caught:
        read(header=header)
    assert str(caught.value) == told


def test_a_header_alone_and_a_missing_file(read, tmp_path, sizes):
    with pytest.raises(DatasetError) as caught:
        read(good=False)
    assert str(caught.value) == "gaze.tsv has a header but no fixations; add one row per fixation"
    with pytest.raises(DatasetError) as caught:
        read_fixations("none.tsv", sizes)
    assert str(caught.value) == (
        "none.tsv cannot be read: No such file or directory; check the path and its permissions"
    )


def test_a_glance_back_is_no_repetition(read):
    found = read("p2\ta.jpg\t1\t1\t80\t", "p2\tb.jpg\t5\t7.25\t80\t")
    assert len(found["b.jpg"]) == 2


@given(
    points=st.lists(
        st.tuples(st.floats(0, 20, exclude_max=True), st.floats(0, 10, exclude_max=True), st.floats(1, 900)),
        min_size=1,
        max_size=20,
        unique=True,
    )
)
def test_every_point_within_the_image_comes_back(tmp_path_factory, points):
    path = tmp_path_factory.mktemp("gaze") / "gaze.tsv"
    rows = [f"p1\tb.jpg\t{x!r}\t{y!r}\t{duration!r}" for x, y, duration in points]
    path.write_text("\n".join(["recording\tmedia\tx\ty\tduration", *rows]))
    found = read_fixations(path, {"b.jpg": (10, 20)})["b.jpg"]
    assert np.array_equal(found.points, np.array([point[:2] for point in points]))
    assert found.durations.tolist() == [point[2] for point in points]


def test_sizes_are_of_upright_photos(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.new("RGB", (8, 5)).save(tmp_path / "turned.jpg", exif=exif)
    Image.new("L", (3, 2)).save(tmp_path / "flat.png")
    assert image_sizes(tmp_path) == {"flat.png": (2, 3), "turned.jpg": (8, 5)}


def test_sizes_of_real_photos(shared_data, tmp_path):
    """Every real photo gets a size; gaze planted on its last pixel is inside, one pixel further outside."""
    folder = shared_data / "oasis_beauty" / "images"
    sizes = image_sizes(folder)
    assert len(sizes) == len(list(folder.iterdir()))
    for beyond in (0, 1):
        rows = [f"p1\t{name}\t{w - 1 + beyond}\t{h - 1}\t200" for name, (h, w) in sizes.items()]
        (tmp_path / "gaze.tsv").write_text("\n".join(["recording\tmedia\tx\ty\tduration", *rows]))
        if not beyond:
            found = read_fixations(tmp_path / "gaze.tsv", sizes)
            assert {name: len(own) for name, own in found.items()} == dict.fromkeys(sizes, 1)
    with pytest.raises(BadGazeError) as caught:
        read_fixations(tmp_path / "gaze.tsv", sizes)
    assert len(caught.value.problems) == len(sizes)
    assert {problem.column for problem in caught.value.problems} == {"x"}
