"""The second paper's Table 1 on OASIS, each list left out: a NIMA, a Residual Attention Network, piaa-lite.

    uv run --group train python benchmarks/second_paper_table.py ROOT --models LITE --out runs/second-paper

ROOT is laid out as :mod:`oasis` says. Histograms of 1 to 7 are counted from single ratings. Each network
learns from two lists and is tested on the third, by ``piaa pretrain`` and ``piaa evaluate-generic``. LITE
holds ``piaa-lite-without-N.safetensors`` of ``train_piaa_lite.py``. The NIMA begins with ImageNet weights of
EfficientNet-Lite0, which a Python package brings; none are at hand for the Residual Attention Network, which
is small and begins from scratch. Settings were chosen beforehand and once; an epoch is chosen on a share of
the training lists. A stopped run goes on.

Each model is also tested on the photos masked to where people looked, with gaze that is GENERATED as in
``gaze_planted.py``, not recorded: that shows the step, and says nothing of people. For one list the NIMA also
learns from masked photos.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from gaze_planted import PIXELS_PER_DEGREE, SHARE, SIDE, export
from oasis import LISTS, SCALE, load_oasis
from record import RESULTS, piaa, table, tell, write_result

from generic.atomic import write_bytes
from protocols.gaze.media import image_sizes

NIMA = """
[settings]
optimiser = "adamw"
rate = 1e-3
stem_rate = 0.1
schedule = "cosine"
warmup = 0.1
epochs = 6
batch = 16
decay = 0.05
clip = 1.0
workers = 0
"""
SMALL_ATTENTION = """
[network]
size = 96
stem_dim = 32
dims = [32, 64, 128, 256]
modules = [1, 1, 1, 0]
poolings = [3, 2, 1, 0]

[settings]
rate = 1e-3
ema = 0.0
epochs = 20
batch = 16
workers = 0
"""
NETWORKS = {
    "NIMA, EfficientNet-Lite0": (NIMA, "nima:tf_efficientnet_lite0", ("--start", "efficientnet-lite")),
    "Residual Attention, small, from scratch": (SMALL_ATTENTION, "residual_attention_56", ()),
}
FIRST = next(iter(NETWORKS))
MASKED_LIST = 3
"""The list that the NIMA trained on masked photos is tested on."""
LITE = "piaa-lite, trained on means"
LARGER = "always the larger class"
Found = dict[str, dict[str, list[dict[str, Any]]]]
"""Photos (original, masked) -> model -> one row a list."""
FIGURES = ("accuracy", "plcc", "plcc_std", "emd1", "emd", "srcc")
HEADER = ("model", "photos", "accuracy", "LCC mean", "LCC std", "EMD r=1", "EMD r=2", "SRCC")


def write_histograms(root: Path, out: Path, number: int) -> Path:
    """A folder with histograms of all photos, and lists that leave one list out."""
    data = load_oasis(root)
    folder = out / f"list-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    given = Counter(zip(data.ratings.images, data.ratings.scores.tolist(), strict=True))
    scores = range(int(SCALE.low), int(SCALE.high) + 1)
    rows = [",".join([name, *(str(given[name, float(score)]) for score in scores)]) for name in data.names]
    header = ",".join(["image", *map(str, scores)])
    write_bytes(folder / "histograms.csv", "\n".join([header, *rows, ""]).encode())
    tested = data.lists == number
    for part, chosen in (("train", ~tested), ("test", tested)):
        names = [data.names[row] for row in np.flatnonzero(chosen)]
        write_bytes(folder / f"{part}.txt", "\n".join([*names, ""]).encode())
    return folder


def options(folder: Path, images: Path) -> list[str | Path]:
    """Which photos are for what."""
    lists = ["--train", folder / "train.txt", "--test", folder / "test.txt"]
    return ["--dataset", "histograms", "--root", folder, "--images", images, *lists]


def train(name: str, folder: Path, images: Path, kind: str = "") -> tuple[Path, float]:
    """A network's model file, and how long its training took in this call; 0 if it was there."""
    config, preset, more = NETWORKS[name]
    run = folder / (preset.replace(":", "-") + kind)
    toml = folder / f"{run.name}.toml"
    write_bytes(toml, config.encode())
    words = ["--preset", preset, "--config", toml, "--loss", "emd", "--validation-share", "0.15", *more]
    seconds = 0.0
    if not (run / "result.json").exists():
        _, seconds = piaa(
            "pretrain", *options(folder, images), *words, "--out", run, "--name", name, "--json"
        )
    return run / "best.safetensors", seconds


def mask(root: Path, out: Path) -> Path:
    """All photos masked to generated gaze."""
    folder = out / "masked"
    if not folder.exists():
        gaze = out / "gaze.tsv"
        write_bytes(gaze, export(image_sizes(root / "images")).encode())
        words = ["--gaze", gaze, "--pixels-per-degree", str(PIXELS_PER_DEGREE), "--side", str(SIDE)]
        piaa("gaze", "mask", root / "images", *words, "--share", str(SHARE), "--out", folder)
    return folder


def test(folder: Path, images: Path, models: list[Path]) -> list[dict[str, Any]]:
    """The figures of each model on the list that was left out."""
    chosen = [word for model in models for word in ("--model", model)]
    printed, _ = piaa("evaluate-generic", *options(folder, images), *chosen, "--json")
    content = json.loads(printed)
    rows: list[dict[str, Any]] = content["rows"]
    larger = {"photos": rows[0]["photos"], "accuracy": content["larger_class"]}
    return [*rows, larger]


def read_result(name: str) -> dict[str, Any]:
    """What an earlier run wrote."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return content


def cells(rows: list[dict[str, Any]], name: str) -> tuple[str, ...]:
    """One line of the table: means over the lists."""

    def mean(key: str) -> str:
        values = [row.get(key) for row in rows]
        if None in values:
            return "-"
        average = float(np.mean([value for value in values if value is not None]))
        return f"{100 * average:.1f} %" if key == "accuracy" else f"{average:.3f}"

    return (name, str(sum(row["photos"] for row in rows)), *map(mean, FIGURES))


def main() -> None:
    """Train, test and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--models", type=Path, default=Path("runs/lite"))
    parser.add_argument("--out", type=Path, default=Path("runs/second-paper"))
    parser.add_argument("--only-lite", action="store_true", help="keep the other models' rows as they are")
    given = parser.parse_args()
    names = [*NETWORKS, LITE, LARGER]
    photos = {"original": given.root / "images", "masked": mask(given.root, given.out)}
    networks = () if given.only_lite else tuple(NETWORKS)
    found: Found = {kind: {name: [] for name in names} for kind in photos}
    if given.only_lite:
        before: Found = read_result("second_paper_table")["lists"]
        found = {kind: rows | {LITE: [], LARGER: []} for kind, rows in before.items()}
    for number in LISTS:
        folder = write_histograms(given.root, given.out, number)
        models = []
        for name in networks:
            model, seconds = train(name, folder, photos["original"])
            tell(f"without list {number}: {name}, {seconds:.0f} s")
            models.append(model)
        models.append(given.models / f"piaa-lite-without-{number}.safetensors")
        for kind, images in photos.items():
            for name, row in zip((*networks, LITE, LARGER), test(folder, images, models), strict=True):
                found[kind][name].append(row)
                tell(f"list {number}, {kind}, {name}: {[row.get(key) for key in FIGURES]}")
    if given.only_lite:
        learned = read_result("second_paper_masked")["trained_on_masked"]
    else:
        folder = given.out / f"list-{MASKED_LIST}"
        model, seconds = train(FIRST, folder, photos["masked"], "-masked")
        tell(f"trained on masked photos, without list {MASKED_LIST}: {seconds:.0f} s")
        learned = test(folder, photos["masked"], [model])[0]
    text = table(HEADER, [cells(found["original"][name], name) for name in names])
    masked = table(
        HEADER,
        [
            *(cells(found[kind][name], f"{name}; {kind}") for name in names[:-1] for kind in photos),
            cells(found["original"][FIRST][-1:], f"{FIRST}; original; list {MASKED_LIST} alone"),
            cells(found["masked"][FIRST][-1:], f"{FIRST}; masked; list {MASKED_LIST} alone"),
            cells([learned], f"{FIRST}; trained on masked, too; list {MASKED_LIST} alone"),
        ],
    )
    print(text, masked, sep="\n\n")
    command = "python benchmarks/second_paper_table.py ROOT --models runs/lite --out runs/second-paper"
    content = {"lists": found}
    write_result("second_paper_table", command, {**content, "markdown": text})
    write_result("second_paper_masked", command, {"trained_on_masked": learned, "markdown": masked})


if __name__ == "__main__":
    main()
