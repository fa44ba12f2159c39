"""How text fits a terminal, whatever letters it is written in; in a pipe it stays as it is."""

from __future__ import annotations

import unicodedata

import pytest

from piaa.commands import layout


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("beach.jpg", 9),
        ("日本.jpg", 8),
        (unicodedata.normalize("NFC", "Zürich.jpg"), 10),
        (unicodedata.normalize("NFD", "Zürich.jpg"), 10),
        ("", 0),
    ],
)
def test_letters_are_as_wide_as_a_terminal_shows_them(text, width):
    assert layout.width_of(text) == width
    assert layout.padded(text, width + 3) == f"{text}   "


@pytest.mark.parametrize(
    ("text", "width", "seen"),
    [
        ("2024/summer/beach.jpg", None, "2024/summer/beach.jpg"),
        ("2024/summer/beach.jpg", 21, "2024/summer/beach.jpg"),
        ("2024/summer/beach.jpg", 20, "…24/summer/beach.jpg"),
        ("写真/夏/海岸.jpg", 10, "…/海岸.jpg"),
        ("写真/夏/海岸.jpg", 9, "…海岸.jpg"),
        ("写真/夏/海岸.jpg", 8, "…岸.jpg"),
        (unicodedata.normalize("NFD", "Zürich.jpg"), 9, "…rich.jpg"),
    ],
)
def test_of_a_long_path_the_end_is_seen(text, width, seen):
    assert layout.end_of(text, width) == seen
    assert width is None or layout.width_of(seen) <= width


def test_in_a_pipe_nothing_is_cut_or_broken(capsys):
    long = "folder/" * 30 + "a.jpg"
    assert layout.columns() is None
    assert layout.name_column([long, "日本.jpg"], "image", 40) == [
        f"image{' ' * 210}",
        long,
        f"日本.jpg{' ' * 207}",
    ]
    layout.sentence("word " * 40)
    assert capsys.readouterr().out == "word " * 40 + "\n"
