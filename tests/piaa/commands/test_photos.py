"""The command line as a person uses it, on a rendered album and a tiny model."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sqlite3
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


@pytest.fixture
def score(piaa, fit, album, tiny_model):
    """Scores the album, or another folder, for a person who was fitted on ten of its photos."""
    assert fit().exit_code == 0

    def run(*args, photos: Path = album):
        return piaa("score", photos, "--user", "ana", "--model", tiny_model, *args)

    return run


@pytest.fixture
def damaged_album(tmp_path, album) -> Path:
    """The album with two more files that are not photos."""
    folder = tmp_path / "damaged"
    shutil.copytree(album, folder)
    (folder / "summer" / TRUNCATED).write_bytes((album / "photo-01.jpg").read_bytes()[:900])
    (folder / "notes.jpg").write_text("not a photo")
    return folder


def short_hash(path: Path) -> str:
    return read_header(path).hash[:8]


# ---- fit-user ----


def test_fit_user_says_what_was_learned_and_where_it_lies(fit, tiny_model, tmp_path):
    result = fit()
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"ana: learned from 10 ratings (auto on piaa-tiny {short_hash(tiny_model)})\n"
        "expected ranking: too early to tell from 10 ratings; from 20 on an estimate is printed\n"
        f"stored: {tmp_path / 'piaa.db'}, version 1\n"
    )
    assert fit().stdout.endswith(f"stored: {tmp_path / 'piaa.db'}, version 2\n")


def test_fit_user_as_json(fit, tiny_model, tmp_path):
    result = fit("ana", "--adapter", "ridge", "--scale", "0", "10", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {
        "user": "ana",
        "version": 1,
        "adapter": "ridge",
        "model": "piaa-tiny",
        "model_hash": read_header(tiny_model).hash,
        "scale": [0.0, 10.0],
        "n_ratings": 10,
        "estimate": None,
        "store": str(tmp_path / "piaa.db"),
        "skipped": {},
    }


def test_fit_user_from_twenty_ratings_on_prints_an_estimate(piaa, album, tiny_model, warm, tmp_path):
    # Twenty photos from twelve: copies of eight under other names.
    folder = tmp_path / "twenty"
    shutil.copytree(album, folder)
    photos = sorted(folder.rglob("photo-*"))
    for path in photos[:8]:
        shutil.copy(path, folder / f"copy-{path.name}")
    table = tmp_path / "twenty.csv"
    names = [path.name for path in sorted(folder.rglob("*.*"))]
    table.write_text("\n".join(["image,score", *(f"{n},{i % 5 + 1}" for i, n in enumerate(names))]))
    command = ("fit-user", "--user", "ana", "--ratings", table, "--images", folder, "--model", tiny_model)

    lines = piaa(*command).stdout.splitlines()
    assert re.fullmatch(
        r"expected ranking: SRCC -?\d\.\d\d ± 0\.23 with your own ratings "
        r"\(cross-validated on 20; without learning -?\d\.\d\d\)",
        lines[1],
    )
    estimate = json.loads(piaa(*command, "--json").stdout)["estimate"]
    assert set(estimate) == {"srcc", "error", "generic"}
    assert f"SRCC {estimate['srcc']:.2f} ± {estimate['error']:.2f}" in lines[1]
    assert f"without learning {estimate['generic']:.2f})" in lines[1]


def test_fit_user_picks_one_user_of_many_and_leaves_the_others(
    piaa, album, tiny_model, warm, names, tmp_path
):
    table = tmp_path / "many.csv"
    rows = [f"{user},{name},{score}" for user, score in (("ana", 2), ("ben", 4)) for name in names[:3]]
    table.write_text("\n".join(("userId,imagePair,rating", *rows)))
    command = ("fit-user", "--user", "ben", "--ratings", table, "--images", album, "--model", tiny_model)
    assert json.loads(piaa(*command, "--json").stdout)["n_ratings"] == 3
    assert [row["user"] for row in json.loads(piaa("users", "list", "--json").stdout)] == ["ben"]
    learned = json.loads(piaa("users", "show", "ben", "--json").stdout)["ratings"]
    assert [rating["score"] for rating in learned] == [4, 4, 4]


def test_fit_user_takes_repeated_pairs_as_told(piaa, album, tiny_model, warm, names, tmp_path):
    table = tmp_path / "twice.csv"
    table.write_text(f"image,score\n{names[0]},1\n{names[1]},2\n{names[0]},4\n")
    command = ("fit-user", "--user", "ana", "--ratings", table, "--images", album, "--model", tiny_model)

    def learned(choice):
        assert piaa(*command, "--duplicates", choice).exit_code == 0
        return [r["score"] for r in json.loads(piaa("users", "show", "ana", "--json").stdout)["ratings"]]

    assert learned("last") == [4, 2]
    assert learned("mean") == [2.5, 2]
    result = piaa(*command, "--duplicates", "first")
    assert result.exit_code == 2
    assert "--duplicates takes 'error', 'last' or 'mean', not 'first'" in result.stderr


# ---- score ----


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
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(1 <= row["low"] <= row["score"] <= row["high"] <= 5 for row in rows)
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
    assert [tuple(row) for row in content["scores"]] == [COLUMNS] * 3


def test_score_writes_every_format_with_the_same_rows(score, tmp_path):
    rows = json.loads(score("--json").stdout)["scores"]
    for suffix in ("csv", "json", "parquet"):
        out = tmp_path / f"scores.{suffix}"
        result = score("--out", out)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == f"12 of 12 photos ranked for ana: {out}\n"

    text = (tmp_path / "scores.csv").read_text()
    read = [
        {key: value if key == "image" else float(value) for key, value in row.items()}
        for row in csv.DictReader(io.StringIO(text))
    ]
    assert read == rows
    assert json.loads((tmp_path / "scores.json").read_text())["scores"] == rows
    frame = pd.read_parquet(tmp_path / "scores.parquet")
    assert tuple(frame.columns) == COLUMNS
    assert frame.round(4).to_dict("records") == rows

    result = score("--out", tmp_path / "TOP.CSV", "--top", "5")
    assert result.stdout == f"5 of 12 photos ranked for ana: {tmp_path / 'TOP.CSV'}\n"
    assert (tmp_path / "TOP.CSV").read_text().splitlines() == text.splitlines()[:6]


def test_score_of_one_photo_is_bit_equal_to_its_score_in_the_album(score, album, names, tmp_path):
    score("--no-cache", "--out", tmp_path / "all.parquet")
    together = pd.read_parquet(tmp_path / "all.parquet").set_index("image")
    for name in (names[0], names[-1]):
        score("--no-cache", "--out", tmp_path / "one.parquet", photos=album / name)
        alone = pd.read_parquet(tmp_path / "one.parquet")
        assert alone["image"].tolist() == [Path(name).name]
        assert alone.iloc[0, 1:].tolist() == together.loc[name].tolist()


def test_copies_of_a_photo_are_ranked_under_each_name(score, tmp_path, album):
    folder = tmp_path / "copies"
    (folder / "inner").mkdir(parents=True)
    for name in ("a.jpg", "b.jpeg", "inner/c.JPG"):
        shutil.copy(album / "photo-02.jpg", folder / name)
    rows = json.loads(score("--json", photos=folder).stdout)["scores"]
    assert [row["image"] for row in rows] == ["a.jpg", "b.jpeg", "inner/c.JPG"]
    assert len({tuple(list(row.values())[1:]) for row in rows}) == 1


def test_names_that_are_hard_to_print_stay_one_row_each(score, tmp_path, album):
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
    with (tmp_path / "names.csv").open(newline="", encoding="utf-8") as file:
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
        "expected AVIF, BMP, GIF, HEIC, JPEG, PNG, TIFF or WebP"
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
        "it begins with b'not a photo', expected AVIF, BMP, GIF, HEIC, JPEG, PNG, TIFF or WebP\n"
    )
    assert not (tmp_path / "scores.csv").exists()


def test_unchanged_album_is_scored_without_the_network(piaa, album, tiny_model, ratings, tmp_path):
    """A model whose network is destroyed still scores what the cache knows, and nothing else."""
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
        f"piaa: model file {model} is damaged: its content does not match its hash {short_hash(tiny_model)}; "
        "fetch or train it again\n"
    )


def test_python_gives_the_same_scores(score, album, tiny_model, ratings, tmp_path):
    score("--out", tmp_path / "scores.parquet")
    from_commands = pd.read_parquet(tmp_path / "scores.parquet")
    model = library.load_model(tiny_model)
    loaded = model.load("ana").score(album)
    pd.testing.assert_frame_equal(loaded, from_commands, check_exact=True)
    fitted = model.fit_user(ratings, images=album, scale=(1, 5), user="ana")
    pd.testing.assert_frame_equal(fitted.score(album), from_commands, check_exact=True)
    assert fitted.score(album).attrs == {"skipped": {}}


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


# ---- users ----


def test_users_list_and_show(piaa, fit, tiny_model, names):
    for user in ("ana", "ben", "ana"):
        fit(user)
    listed = json.loads(piaa("users", "list", "--json").stdout)
    assert [(row["user"], row["n_versions"], row["version"]) for row in listed] == [
        ("ana", 2, 2),
        ("ben", 1, 1),
    ]
    lines = piaa("users", "list").stdout.splitlines()
    assert lines == [
        f"{row['user']}: 10 ratings, auto on piaa-tiny {short_hash(tiny_model)}, "
        f"version {row['version']} of {row['created']}"
        for row in listed
    ]
    shown = json.loads(piaa("users", "show", "ana", "--json").stdout)
    assert [version["version"] for version in shown["versions"]] == [1, 2]
    assert [rating["image"] for rating in shown["ratings"]] == names[:10]
    assert {len(rating["sha256"]) for rating in shown["ratings"]} == {64}
    text = piaa("users", "show", "ana").stdout.splitlines()
    assert len(text) == 12
    assert text[2] == f"  5  {names[0]}"


def test_users_delete_asks_first(piaa, fit, tmp_path):
    fit("ana")
    fit("ben")
    store = tmp_path / "piaa.db"
    refused = piaa("users", "delete", "ana", input="n\n")
    question = f"Delete 'ana' with all versions and ratings from {store}? [y/N]:"
    # The answer that was typed is all that stdout shows.
    assert (refused.exit_code, refused.stdout) == (1, " n\n")
    assert refused.stderr == f"{question}Aborted!\n"
    assert "ana" in piaa("users", "list").stdout
    agreed = piaa("users", "delete", "ana", input="y\n")
    assert (agreed.exit_code, agreed.stdout) == (0, " y\ndeleted ana: 1 version\n")
    assert agreed.stderr == question
    assert "ana" not in piaa("users", "list").stdout
    assert piaa("users", "delete", "ben", "--yes").stdout == "deleted ben: 1 version\n"
    assert json.loads(piaa("users", "list", "--json").stdout) == []
    assert piaa("users", "delete", "ben", "--yes").exit_code == 1


def test_users_travel_to_another_store(piaa, fit, album, tiny_model, tmp_path):
    fit()
    fit()
    file, other = tmp_path / "ana.json", tmp_path / "other" / "people.db"
    assert piaa("users", "export", "ana", file).stdout == f"exported ana: 1 version to {file}\n"
    assert piaa("users", "import", file, "--store", other).stdout == "imported ana: 1 version\n"
    command = ("score", album, "--user", "ana", "--model", tiny_model, "--json")
    here, there = piaa(*command), piaa(*command, "--store", other)
    assert (here.exit_code, there.stdout) == (0, here.stdout)

    again = piaa("users", "import", file, "--store", other)
    assert again.exit_code == 1
    assert again.stderr == (
        f"piaa: store {str(other)!r} already has a user 'ana'; import under another name "
        "with --user NAME, or replace the user and all versions with --replace\n"
    )
    assert piaa("users", "import", file, "--store", other, "--user", "ann").exit_code == 0
    assert piaa("users", "export", "ana", file, "--all").stdout == f"exported ana: 2 versions to {file}\n"
    assert piaa("users", "import", file, "--store", other, "--replace").stdout == "imported ana: 2 versions\n"
    listed = json.loads(piaa("users", "list", "--store", other, "--json").stdout)
    assert [(row["user"], row["n_versions"]) for row in listed] == [("ana", 2), ("ann", 1)]


def test_the_store_is_where_the_environment_says(fit, piaa, tmp_path):
    fit()
    assert (tmp_path / "piaa.db").is_file()
    fit("ben", "--store", tmp_path / "own.db")
    assert "ben" not in piaa("users", "list").stdout
    assert "ben" in piaa("users", "list", "--store", tmp_path / "own.db").stdout


# ---- models ----


def test_models_list_and_info(piaa, tiny_model):
    (listed,) = json.loads(piaa("models", "list", "--json").stdout)
    assert listed["name"] == "piaa-lite"
    assert piaa("models", "list").stdout.startswith(f"piaa-lite  {listed['hash'][:8]}  ")

    content = json.loads(piaa("models", "info", "--json").stdout)
    assert (content["name"], content["hash"]) == ("piaa-lite", listed["hash"])
    assert {"architecture", "scale", "training", "figures", "file", "n_bytes"} <= set(content)

    lines = piaa("models", "info", tiny_model).stdout.splitlines()
    assert lines[0] == f"file: {tiny_model} ({tiny_model.stat().st_size / 1e6:.1f} MB)"
    assert {"name: piaa-tiny", "scale: 1..7", "  size: 64", "  srcc: 0.0"} <= set(lines)

    unknown = piaa("models", "info", "piaa-huge")
    assert unknown.exit_code == 1
    assert unknown.stderr == (
        "piaa: there is no model 'piaa-huge': it is neither one of the package's (piaa-lite) nor a file; "
        "`piaa models list` shows the package's\n"
    )


# ---- cache ----


def test_cache_info_and_clear(piaa, warm, tiny_model):
    info = json.loads(piaa("cache", "info", "--json").stdout)
    assert info["path"] == str(warm / "piaa-features.sqlite")  # PIAA_CACHE_DIR
    assert (info["n_entries"], info["models"]) == (12, {read_header(tiny_model).hash: 12})
    size = f"{info['n_bytes'] / 1e6:.1f} MB"
    assert piaa("cache", "info").stdout == (
        f"{info['path']}: 12 photos, {size}\n  model {short_hash(tiny_model)}: 12 photos\n"
    )
    assert piaa("cache", "clear", "--model", "piaa-lite").stdout == "removed the features of 0 photos\n"
    assert piaa("cache", "clear", "--model", tiny_model).stdout == "removed the features of 12 photos\n"
    assert json.loads(piaa("cache", "info", "--json").stdout)["n_entries"] == 0


def test_cache_option_chooses_the_folder_and_no_cache_leaves_no_trace(piaa, fit, score, album, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    assert score("--cache", elsewhere).exit_code == 0
    assert json.loads(piaa("cache", "info", "--cache", elsewhere, "--json").stdout)["n_entries"] == 12
    assert piaa("cache", "clear", "--cache", elsewhere).stdout == "removed the features of 12 photos\n"
    shutil.rmtree(elsewhere)
    shutil.rmtree(tmp_path / "user-cache")
    assert score("--no-cache").exit_code == 0
    assert not (tmp_path / "user-cache").exists()
    both = score("--no-cache", "--cache", elsewhere)
    assert both.exit_code == 2
    assert "--cache and --no-cache contradict each other; give one of them" in both.stderr


def test_store_is_one_plain_database(fit, tmp_path):
    fit()
    connection = sqlite3.connect(tmp_path / "piaa.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert sorted(path.name for path in tmp_path.glob("piaa.db*")) == ["piaa.db"]


# ---- the shipped model ----


def test_shipped_model_fits_and_scores_in_two_commands(piaa, ratings, album, tmp_path):
    fitted = piaa("fit-user", "--user", "ana", "--ratings", ratings, "--images", album)
    assert (fitted.exit_code, fitted.stderr) == (0, "")
    assert fitted.stdout.startswith("ana: learned from 10 ratings (auto on piaa-lite ")
    result = piaa("score", album, "--user", "ana", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    content = json.loads(result.stdout)
    assert (content["model"], len(content["scores"])) == ("piaa-lite", 12)
    assert all(1 <= row["low"] <= row["score"] <= row["high"] <= 5 for row in content["scores"])
