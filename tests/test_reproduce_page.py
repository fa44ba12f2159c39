"""Every command of docs/reproduce.md runs, changed as the page's rehearsal says, on small generated data.

The two that convert DAT's weights are in ``tests/generic/model/test_convert.py``.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generic.model.checkpoint import read_header
from protocols.datasets.flickr_aes import TEST_WORKERS
from protocols.fewshot.results import Results

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reproduce.md"
TEXT = PAGE.read_text(encoding="utf-8")
N_WORKERS = 2
"""Test workers of FLICKR-AES here; the loader notes that the others are absent."""
N_LEARNED, N_TEACHERS = 60, 22
"""Photos that are trained on, all rated by so many people: enough for a prior."""


def sections() -> dict[str, list[list[str]]]:
    """The commands of each section, as words."""
    found = {}
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```sh\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
        lines = "".join(blocks).replace("\\\n", " ").splitlines()
        found[part.splitlines()[0]] = [shlex.split(line) for line in lines]
    return found


def rehearsal() -> str:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return block


def in_rehearsal(words: list[str]) -> list[str]:
    """A command as the page's last section changes it."""
    if words[1] == "pretrain" and "rehearsal.toml" not in words:
        return [*words, "--config", "rehearsal.toml", "--validation-share", "0.5"]
    return [*words, "--repeats", "1"] if words[1] in ("evaluate", "cross-evaluate") else words


SECTIONS = sections()
TABLES = [command for name, commands in SECTIONS.items() if name.startswith("Table ") for command in commands]


# ---- data in the official formats ----


def photos(folder: Path, names) -> None:
    rng = np.random.default_rng(len(names))
    folder.mkdir(parents=True)
    for name in names:
        Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)).save(folder / name, "JPEG")


def ava(root: Path) -> None:
    ids = range(1000, 1024)
    rng = np.random.default_rng(0)
    rows = [" ".join(map(str, (n, i, *rng.integers(1, 40, 10), 1, 22, 1396))) for n, i in enumerate(ids, 1)]
    photos(root / "AVA" / "images", [f"{i}.jpg" for i in ids])
    (root / "AVA" / "AVA.txt").write_text("\n".join(rows) + "\n")
    for part, of in (("train", ids[:16]), ("test", ids[16:])):
        (root / f"ava-{part}.txt").write_text("\n".join(map(str, of)) + "\n")


def tad66k(root: Path) -> None:
    rng = np.random.default_rng(1)
    for part, n in (("train", 16), ("test", 6)):
        names = [f"{part}{number}@N0.jpg" for number in range(n)]
        photos(root / "TAD66K" / "TAD66K" / part, names)
        rows = [f"{name},{rng.uniform(1, 10):.3f}" for name in names]
        (root / "TAD66K" / f"{part}.csv").write_text("\n".join(("image,score", *rows)) + "\n")


def flickr_aes(root: Path) -> None:
    rng = np.random.default_rng(2)
    tested = [f"farm1_{number}_t.jpg" for number in range(110)]
    learned = [f"farm1_{number}_l.jpg" for number in range(N_LEARNED)]
    photos(root / "FLICKR-AES" / "40K", [*tested, *learned])
    given = [(worker, tested) for worker in TEST_WORKERS[:N_WORKERS]]
    given += [(f"TRAIN{number}", learned) for number in range(N_TEACHERS)]
    rows = [f"{worker}, {name}, {rng.integers(1, 6)}" for worker, names in given for name in names]
    text = "\n".join((" worker, imagePair, score", *rows)) + "\n"
    (root / "FLICKR-AES" / "FLICKR-AES_image_labeled_by_each_worker.csv").write_text(text)


def aadb(root: Path) -> None:
    rng = np.random.default_rng(3)
    address = "https://farm1.staticflickr.com/450/{}_b.jpg"
    columns = [f"Input.image_url{n}" for n in range(1, 11)] + [
        f"Answer.overallScore{n}" for n in range(1, 11)
    ]
    rows = [["WorkerId", *columns]]
    # 22 people with the ratings that make a test user, and photos that none of them rated.
    given = [(f"T{user}", start) for user in range(22) for start in range(0, 110, 10)]
    end = 200 + N_LEARNED
    given += [(f"OTHER{user}", start) for user in range(N_TEACHERS) for start in range(200, end, 10)]
    for worker, start in given:
        urls = [address.format(photo) for photo in range(start, start + 10)]
        rows.append([worker, *urls, *map(str, rng.integers(1, 6, 10))])
    names = [f"farm1_450_{photo}_b.jpg" for photo in (*range(110), *range(200, end))]
    photos(root / "AADB" / "datasetImages_originalSize", names)
    (root / "AADB" / "AllinAll.csv").write_text("".join(",".join(row) + "\n" for row in rows))


@pytest.fixture
def place(user_folders, monkeypatch) -> Path:
    """A folder as the page asks for it."""
    for write in (ava, tad66k, flickr_aes, aadb):
        write(user_folders)
    (user_folders / "rehearsal.toml").write_text(rehearsal())
    monkeypatch.chdir(user_folders)
    return user_folders


# ---- the commands ----


def test_each_table_has_commands():
    names = [name.partition(":")[0] for name in SECTIONS if name.startswith("Table ")]
    assert names == ["Table 1", "Table 2", "Table 3", "Table 6", "Table 7"]
    assert all(SECTIONS[name] for name in SECTIONS if name.startswith("Table "))


def test_table_6_trains_on_aadb_from_flickr_aes_and_tests_what_it_trained():
    (name,) = [name for name in SECTIONS if name.startswith("Table 6")]
    pretrain, evaluate = (
        {word: words[n + 1] for n, word in enumerate(words[:-1])} for words in SECTIONS[name]
    )
    assert (pretrain["--dataset"], evaluate["--dataset"]) == ("aadb", "aadb")
    assert pretrain["--start"] == "runs/flickr-224/best.safetensors"
    assert evaluate["--model"] == f"{pretrain['--out']}/best.safetensors"
    (cross,) = (words for name, found in SECTIONS.items() if name.startswith("Table 7") for words in found)
    assert f"aadb={evaluate['--model']}" in cross


def test_the_rehearsal_leaves_the_shots_as_they_are():
    shots = [command[command.index("--shots") + 1] for command in TABLES if "--shots" in command]
    rehearsed = [in_rehearsal(command) for command in TABLES if "--shots" in command]
    assert [command.count("--shots") for command in rehearsed] == [1] * len(shots)
    assert all("100" in text.split(",") for text in shots)


@pytest.mark.slow
@pytest.mark.timeout(2400)  # finetune on 100 ratings, 48 times: twelve minutes on a busy machine
def test_every_command_of_the_tables_runs(place, piaa):
    for words in [*SECTIONS["A rehearsal"], *TABLES]:
        if words[0] == "cp":
            shutil.copy(*words[1:])
            continue
        done = piaa(*in_rehearsal(words)[1:])
        assert done.exit_code == 0, f"{shlex.join(words)}\n{done.stderr}"
        out = Path(words[words.index("--out") + 1])
        if words[1] == "pretrain":
            assert json.loads((out / "result.json").read_text())["test"]["n"] > 0
            assert "test (" in done.stdout
        else:
            assert "EAT" in done.stdout  # the published rows stand beside ours
            results = Results.load(out / "results.json").columns
            asked = {int(k) for k in words[words.index("--shots") + 1].split(",")}
            tuned = results["adapter"] == "finetune"
            assert set(results["k"][tuned]) == asked
            assert 100 in asked
    # Stages are told: AVA, then FLICKR-AES.
    history = read_header(Path("runs/flickr-512/best.safetensors")).training["history"]
    assert [line.split(":")[0] for line in history[-2:]] == ["ava", "flickr-aes"]
    # Table 6's model, which Table 7 takes too, learned FLICKR-AES before AADB.
    history = read_header(Path("runs/aadb-224/best.safetensors")).training["history"]
    assert [line.split(":")[0] for line in history[-3:]] == ["ava", "flickr-aes", "aadb"]


def test_an_estimate_for_a_measured_machine():
    (_, words) = SECTIONS["Time and memory"]
    assert words[:3] == ["uv", "run", "python"]
    done = subprocess.run([sys.executable, ROOT / words[3], *words[4:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    outs = [Path(command[command.index("--out") + 1]).name for command in TABLES]
    assert [row[0].strip("`") for row in rows] == outs
    # 235,528 photos, a twentieth of them held: 20 epochs at 500 images a second.
    hours = (235_528 * 20 * (0.95 + 0.05 / 3) + 20_000 / 3) / 500 / 3600
    assert float(rows[0][4]) == pytest.approx(hours, abs=0.06)
