"""Put the trained ``piaa-lite`` into the package as ONNX, with figures of the models that left a list out.

    uv run --group train python benchmarks/ship_piaa_lite.py ROOT --models runs/lite3

reads ``benchmarks/results/lite3_paired.json``, and checks the graph against torch
on the photos of ROOT; the tensors stay as they are, and so does the model's identity.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from oasis import LISTS
from oasis_sides import SHIPPED
from record import RESULTS

from generic.model.checkpoint import load_checkpoint, save_checkpoint
from generic.model.export import export_onnx
from generic.model.registry import find_model
from generic.photos.find import find_images
from generic.photos.open import load_pixels

SHOTS = ("10", "100")
ADAPTERS = ("auto", "generic")
KEPT = ("srcc", "std_over_repeats", "coverage", "users")


def figures() -> dict[str, Any]:
    """What a model file says of how good its like is."""
    measured = json.loads((RESULTS / "lite3_paired.json").read_text())
    generic = measured["generic"]["after"]
    found: dict[str, Any] = {
        "protocol": "each OASIS list left out in turn, by models trained like this one on the other two; "
        f"{measured['config']['repeats']} repeats"
    }
    for number, srcc, plcc in zip(LISTS, generic["srcc"], generic["plcc"], strict=True):
        found[f"list {number}, generic score against the mean of raters"] = {"srcc": srcc, "plcc": plcc}
        for name in ADAPTERS:
            for k in SHOTS:
                cell = measured["left_out"][f"list {number}"][name][k]
                found[f"list {number}, {name} k={k}"] = {key: cell[key] for key in KEPT}
    return found


def main() -> None:
    """Write the shipped file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="oasis_beauty, whose photos the graph is checked on")
    parser.add_argument("--models", type=Path, default=Path("runs/lite3"), help="folder of the models")
    given = parser.parse_args()
    header, tensors = load_checkpoint(given.models / f"{SHIPPED}.safetensors")
    side = int(header.architecture["size"])
    photos = [load_pixels(path, side) for path in find_images(given.root / "images")]
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, f"{SHIPPED}.safetensors")
        save_checkpoint(plain, replace(header, figures=figures()), tensors)
        full, checked = export_onnx(plain, find_model(), photos)
    print(full.hash, checked)


if __name__ == "__main__":
    main()
