"""Put the trained ``piaa-lite`` into the package, with the figures of the models that left a list out.

    uv run python benchmarks/ship_piaa_lite.py --models runs/lite

reads ``benchmarks/results/lite_figures.json`` and ``oasis_protocol.json``; the tensors stay as they are, and
so does the model's identity.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from oasis_sides import SHIPPED
from record import RESULTS

from generic.model.checkpoint import load_checkpoint, save_checkpoint
from generic.model.registry import find_model

SHOTS = ("10", "100")
ADAPTERS = ("auto", "generic")
KEPT = ("srcc", "std_over_repeats", "coverage", "users")


def figures() -> dict[str, Any]:
    """What a model file says of how good its like is."""
    generic = json.loads((RESULTS / "lite_figures.json").read_text())["lists"]
    personal = json.loads((RESULTS / "oasis_protocol.json").read_text())["left_out"]
    found: dict[str, Any] = {
        "protocol": "each OASIS list left out in turn, by models trained like this one on the other two"
    }
    for number, measured in generic.items():
        found[f"list {number}, generic score against the mean of raters"] = measured["generic"]
        for name in ADAPTERS:
            for k in SHOTS:
                cell = personal[f"list {number}"][name][k]
                found[f"list {number}, {name} k={k}"] = {key: cell[key] for key in KEPT}
    return found


def main() -> None:
    """Write the shipped file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("runs/lite"), help="folder of the models")
    header, tensors = load_checkpoint(parser.parse_args().models / f"{SHIPPED}.safetensors")
    print(save_checkpoint(find_model(), replace(header, figures=figures()), tensors).hash)


if __name__ == "__main__":
    main()
