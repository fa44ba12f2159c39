"""Scores go into sidecars on request alone, and come out of them to the byte."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from piaa.stars.names import LABEL, RATING, SUBJECT
from piaa.stars.packet import Packet, parse

SIDECAR = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">\r\n <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'\r\n  <rdf:Description rdf:about="" xmlns:d="http://darktable.sf.net/" d:history_end=\'2\'/>\r\n'
    b" </rdf:RDF>\r\n</x:xmpmeta>"
)
PIAA = "urn:x-piaa:1.0/"


@pytest.fixture
def photos(album, tmp_path) -> Path:
    folder = Path(shutil.copytree(album, tmp_path / "photos"))
    (folder / "photo-01.jpg.xmp").write_bytes(SIDECAR)
    return folder


@pytest.fixture
def write(score, photos):
    """``write(...)`` scores the copy of the album and writes."""
    return lambda *args: score("--write-xmp", *args, photos=photos)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def packets(folder: Path) -> dict[str, Packet]:
    found = sorted(folder.rglob("*.xmp"))
    return {path.name.removesuffix(".xmp"): parse(path.read_bytes(), path.name) for path in found}


def test_scores_go_into_sidecars_and_out_again(write, score, photos, names):
    before = files(photos)
    table = {row["image"]: row for row in json.loads(score("--json", photos=photos).stdout)["scores"]}
    result = write()
    assert (result.exit_code, result.stdout) == (
        0,
        "12 sidecars written for ana; take it back with --undo\n",
    )
    assert result.stderr == "scores of ana for 12 sidecars, 11 of them new\n"
    after = files(photos)
    assert {name: after[name] for name in names} == {name: before[name] for name in names}
    for name in names:
        packet = parse((photos / f"{name}.xmp").read_bytes(), name)
        assert packet.value((PIAA, "User")) == "ana"
        assert float(packet.value((PIAA, "Score"))) == pytest.approx(table[name]["score"], abs=6e-4)
        assert packet.value((PIAA, "Scale")) == "1 5"
        assert packet.value(RATING) is None
    assert b"d:history_end='2'/>\r\n" in after["photo-01.jpg.xmp"]

    undone = score("--undo", photos=photos)
    assert (undone.exit_code, undone.stderr) == (0, "")
    assert undone.stdout == "1 sidecar as before, 11 removed that piaa made\n"
    assert files(photos) == before


def test_a_dry_run_writes_nothing(write, photos):
    before = files(photos)
    result = write("--dry-run", "--write-stars")
    assert result.stdout == "12 sidecars to write; nothing was written\n"
    assert result.stderr == (
        "scores of ana for 12 sidecars, 11 of them new; stars in 2, none where 10 photos were rated or "
        "rejected\n"
    )
    assert files(photos) == before


def test_stars_labels_and_keywords_of_the_best_alone(write, photos, score):
    best = [row["image"] for row in json.loads(score("--json", "--top", "3", photos=photos).stdout)["scores"]]
    result = write("--top", "3", "--write-stars", "--xmp-label", "Blue", "--xmp-keyword", "best")
    assert result.exit_code == 0
    marked = [name for name in best if (photos / f"{name}.xmp").exists()]
    assert marked == best
    for name in best:
        packet = parse((photos / f"{name}.xmp").read_bytes(), name)
        assert (packet.value(LABEL), packet.words(SUBJECT)) == ("Blue", ["best"])


def test_a_second_writing_of_the_same_changes_nothing(write, photos):
    assert write("--write-stars").exit_code == 0
    before = files(photos)
    again = write("--write-stars")
    assert again.stdout == "0 sidecars written for ana; take it back with --undo\n"
    assert files(photos) == before


def test_for_machines(write, score, photos):
    found = json.loads(write("--write-stars", "--json").stdout)
    assert found["xmp"] == {
        "n_sidecars": 12,
        "n_new": 11,
        "n_stars": 2,
        "n_same": 0,
        "n_written": 12,
        "skipped": {},
    }
    assert len(found["scores"]) == 12
    assert json.loads(score("--undo", "--json", photos=photos).stdout) == {
        "n_back": 1,
        "n_removed": 11,
        "n_taken_out": 0,
        "n_gone": 0,
        "n_left": 0,
        "skipped": {},
    }


def test_what_is_no_xmp_is_named_and_left_alone(write, photos):
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    (photos / "photo-01.jpg.xmp").write_bytes(bomb)
    result = write()
    assert result.exit_code == 0
    assert result.stdout == "11 sidecars written for ana; take it back with --undo\n"
    assert "cannot be read as XMP: it has a DOCTYPE, which XMP has not" in result.stderr
    assert (photos / "photo-01.jpg.xmp").read_bytes() == bomb


def test_on_a_terminal_it_asks_first(on_a_terminal, score, photos, tiny_model):
    before = files(photos)
    command = ["score", photos, "--user", "ana", "--model", tiny_model, "--write-xmp"]
    code, seen = on_a_terminal(command, "Write them? [y/N]", "n\n")
    assert code == 1
    assert "scores of ana for 12 sidecars, 11 of them new" in seen
    assert files(photos) == before
    code, _ = on_a_terminal(command, "Write them? [y/N]", "y\n")
    assert (code, len(packets(photos))) == (0, 12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--write-stars",), "--write-stars, --xmp-label, --xmp-keyword, --dry-run go with --write-xmp"),
        (("--dry-run",), "--write-stars, --xmp-label, --xmp-keyword, --dry-run go with --write-xmp"),
        (("--undo", "--write-xmp"), "--undo and --write-xmp contradict each other; give one of them"),
    ],
)
def test_options_that_do_not_go_together(piaa, photos, options, message):
    result = piaa("score", photos, "--user", "ana", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize("option", ["--xmp-label", "--xmp-keyword"])
def test_a_label_is_a_line_of_text(write, photos, option):
    before = files(photos)
    what = option.removeprefix("--xmp-")
    for text in ("a\nb", " "):
        result = write(option, text)
        assert (result.exit_code, files(photos)) == (1, before)
        assert result.stderr == (
            f"piaa: the {what} {text!r} is no line of text; give some printable characters\n"
        )


def test_nothing_to_take_back_is_one_line(score, photos):
    result = score("--undo", photos=photos)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"piaa: nothing was written into sidecars of {photos} that could be taken back; name the folder that "
        "was given to --write-xmp\n"
    )


def test_who_stops_the_writing_is_told_what_is_kept_and_how_to_go_on(
    stopped, write, score, photos, tiny_model
):
    write("--dry-run")  # ana is learned
    before = files(photos)
    command = ("score", photos, "--user", "ana", "--write-xmp", "--model", tiny_model)
    assert stopped("writing sidecars", 4, *command) == (
        130,
        "scores of ana for 12 sidecars, 11 of them new\npiaa: stopped; each sidecar is as before or wholly "
        "written: the same command goes on, --undo takes back what is written\n",
    )
    assert len(files(photos).items() - before.items()) == 5  # four sidecars and the journal
    assert write().stdout == "8 sidecars written for ana; take it back with --undo\n"
    for _ in range(2):
        assert score("--undo", photos=photos).exit_code == 0
    assert files(photos) == before
