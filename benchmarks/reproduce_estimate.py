"""What the commands of docs/reproduce.md cost, from what was measured: photo passes, hours, memory.

    uv run python benchmarks/reproduce_estimate.py
    uv run python benchmarks/reproduce_estimate.py --images-per-s 500      for a machine that was measured

Reads ``results/eat_speed.json`` (seconds of a training step), ``eat_presets.json`` (FLOPs and parameters) and
``eat_memory.json`` (what one photo keeps for the backward pass). The formulas stand on the page. It writes
``results/reproduce.json``; with an option, it only prints.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from record import RESULTS, table, write_result

BASE = "eat_base_patch4_224"
VALIDATION = 0.05
"""Share of the training photos that chooses the epoch, as `piaa pretrain` has it."""
LARGE = "eat_base_patch4_512"
"""What results/eat_memory.json was measured with."""
ADAM, WITH_MEAN = 4, 5
"""Numbers kept for each parameter: weight, gradient, two moments; and a running mean."""
AGAIN = 4 / 3
"""Work of a step that computes activations again."""
PERSON = 12
"""Passes of `finetune` for each rating of a person, at most."""
RATINGS = 139
"""Of a test worker of FLICKR-AES, on average; taken for AADB's, too."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One command."""

    out: str
    """The run's folder on the page."""
    network: str
    passes: float
    """Photo passes of training; a forward pass is a third of one."""
    batch: int
    """Photos in one pass, without --micro-batch."""
    mean: bool = True
    """A running mean of weights is kept."""
    saves_memory: bool = False
    """Activations are computed again."""


def passes(train: int, test: int, epochs: int) -> float:
    """Photo passes of a pretraining."""
    held = VALIDATION * train
    return (train - held) * epochs + (held * epochs + test) / 3


def personal(users: int, shots: tuple[int, ...], repeats: int = 10) -> float:
    """Photo passes of `finetune` on so many people: fits, and forward passes of what is predicted."""
    return users * repeats * sum(PERSON * k + (RATINGS - k) / 3 for k in shots)


def costs() -> Iterator[Cost]:
    """Every command of the page; photos as published, see ``protocols/datasets``."""
    ava, tad, flickr, aadb = (235_528, 20_000), (52_248, 14_079), (35_263, 4_737), (8_958, 1_000)
    released, large, huge = "eat_base_released_patch4_224", LARGE, "eat_base_patch4_640"
    yield Cost(out="ava-224", network=BASE, passes=passes(*ava, 20), batch=64)
    yield Cost(out="ava-512", network=large, passes=passes(*ava, 20), batch=32, saves_memory=True)
    yield Cost(out="ava-640", network=huge, passes=passes(*ava, 20), batch=32, saves_memory=True)
    yield Cost(out="ava-official", network=released, passes=passes(*ava, 20), batch=16, mean=False)
    yield Cost(out="tad66k-224", network=BASE, passes=passes(*tad, 20), batch=64)
    yield Cost(out="tad66k-official", network=released, passes=passes(*tad, 25), batch=16, mean=False)
    yield Cost(out="flickr-224", network=BASE, passes=passes(*flickr, 20), batch=64)
    yield Cost(out="flickr-512", network=large, passes=passes(*flickr, 20), batch=32, saves_memory=True)
    for out, network in (("table3-224", BASE), ("table3-512", large)):
        yield Cost(out=out, network=network, passes=personal(37, (10, 100)), batch=10, mean=False)
    yield Cost(out="aadb-224", network=BASE, passes=passes(*aadb, 20), batch=64)
    yield Cost(out="table6", network=BASE, passes=personal(22, (10, 100)), batch=10, mean=False)
    tested = 2 * (personal(37, (100,)) + personal(22, (100,)))
    yield Cost(out="table7", network=BASE, passes=tested, batch=10, mean=False)


def load(name: str) -> dict[str, Any]:
    """One result file."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return content


def images_per_s() -> float:
    """Of `eat_base` at 224 in training, float32, as measured here: one step, forward and backward."""
    measured = load("eat_speed")["base"]
    return float(measured["batch"] / measured["seconds"]["ours, k_in = 8"]["forward+backward, float32"])


def kept_mib(side: int, *, again: bool) -> float:
    """What one photo keeps for the backward pass, MiB, by the area of the image."""
    measured, presets = load("eat_memory"), {row["name"]: row for row in load("eat_presets")["rows"]}
    step = measured["gradient checkpointing" if again else "all activations kept"]
    gradients = presets[LARGE]["mparams"] * 1e6 * 4 / 2**20
    grew: float = step["peak_mib"] - step["before_mib"] - gradients
    return grew * (side / 512) ** 2


def estimate(images_per_s: float, micro_batch: int | None) -> tuple[list[dict[str, Any]], str]:
    """Rows and their table."""
    presets = {row["name"]: row for row in load("eat_presets")["rows"]}
    rows = []
    for cost in costs():
        size = presets[cost.network]
        side = int(cost.network.rpartition("_")[2])
        micro = min(micro_batch or cost.batch, cost.batch)
        numbers = WITH_MEAN if cost.mean else ADAM
        photo = kept_mib(side, again=cost.saves_memory)
        work = cost.passes * size["gflops"] * (AGAIN if cost.saves_memory else 1)
        rows.append(
            {
                "out": cost.out,
                "network": cost.network,
                "passes": cost.passes,
                "pflop": 3 * work / 1e6,
                "hours": work / presets[BASE]["gflops"] / images_per_s / 3600,
                "micro_batch": micro,
                "gib": (size["mparams"] * 1e6 * 4 * numbers / 2**20 + micro * photo) / 1024,
            }
        )
    header = ("run", "network", "photo passes", "PFLOP", "hours", "photos in a pass", "GiB")
    cells = (
        (
            f"`{row['out']}`",
            f"`{row['network']}`",
            f"{row['passes'] / 1e3:,.0f} k",
            f"{row['pflop']:,.0f}",
            f"{row['hours']:,.0f}" if row["hours"] >= 10 else f"{row['hours']:.1f}",
            f"{row['micro_batch']}",
            f"{row['gib']:.1f}",
        )
        for row in rows
    )
    return rows, table(header, cells)


def main() -> None:
    """Estimate; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images-per-s", type=float, help="of eat_base at 224, in training")
    parser.add_argument("--micro-batch", type=int, help="photos in one pass, for the memory")
    arguments = parser.parse_args()
    measured = arguments.images_per_s or images_per_s()
    rows, text = estimate(measured, arguments.micro_batch)
    print(text)
    if arguments.images_per_s is None and arguments.micro_batch is None:
        command = "python benchmarks/reproduce_estimate.py"
        write_result("reproduce", command, {"images_per_s": measured, "rows": rows, "markdown": text})


if __name__ == "__main__":
    main()
