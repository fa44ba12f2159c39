"""A small export on two images, written as a person's file."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols.gaze.fixations import BadGazeError, read_fixations

HEADER = "RecordingName\tMediaName\tFixationPointX (MCSpx)\tFixationPointY (MCSpx)\tGazeEventDuration\tNote"
GOOD = ("p1\ta.jpg\t0\t0\t200\t", "p1\ta.jpg\t39.5\t29\t120\tlast", "p2\tb.jpg\t5\t7.25\t80\t")
SIZES = {"a.jpg": (30, 40), "b.jpg": (10, 20)}


@pytest.fixture(scope="session")
def sizes() -> dict[str, tuple[int, int]]:
    """(height, width) of the images of the export; do not change."""
    return SIZES


@pytest.fixture
def read(tmp_path, monkeypatch) -> Callable:
    """``read(*rows, header=..., sizes=...)``: what the file gaze.tsv with a header and these rows holds."""
    monkeypatch.chdir(tmp_path)

    def write_and_read(*rows, header=HEADER, sizes=SIZES, good=True):
        lines = [header, *(GOOD if good else ()), *rows]
        (tmp_path / "gaze.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return read_fixations("gaze.tsv", sizes)

    return write_and_read


@pytest.fixture
def refused(read) -> Callable:
    """``refused(*rows, ...)``: the error that this file is refused with."""

    def refuse(*rows, **options) -> BadGazeError:
        with pytest.raises(BadGazeError) as caught:
            read(*rows, **options)
        assert "\n" not in str(caught.value)
        return caught.value

    return refuse
