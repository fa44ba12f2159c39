"""A short ``piaa pretrain`` on real photos: two lists of OASIS to learn from, the third to test.

    uv run --group train python benchmarks/pretrain_oasis.py ROOT --out runs/pretrain-oasis

ROOT is laid out as :mod:`oasis` says. EfficientNet-Lite2 begins with ImageNet weights, which a Python package
brings. Settings were chosen beforehand and once; the epoch is chosen on a share of the training photos, and
the test photos, whose people taught nothing, are looked at once. A stopped run goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from oasis import LISTS, load_oasis
from record import piaa, table, tell, write_result

from generic.atomic import write_bytes

SETTINGS = (
    *("--preset", "tf_efficientnet_lite2", "--start", "efficientnet-lite", "--loss", "emd+mse"),
    *("--epochs", "6", "--batch", "16", "--rate", "1e-3", "--stem-rate", "0.1", "--validation-share", "0.15"),
)
FIGURES = ("srcc", "plcc", "accuracy", "ratio", "mse", "emd")


def train(root: Path, number: int, out: Path) -> tuple[dict[str, dict[str, float]], float]:
    """Figures of the chosen epoch on validation and test photos, and the seconds that this call took."""
    data = load_oasis(root)
    out.mkdir(parents=True, exist_ok=True)
    names = [data.names[row] for row in np.flatnonzero(data.lists == number)]
    write_bytes(out / "tested.txt", "\n".join([*names, ""]).encode())
    labels = ("--ratings", root / "ratings.csv", "--scale", "1", "7")
    split = out / "split.json"
    piaa("data", "split", "table", root, *labels, "--test-images", out / "tested.txt", "--out", split)
    words = ("pretrain", "--dataset", "table", *labels, "--images", root / "images", "--split", split)
    printed, seconds = piaa(*words, *SETTINGS, "--out", out / "run", "--json")
    result = json.loads(printed)
    return {"validation": result["validation"], "test": result["test"]}, seconds


def main() -> None:
    """Train, test and write the figures; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--list", type=int, default=3, choices=LISTS, help="the list that is tested")
    arguments = parser.parse_args()
    figures, seconds = train(arguments.root, arguments.list, arguments.out)
    tell(f"{seconds:.0f} s")
    rows = [
        (f"{kind} photos", *(f"{of[key]:.4f}" if key == "mse" else f"{of[key]:.3f}" for key in FIGURES))
        for kind, of in figures.items()
    ]
    text = table(("", "SRCC", "PLCC", "accuracy", "ratio", "MSE", "EMD"), rows)
    print(text)
    write_result(
        "pretrain_oasis",
        f"python benchmarks/pretrain_oasis.py ROOT --out OUT --list {arguments.list}",
        {
            "list": arguments.list,
            "settings": " ".join(SETTINGS),
            "seconds": seconds,
            **figures,
            "markdown": text,
        },
    )


if __name__ == "__main__":
    main()
