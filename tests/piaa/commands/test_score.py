"""``piaa score`` as a person uses it, on a rendered album and a tiny model."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

import piaa as library
from generic.model.checkpoint import read_header
from piaa.people.score_table import COLUMNS

TRUNCATED = "broken (1).jpg"
SAID = (*COLUMNS, "sure")


def test_score_prints_a_table_best_first(score, names):
    result = score()
    assert (result.exit_code, result.stderr) == (0, "")
    header, *lines = result.stdout.splitlines()
    assert header.split("  ")[:2] == ["rank", "image"]
    rows = json.loads(score("--json").stdout)["scores"]
    assert {row["image"] for row in rows} == set(names)  # the two nested folders included
    for rank, (line, row) in enumerate(zip(lines, rows, strict=True), 1):
        assert line.split()[0] == str(rank)
        assert row["image"] in line
        assert f"  {row['score']:.2f}  " in line
        assert line.endswith(f"  {100 * row['sure']:4.0f} %" if row["sure"] >= 0.8 else "  unsure")
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(1 <= row["low"] <= row["score"] <= row["high"] <= 5 for row in rows)
    assert header.endswith("generic    sure")
    assert len({len(line.rstrip()) for line in lines}) == 1


def test_score_as_json(score, tmp_path):
    content = json.loads(score("--json", "--top", "3").stdout)
    assert {key: content[key] for key in ("user", "model", "scale", "skipped")} == {
        "user": "ana",
        "model": "piaa-tiny",
        "scale": [1.0, 5.0],
        "skipped": {},
    }
    assert len(content["scores"]) == 3
    assert [tuple(row) for row in content["scores"]] == [SAID] * 3


def test_score_writes_every_format_with_the_same_rows(score, tmp_path):
    pytest.importorskip("pyarrow")
    rows = json.loads(score("--json").stdout)["scores"]
    for suffix in ("csv", "json", "parquet"):
        out = tmp_path / f"scores.{suffix}"
        result = score("--out", out)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == f"12 of 12 photos ranked for ana: {out}\n"

    text = (tmp_path / "scores.csv").read_text()
    read = [
        {key: row[key] if key == "image" else float(row[key]) for key in SAID}
        for row in csv.DictReader(io.StringIO(text))
    ]
    assert read == rows
    assert json.loads((tmp_path / "scores.json").read_text())["scores"] == rows
    frame = pd.read_parquet(tmp_path / "scores.parquet")
    assert tuple(frame.columns) == SAID
    assert frame.round(4).to_dict("records") == rows

    result = score("--out", tmp_path / "TOP.CSV", "--top", "5")
    assert result.stdout == f"5 of 12 photos ranked for ana: {tmp_path / 'TOP.CSV'}\n"
    assert (tmp_path / "TOP.CSV").read_text().splitlines() == text.splitlines()[:6]


def test_score_of_one_photo_is_bit_equal_to_its_score_in_the_album(score, album, names, tmp_path):
    pytest.importorskip("pyarrow")
    score("--no-cache", "--out", tmp_path / "all.parquet")
    together = pd.read_parquet(tmp_path / "all.parquet").set_index("image")
    for name in (names[0], names[-1]):
        score("--no-cache", "--out", tmp_path / "one.parquet", photos=album / name)
        alone = pd.read_parquet(tmp_path / "one.parquet")
        assert alone["image"].tolist() == [Path(name).name]
        # How sure a place is depends on what else is ranked.
        assert alone.loc[0, list(COLUMNS[1:])].tolist() == together.loc[name, list(COLUMNS[1:])].tolist()


def test_copies_of_a_photo_are_ranked_under_each_name(score, tmp_path, album):
    folder = tmp_path / "copies"
    (folder / "inner").mkdir(parents=True)
    for name in ("a.jpg", "b.jpeg", "inner/c.JPG"):
        shutil.copy(album / "photo-02.jpg", folder / name)
    rows = json.loads(score("--json", photos=folder).stdout)["scores"]
    assert [row["image"] for row in rows] == ["a.jpg", "b.jpeg", "inner/c.JPG"]
    assert len({tuple(list(row.values())[1:]) for row in rows}) == 1


def test_names_that_are_hard_to_print_stay_one_row_each(score, tmp_path, album):
    pytest.importorskip("pyarrow")
    folder = tmp_path / "names"
    folder.mkdir()
    given = ["a,b.jpg", 'say "x".jpg', "two\nlines.jpg", "Übung 花.jpg"]
    for name in given:
        shutil.copy(album / "photo-02.jpg", folder / name)
    # A name in Latin-1, as older disks have them: Python reads the byte as half a character.
    shutil.copy(album / "photo-02.jpg", folder / "latin-\udcfc.jpg")
    result = score(photos=folder)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 6)
    assert score("--out", tmp_path / "names.csv", photos=folder).exit_code == 0
    with (tmp_path / "names.csv").open(newline="", encoding="utf-8-sig") as file:
        read = [row["image"] for row in csv.DictReader(file)]
    assert set(read) == {*given, "latin-\\udcfc.jpg"}
    for suffix in ("json", "parquet"):
        assert score("--out", tmp_path / f"names.{suffix}", photos=folder).exit_code == 0
    assert set(pd.read_parquet(tmp_path / "names.parquet")["image"]) == set(read)


def test_broken_photos_are_counted_and_the_others_scored(score, damaged_album, names):
    result = score(photos=damaged_album)
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert lines[0] == "skipped 2 of 14 photos:"
    assert lines[1] == (
        f"  notes.jpg: {damaged_album / 'notes.jpg'} is not an image: it begins with b'not a photo', "
        "expected AVIF, BMP, GIF, HEIC, JPEG, PNG, raw, TIFF or WebP"
    )
    assert lines[2].startswith(
        f"  summer/{TRUNCATED}: {damaged_album / 'summer' / TRUNCATED} is damaged or incomplete ("
    )
    assert lines[2].endswith("); replace it by an intact copy or leave it out")
    assert len(lines) == 3
    content = json.loads(score("--json", photos=damaged_album).stdout)
    assert {row["image"] for row in content["scores"]} == set(names)
    assert set(content["skipped"]) == {"notes.jpg", f"summer/{TRUNCATED}"}
    # What is broken beside a photo does not change its score.
    assert content["scores"] == json.loads(score("--json").stdout)["scores"]


def test_all_photos_broken_is_an_error(score, tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_text("not a photo")
    result = score("--out", tmp_path / "scores.csv", photos=folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"piaa: none of the 3 photos can be read; the first is '0.jpg': {folder / '0.jpg'} is not an image: "
        "it begins with b'not a photo', expected AVIF, BMP, GIF, HEIC, JPEG, PNG, raw, TIFF or WebP\n"
    )
    assert not (tmp_path / "scores.csv").exists()


def test_unchanged_album_is_scored_without_the_network(piaa, album, tiny_model, ratings, tmp_path):
    """A model whose network is destroyed still scores what the cache knows, and nothing else."""
    pytest.importorskip("torch")  # which reads the file of tensors that is destroyed here
    model = tmp_path / "model.safetensors"
    shutil.copy(tiny_model, model)
    cache = tmp_path / "new-cache"
    options = ("--user", "ana", "--model", model, "--cache", cache)
    fitted = piaa("fit-user", *options, "--ratings", ratings, "--images", album)
    assert (fitted.exit_code, fitted.stderr) == (0, "")
    first = piaa("score", album, *options)
    assert (first.exit_code, first.stderr) == (0, "")

    content = bytearray(model.read_bytes())
    content[-5_000_000:-4_000_000] = bytes(1_000_000)
    model.write_bytes(content)
    with pytest.raises(AssertionError):
        np.testing.assert_equal(load_file(model), load_file(tiny_model))
    second = piaa("score", album, *options)
    assert (second.exit_code, second.stdout, second.stderr) == (0, first.stdout, "")
    # The proof needs this: the network would not have worked.
    third = piaa("score", album, *options, "--no-cache")
    assert third.exit_code == 2
    third = piaa("score", album, "--user", "ana", "--model", model, "--no-cache")
    assert (third.exit_code, third.stdout) == (1, "")
    assert third.stderr == (
        f"piaa: model file {model} is damaged: its content does not match its hash "
        f"{read_header(tiny_model).hash[:8]}; fetch or train it again\n"
    )


def test_python_gives_the_same_scores(score, album, tiny_model, ratings, tmp_path):
    pytest.importorskip("pyarrow")
    score("--out", tmp_path / "scores.parquet")
    from_commands = pd.read_parquet(tmp_path / "scores.parquet")
    model = library.load_model(tiny_model)
    loaded = model.load("ana").score(album)
    pd.testing.assert_frame_equal(loaded, from_commands, check_exact=True)
    fitted = model.fit_user(ratings, images=album, scale=(1, 5), user="ana")
    pd.testing.assert_frame_equal(fitted.score(album), from_commands, check_exact=True)
    assert fitted.score(album).attrs == {"skipped": {}}


def test_without_a_user_it_is_the_crowds_ranking(score, piaa, album, tiny_model, tmp_path):
    hers = json.loads(score("--json").stdout)["scores"]
    command = ("score", album, "--model", tiny_model)
    content = json.loads(piaa(*command, "--json").stdout)
    assert {key: content[key] for key in ("user", "model", "scale")} == {
        "user": None,
        "model": "piaa-tiny",
        "scale": [1.0, 5.0],
    }
    by_score = sorted(hers, key=lambda row: (-row["generic"], row["image"]))
    assert [row["score"] for row in content["scores"]] == [row["generic"] for row in by_score]
    assert {tuple(row) for row in content["scores"]} == {("image", "score")}
    header, *lines = piaa(*command, "--top", 3).stdout.splitlines()
    assert header.split() == ["rank", "image", "score"]
    assert [re.split(" {2,}", line.strip()) for line in lines] == [
        [f"{rank}", row["image"], f"{row['score']:.2f}"] for rank, row in enumerate(content["scores"][:3], 1)
    ]
    result = piaa(*command, "--out", tmp_path / "crowd.csv", "--top", 2)
    assert result.stdout == f"2 of 12 photos ranked by the crowd's ranking: {tmp_path / 'crowd.csv'}\n"
    assert (tmp_path / "crowd.csv").read_text().splitlines() == [
        "image,score,predicted_by",
        *(f"{row['image']},{row['score']},piaa" for row in content["scores"][:2]),
    ]
    told = piaa("fit-user", "--user", "ben", "--ratings", tmp_path / "crowd.csv", "--images", album)
    assert told.stderr.startswith(f"piaa: {tmp_path / 'crowd.csv'} holds scores that piaa predicted, as its ")


def test_several_folders_and_photos_are_one_ranking(piaa, album, names, tiny_model, tmp_path, monkeypatch):
    monkeypatch.chdir(album.parent)
    (tmp_path / "other").mkdir()
    shutil.copy(album / names[0], tmp_path / "other" / "copy.jpg")
    given = (album.name, tmp_path / "other", Path(album.name) / names[1], f"./{album.name}/{names[2]}")
    rows = json.loads(piaa("score", *given, "--model", tiny_model, "--json").stdout)["scores"]
    wanted = {f"{album.name}/{name}" for name in names} | {(tmp_path / "other" / "copy.jpg").as_posix()}
    assert ({row["image"] for row in rows}, len(rows)) == (wanted, 13)
    refused = piaa("score", album, tmp_path / "none", "--model", tiny_model)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == f"piaa: {tmp_path / 'none'} does not exist; check the path\n"


def test_on_a_terminal_the_end_of_a_long_name_is_seen(shown_on_a_terminal, album, tiny_model, tmp_path):
    folder = tmp_path / "long"
    inner = folder / "a folder with a long name" / "写真"
    inner.mkdir(parents=True)
    for name in ("海岸.jpg", "u\u0308bung.jpg"):
        shutil.copy(album / "photo-02.jpg", inner / name)
    lines = shown_on_a_terminal(("score", folder, "--model", tiny_model), 40).splitlines()
    score = lines[1][-5:]
    assert lines == [
        f"rank  image{' ' * 22}  score",
        f"   1  …a long name/写真/u\u0308bung.jpg  {score}",
        f"   2  … a long name/写真/海岸.jpg  {score}",
    ]


def test_results_and_remarks_go_to_different_streams(score, damaged_album, tiny_model, user_folders):
    """In a process of its own: what a shell would redirect."""
    captured = {"capture_output": True, "text": True, "timeout": 120, "cwd": user_folders}
    options = ["-m", "cli", "score", str(damaged_album), "--user", "ana", "--model", str(tiny_model)]
    done = subprocess.run([sys.executable, *options, "--json"], **captured)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["skipped"]) == 2
    done = subprocess.run([sys.executable, "-X", "importtime", *options], **captured)
    assert done.stdout.startswith("rank  image")
    remarks = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert (len(remarks), remarks[0]) == (3, "skipped 2 of 14 photos:")
    # A photo that stays broken does not cost the network either.
    imported = set(re.findall(r"\| +([a-z]+)$", done.stderr, re.MULTILINE))
    assert {"numpy", "torch"} & imported == {"numpy"}


def test_errors_as_json(piaa, fit, album, tiny_model, warm, tmp_path):
    table = tmp_path / "bad.csv"
    table.write_text("image,score\nphoto-01.jpg,9\nphoto-02.jpg,good\n")
    command = ("fit-user", "--user", "ana", "--ratings", table, "--images", album, "--model", tiny_model)
    result = piaa(*command, "--json")
    content = json.loads(result.stdout)
    assert (result.exit_code, result.stderr, content["kind"]) == (1, "", "BadRowsError")
    assert [(problem["line"], problem["column"]) for problem in content["problems"]] == [
        (2, "score"),
        (3, "score"),
    ]
    assert f"piaa: {content['error']}\n" == piaa(*command).stderr
