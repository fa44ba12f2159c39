"""``piaa cross-evaluate`` as a person uses it: a rendered album, two models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generic.model.checkpoint import Header, load_checkpoint, save_checkpoint
from protocols.fewshot.results import Results


@pytest.fixture
def two_studies(mine, tiny_model, warm, tmp_path, monkeypatch) -> Path:
    """``mine`` and ``yours``, the latter on 1..7 by other people, and a second model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yours").mkdir()
    lines = (mine / "ratings.csv").read_text().splitlines()
    theirs = [
        f"{line.partition(',')[0]}2,{line.partition(',')[2][:-1]}{1 + n % 7}"
        for n, line in enumerate(lines[1:])
    ]
    (tmp_path / "yours" / "ratings.csv").write_text("\n".join((lines[0], *theirs)) + "\n")
    header, tensors = load_checkpoint(tiny_model)
    turned = {name: -array if name == "network.kernel.weights" else array for name, array in tensors.items()}
    save_checkpoint(tmp_path / "other.safetensors", Header(**{**header.__dict__, "name": "other"}), turned)
    return tmp_path


@pytest.fixture
def cross(piaa, two_studies, tiny_model):
    def go(*args):
        tests = ("--test", "mine=table:mine", "--test", "yours=table:yours", "--scale", "yours=1..7")
        tests += ("--images", "yours=mine/images")
        models = ("--train", f"A={tiny_model}", "--train", "B=other.safetensors")
        short = ("--shots", "3,6", "--repeats", "2", "--adapter", "generic,ridge")
        return piaa("cross-evaluate", *models, *tests, *short, *args)

    return go


def test_cross_evaluate_tests_every_model_on_every_dataset(cross, two_studies):
    result = cross("--out", "matrix")
    assert result.exit_code == 0
    assert result.stderr == "".join(
        f"model {name} does not list its training photos: "
        "it cannot be checked whether test photos are among them\n"
        for name in ("piaa-tiny", "other")
    )
    results = Results.load(two_studies / "matrix" / "results.json")
    pairs = dict.fromkeys(zip(results.columns["train"], results.columns["test"], strict=True))
    assert list(pairs) == [("A", "mine"), ("A", "yours"), ("B", "mine"), ("B", "yours")]
    # The matrix of Table 7: a row for each training set, a column for each test set.
    words = [line.split() for line in result.stdout.splitlines()]
    chosen = results.columns
    for train in "AB":
        mask = (chosen["train"] == train) & (chosen["adapter"] == "ridge") & (chosen["k"] == 6)
        means = [chosen["srcc"][mask & (chosen["test"] == test)].mean() for test in ("mine", "yours")]
        rows = [line for line in words if line[-3:-2] == [train] and line[-2:][0].partition("±")[1]]
        assert [f"{mean:.3f}" for mean in means] in [
            [word.partition("±")[0] for word in line[-2:]] for line in rows
        ]
    assert (two_studies / "matrix" / "cross-6.png").is_file()
    assert [one["name"] for one in results.config["models"].values()] == ["piaa-tiny", "other"]


def test_cross_evaluate_on_one_pair_is_evaluate(piaa, evaluate, two_studies, tiny_model, no_plots):
    alone = json.loads(evaluate("--adapter", "ridge", "--json").stdout)["rows"]
    command = ("cross-evaluate", "--train", f"A={tiny_model}", "--test", "table=mine", "--adapter", "ridge")
    result = piaa(*command, "--shots", "3,6", "--repeats", "3", "--json")
    assert result.exit_code == 0
    crossed = json.loads(result.stdout)["rows"]
    assert [{**row, "train": None} for row in crossed] == [{**row, "train": None} for row in alone]


def test_cross_evaluate_goes_on_and_takes_splits(cross, piaa, two_studies, no_plots):
    (two_studies / "users.txt").write_text("ana2\nben2\n")
    split = (
        "data",
        "split",
        "table",
        "yours",
        "--scale",
        1,
        7,
        "--test-users",
        "users.txt",
        "--out",
        "s.json",
    )
    assert piaa(*split).exit_code == 0
    given = ("--split", "yours=s.json", "--out", "run")
    assert cross(*given).exit_code == 0
    whole = (two_studies / "run" / "results.json").read_bytes()
    cells = Results.load(two_studies / "run" / "results.json").columns
    assert set(cells["user"][cells["test"] == "yours"]) == {"ana2", "ben2"}
    assert len(set(cells["user"][cells["test"] == "mine"])) == 6
    units = sorted((two_studies / "run" / "units").iterdir())
    assert len(units) == 4 * 2 * 2 * 2
    for file in (*units[::3], two_studies / "run" / "results.json"):
        file.unlink()
    assert cross(*given).exit_code == 0
    assert (two_studies / "run" / "results.json").read_bytes() == whole


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--train", "A"), "--train takes NAME=VALUE, not 'A'"),
        (("--train", "A=x.st"), "--train has 'A' twice; give each name once"),
        (("--test", "list1=mine"), "--test has 'list1', which is no dataset; say which it is, such as "
         "list1=table:mine"),
        (("--split", "their=s.json"), "--split has 'their', but --test has only mine, yours"),
        (("--scale", "mine"), "--scale takes NAME=VALUE, not 'mine'"),
    ],
)  # fmt: skip
def test_names_that_fit_nothing_are_usage_errors(cross, args, message):
    result = cross(*args)
    assert result.exit_code == 2
    shown = " ".join(result.stderr.replace("│", " ").split())
    assert message in shown


def test_a_test_is_read_on_its_own_scale(cross):
    result = cross("--scale", "mine=2..7")
    assert result.exit_code == 1
    assert " bad: line " in result.stderr
    assert " is outside the scale 2..7; " in result.stderr


def test_a_scale_that_is_none_is_one_line(cross):
    result = cross("--scale", "mine=five")
    assert (result.exit_code, result.stderr) == (
        1,
        "piaa: the scale 'five' is not two numbers; write it as LOW..HIGH, such as 1..5\n",
    )
