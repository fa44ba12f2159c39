"""``piaa evaluate`` as a person uses it: a rendered album, a tiny model."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest

from generic.cache.features import FeatureCache
from generic.model.checkpoint import Header, load_checkpoint, save_checkpoint
from generic.model.generic_model import GenericModel
from piaa.adapters.registry import ADAPTERS, make_adapter
from piaa.people.model import Model
from protocols.datasets.load import load_dataset
from protocols.fewshot.results import Results
from protocols.fewshot.study import Settings, default_split, prepare, run

UNCHECKED = (
    "model piaa-tiny does not list its training photos: "
    "it cannot be checked whether test photos are among them\n"
)


def by_hand(mine, tiny_model, warm) -> Results:
    """What ``evaluate`` should find, from Python."""
    model = GenericModel(tiny_model)
    prior = Model(model).prior
    makers = {name: lambda name=name: make_adapter(name, prior) for name in ("generic", "ridge", "auto")}
    dataset = load_dataset("table", mine)
    with FeatureCache.open(warm) as cache:
        prepared = prepare(
            dataset,
            default_split(dataset),
            model,
            makers,
            Settings(shots=(3, 6), repeats=3),
            cache=cache,
            train="the data of piaa-tiny",
        )
    return run([prepared])


def test_evaluate_prints_a_table_and_writes_a_folder(evaluate, mine, tiny_model, warm, tmp_path):
    result = evaluate("--out", "study")
    assert (result.exit_code, result.stderr) == (0, UNCHECKED)
    lines = result.stdout.splitlines()
    assert lines[0] == "table: SRCC of new photos by the number of ratings per user"
    assert [line.split()[0] for line in lines if "measured here   " in line] == ["generic", "ridge", "auto"]
    assert (
        "* measured here: mean±std over 3 repeats of the mean over 6 users, "
        "generic model and priors trained on the data of piaa-tiny"
    ) in lines
    assert (
        "* test users measured here: Test users: everybody; test images: all that they rated; "
        "nothing to train on."
    ) in lines
    files = ["results.json", "report.md", "report.tex", "report.bib", "report.csv", "report.json"]
    files.append("users.parquet")
    files += [f"{plot}-table{suffix}" for plot in ("shots", "users") for suffix in (".png", ".svg")]
    assert lines[-1] == "written: study (results.json, report.md and 9 more)"
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == sorted(
        [*files, "config.json", "units"]
    )
    results = Results.load(tmp_path / "study" / "results.json")
    assert results == by_hand(mine, tiny_model, warm)
    # A printed number is the mean over users, then over repeats, of the cells.
    chosen = (results.columns["adapter"] == "auto") & (results.columns["k"] == 6)
    per_repeat = [results.columns["srcc"][chosen & (results.columns["repeat"] == r)].mean() for r in range(3)]
    (row,) = [line for line in lines if line.startswith(" auto")]
    assert f"{np.mean(per_repeat):.3f}±{np.std(per_repeat, ddof=1):.3f}" == row.split()[-1]


def test_evaluate_as_json(evaluate, no_plots, tmp_path):
    result = evaluate("--out", "study", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    content = json.loads(result.stdout)
    assert list(content) == ["folder", "files", "config", "rows", "notes", "tests"]
    assert content["folder"] == "study"
    assert content["files"][0] == str(Path("study") / "results.json")
    assert all((tmp_path / file).is_file() for file in content["files"])
    assert content["config"] == json.loads((tmp_path / "study" / "results.json").read_text())["config"]
    assert [(row["method"], row["k"]) for row in content["rows"]] == [
        (adapter, k) for adapter in ("generic", "ridge", "auto") for k in (3, 6)
    ]
    with (tmp_path / "study" / "report.csv").open(newline="") as file:
        assert [float(row["srcc"]) for row in csv.DictReader(file)] == [r["srcc"] for r in content["rows"]]
    assert content["tests"] == [
        {
            "train": "the data of piaa-tiny",
            "test": "table",
            "n_users": 6,
            "skipped_users": {},
            "n_images": 12,
            "unreadable_images": {},
            "checked_for_leaks": False,
            "notes": [],
        }
    ]


def test_evaluate_without_out_names_the_folder_by_its_configuration(evaluate, no_plots, tmp_path):
    first, second = (json.loads(evaluate("--json", "--adapter", "generic").stdout) for _ in range(2))
    other = json.loads(evaluate("--json", "--adapter", "generic", "--seed", "1").stdout)
    assert first["folder"] == second["folder"] != other["folder"]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted(
        Path(content["folder"]).name for content in (first, other)
    )
    assert Path(first["folder"]).name.startswith("evaluate-table-")
    assert (first["rows"], first["rows"] == other["rows"]) == (second["rows"], False)


def test_the_crowd_stands_beside_the_adapters_where_it_is_asked_for(evaluate, no_plots):
    content = json.loads(evaluate("--adapter", "generic", "--crowd", "--json").stdout)
    assert [(row["method"], row["k"]) for row in content["rows"]] == [
        (name, k) for name in ("generic", "crowd oracle") for k in (3, 6)
    ]
    assert "competes with no row" in content["notes"]["table"][1]
    assert content["config"]["adapters"] == ["generic", "crowd oracle"]


def test_reports_have_the_interval_over_photos_and_whom_an_adapter_harms(evaluate, no_plots):
    content = json.loads(evaluate("--adapter", "generic,ridge", "--json").stdout)
    for row in content["rows"]:
        assert row["two_way_low"] < row["srcc"] < row["two_way_high"]
        # Six people who rated all at random: other photos move the mean at least as far as other people do.
        assert row["two_way_high"] - row["two_way_low"] > row["srcc_high"] - row["srcc_low"]
        assert (row["below"] is None) == (row["method"] == "generic")


def test_wide_prints_every_measure(evaluate, no_plots):
    lines = evaluate("--wide", "--adapter", "ridge,generic").stdout.splitlines()
    (place,) = [n for n, line in enumerate(lines) if line == "table: details of the rows measured here"]
    header = lines[place + 2].split("  ")
    assert [word.strip() for word in header if word][-6:] == [
        *("PLCC", "pairwise", "MAE", "coverage"),
        *("below ridge", "p against ridge"),
    ]


def test_on_a_terminal_the_table_fits_it_and_work_has_a_bar(user_folders, mine, tiny_model, warm, tmp_path):
    terminal, other_end = pty.openpty()
    fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 66, 0, 0))
    command = [
        sys.executable,
        "-m",
        "cli",
        "evaluate",
        "--dataset",
        "table",
        "--root",
        "mine",
        "--shots",
        "3",
    ]
    command += ["--model", str(tiny_model), "--adapter", "generic", "--repeats", "2", "--out", "run"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "66"}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=other_end, stderr=other_end, stdin=other_end
    )
    os.close(other_end)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(terminal, 65536):
            shown += chunk
    os.close(terminal)
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "reading photos of table" in text
    assert "fitting" in text
    table = text[text.index("table: SRCC of new photos") : text.index("written: run")].replace("\r", "")
    assert all(len(line) <= 66 for line in table.splitlines())
    assert "measured here: mean±std over 2 repeats" in " ".join(table.split())


def test_numbers_do_not_depend_on_jobs_or_threads_of_the_machine(evaluate, no_plots, tmp_path, monkeypatch):
    for jobs in (1, 3):
        assert evaluate("--jobs", jobs, "--out", f"jobs-{jobs}").exit_code == 0
    one, three = ((tmp_path / f"jobs-{jobs}" / "results.json").read_bytes() for jobs in (1, 3))
    assert one == three


def test_options_reach_the_study(evaluate, no_plots, names, tmp_path):
    (tmp_path / "users.txt").write_text("ana\ncy\n")
    (tmp_path / "mine" / "ratings.csv").rename(tmp_path / "marks.csv")
    given = ("--ratings", "marks.csv", "--users", "users.txt", "--scale", 0, 9, "--query", "common")
    given += ("--seed", 5, "--adapter", "generic", "--json")
    content = json.loads(evaluate(*given).stdout)
    config = content["config"]
    assert (config["query"], config["seed"], config["adapters"]) == ("common", 5, ["generic"])
    assert config["splits"]["table"]["rule"].startswith("Test users: the list that comes with the dataset; ")
    assert content["tests"][0]["n_users"] == 2
    cells = Results.load(Path(content["folder"]) / "results.json").columns
    assert set(cells["user"]) == {"ana", "cy"}
    assert set(cells["n_query"]) == {6}


def test_a_table_needs_no_root_beside_its_ratings(
    piaa, mine, tiny_model, warm, no_plots, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    command = ("evaluate", "--dataset", "table", "--model", tiny_model, "--shots", "3", "--repeats", "1")
    result = piaa(
        *command, "--ratings", "mine/ratings.csv", "--images", "mine/images", "--adapter", "generic"
    )
    assert (result.exit_code, result.stderr) == (0, UNCHECKED)
    missing = piaa(*command, "--images", "mine/images")
    assert missing.exit_code == 2
    assert "--root is needed: the folder that holds the label files of table" in missing.stderr


def test_a_split_file_says_who_is_tested(evaluate, piaa, no_plots, tmp_path):
    (tmp_path / "users.txt").write_text("fay\n")
    assert (
        piaa("data", "split", "table", "mine", "--out", "s.json", "--test-users", "users.txt").exit_code == 0
    )
    content = json.loads(evaluate("--split", "s.json", "--adapter", "generic", "--json").stdout)
    split = json.loads((tmp_path / "s.json").read_text())
    assert content["config"]["splits"]["table"] == {
        "dataset": "table",
        "hash": split["sha256"],
        "rule": split["rule"],
    }
    assert set(Results.load(Path(content["folder"]) / "results.json").columns["user"]) == {"fay"}


def test_what_is_left_out_is_counted_and_named(evaluate, no_plots, names, tmp_path):
    table = tmp_path / "mine" / "ratings.csv"
    kept = [line for line in table.read_text().splitlines() if not line.startswith("fay,summer")]
    table.write_text("\n".join(kept) + "\n")
    (tmp_path / "mine" / "images" / names[0]).unlink()
    (tmp_path / "mine" / "images" / names[1]).write_bytes(b"")
    result = evaluate("--skip")
    assert (result.exit_code, result.stderr) == (
        0,
        "skipped 2 of 12 rated photos of table:\n"
        f"  {names[0]}: no file {names[0]!r} in mine/images or below it\n"
        f"  {names[1]}: mine/images/{names[1]} is empty (0 bytes); "
        "replace it by an intact copy or leave it out\n"
        "skipped 1 of 6 test users of table:\n"
        "  fay: has 5 ratings, but k=6 support + 2 query need 8\n" + UNCHECKED,
    )
    content = json.loads(evaluate("--skip", "--json").stdout)
    assert content["tests"][0]["skipped_users"] == {"fay": "has 5 ratings, but k=6 support + 2 query need 8"}
    assert list(content["tests"][0]["unreadable_images"]) == names[:2]
    assert content["config"]["skipped_users"] == {"table": content["tests"][0]["skipped_users"]}
    assert content["rows"][0]["users"] == 5
    fewer = json.loads(evaluate("--min-ratings", 8, "--json").stdout)
    assert fewer["tests"][0]["skipped_users"] == {"fay": "has 5 usable ratings, --min-ratings asks for 8"}
    result = evaluate()
    assert (result.exit_code, result.stdout, result.stderr) == (
        1,
        "",
        # Said before any photo is read, so that all photos count as readable.
        "piaa: user 'fay' has 7 ratings, but k=6 support + 2 query need 8; "
        "lower --shots or drop the user with --min-ratings 8\n",
    )


def test_undefined_correlations_follow_the_policy(evaluate, no_plots, tmp_path):
    table = tmp_path / "mine" / "ratings.csv"
    lines = [f"{line[:-1]}3" if line.startswith("ana,") else line for line in table.read_text().splitlines()]
    table.write_text("\n".join(lines) + "\n")
    drop = json.loads(evaluate("--adapter", "generic", "--out", "run", "--json").stdout)
    zero = json.loads(evaluate("--adapter", "generic", "--out", "run", "--nan", "zero", "--json").stdout)
    assert [(row["users"], row["dropped_users"]) for row in drop["rows"]] == [(5, 1)] * 2
    assert [(row["users"], row["dropped_users"]) for row in zero["rows"]] == [(6, 0)] * 2
    assert (drop["config"]["nan"], zero["config"]["nan"]) == ("drop", "zero")
    for dropped, zeroed in zip(drop["rows"], zero["rows"], strict=True):
        assert zeroed["srcc"] == pytest.approx(dropped["srcc"] * 5 / 6)


def test_a_run_goes_on_and_another_is_refused(evaluate, no_plots, tmp_path):
    whole, damaged = tmp_path / "whole" / "results.json", tmp_path / "damaged" / "results.json"
    for folder in ("whole", "damaged"):
        assert evaluate("--out", folder).exit_code == 0
    # As if it had been killed: one unit is missing, one is cut off, there are no results.
    damaged.unlink()
    units = damaged.parent / "units"
    (units / "0-ridge-6-2.json").unlink()
    cut = units / "0-auto-3-0.json"
    cut.write_bytes(cut.read_bytes()[:100])
    result = evaluate("--out", "damaged")
    assert (result.exit_code, result.stderr) == (
        0,
        "damaged/units/0-auto-3-0.json is damaged and is computed again\n" + UNCHECKED,
    )
    assert damaged.read_bytes() == whole.read_bytes()
    result = evaluate("--out", "whole", "--repeats", "4")
    assert (result.exit_code, result.stdout, result.stderr) == (
        1,
        "",
        "piaa: the run folder whole holds another run: its repeats is 3, asked for is 4; "
        "name another folder with --out\n",
    )


def test_a_model_that_saw_the_photos_is_refused(evaluate, no_plots, tiny_model, album, names, tmp_path):
    header, tensors = load_checkpoint(tiny_model)
    for saw, digest in (("them", hashlib.sha256((album / names[4]).read_bytes()).hexdigest()), ("none", "0")):
        training = {**header.training, "images_sha256": [digest]}
        save_checkpoint(tmp_path / f"{saw}.st", Header(**{**header.__dict__, "training": training}), tensors)
    result = evaluate("--model", "them.st")
    assert (result.exit_code, result.stdout, result.stderr) == (
        1,
        "",
        f"piaa: model piaa-tiny {header.hash[:8]} was trained on 1 of 12 test images, such as {names[4]!r}; "
        "evaluate with a model that has not seen them\n",
    )
    assert evaluate("--model", "none.st", "--adapter", "generic").stderr == ""  # it was checked


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--adapter", "generic,best"), "there is no adapter 'best'; choose one of "
         + ", ".join(ADAPTERS)),
        (("--split", "none.json"), "cannot use the split 'none.json': it cannot be read: No such file or "
         "directory; name a file that piaa data split wrote"),
        (("--shots", "40"), "user 'ana' has 12 ratings, but k=40 support + 2 query need 42 (so have 5 more "
         "users); lower --shots or drop the user with --min-ratings 42"),
        (("--shots", "40", "--skip"), "nobody is left to test: the 6 test users of 'table' have at most 12 "
         "usable ratings, but k=40 support + 2 query or --min-ratings need 42; lower one of them"),
        (("--shots", "0"), "the shots are [0], expected one or more different whole numbers from 1; "
         "give them as --shots 10,100"),
        (("--images", "none"), "the images' folder none does not exist; pass the folder that holds the "
         "images of table, or none to use the labels alone"),
        (("--images", "empty"), "none of the 12 rated images can be read; pass the folder that holds them "
         "with --images, or repair them. The first is 'photo-01.jpg': no file 'photo-01.jpg' in empty or "
         "below it"),
        (("--out", "mine/ratings.csv"), "the run folder mine/ratings.csv cannot be made: Not a directory; "
         "name a folder that you may write to with --out"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(evaluate, tmp_path, args, message):
    (tmp_path / "empty").mkdir()
    result = evaluate(*args)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"piaa: {message}\n")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--query", "all"), "--query takes 'rest' or 'common', not 'all'"),
        (("--nan", "skip"), "--nan takes 'drop' or 'zero', not 'skip'"),
        (("--adapter", ","), "--adapter is empty; give one or more, separated by commas"),
        (("--shots", "3,x"), "--shots takes whole numbers such as 10,100, not '3,x'"),
        (("--no-cache", "--cache", "x"), "--cache and --no-cache contradict each other; give one of them"),
    ],
)
def test_options_that_cannot_be_are_usage_errors(evaluate, args, message):
    result = evaluate(*args)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


# ---- killed ----


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_results(evaluate, mine, tiny_model, tmp_path):
    command = [
        sys.executable,
        "-m",
        "cli",
        "evaluate",
        "--dataset",
        "table",
        "--root",
        "mine",
        "--shots",
        "2,3,4",
    ]
    command += ["--model", str(tiny_model), "--repeats", "40", "--jobs", "2", "--out"]

    def start(folder: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*command, folder], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def n_units(folder: str) -> int:
        return len(list((tmp_path / folder / "units").glob("0-*.json")))

    assert start("whole").wait(timeout=120) == 0
    whole = (tmp_path / "whole" / "results.json").read_bytes()
    total = n_units("whole")
    assert total == 3 * 3 * 40
    seen = [0]
    # Every run is killed when it has got a little further than the one before.
    while n_units("killed") < total:
        process = start("killed")
        while process.poll() is None and n_units("killed") < min(seen[-1] + total // 8, total):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert n_units("killed") >= seen[-1]
        seen.append(n_units("killed"))
    assert len(seen) > 5
    assert start("killed").wait(timeout=120) == 0
    assert (tmp_path / "killed" / "results.json").read_bytes() == whole
    assert (tmp_path / "killed" / "report.csv").read_bytes() == (
        tmp_path / "whole" / "report.csv"
    ).read_bytes()
