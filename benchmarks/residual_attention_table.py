"""Parameters, multiply-adds and depth of the Residual Attention Networks, beside the paper's.

    uv run python benchmarks/residual_attention_table.py

With the paper's head of 1000 classes. Networks are laid out on the meta device, without weights.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
from record import table, write_result
from torch.utils.flop_counter import FlopCounterMode

from generic.residual_attention.registry import PRESETS

PAPER = {"residual_attention_56": (31.9, 6.2, 56), "residual_attention_92": (51.3, 10.4, 92)}
"""Wang et al. 2017, Table 2: million parameters, billion multiply-adds, depth of the trunk."""


def count(name: str) -> dict[str, Any]:
    """One preset's figures and the paper's."""
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=1000).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(torch.empty(1, 3, 224, 224, device="meta"))
    return {
        "name": name,
        "mparams": sum(p.numel() for p in network.parameters()) / 1e6,
        # The counter counts two for a multiply-add.
        "gmadds": counter.get_total_flops() / 2e9,
        "depth": network.config.trunk_depth,
        "paper": PAPER[name],
    }


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """One row of the table."""
    mparams, gmadds, depth = row["paper"]
    return (
        f"`{row['name']}`",
        *(f"{row['mparams']:.2f}", f"{mparams}", f"{100 * (row['mparams'] / mparams - 1):+.1f} %"),
        *(f"{row['gmadds']:.2f}", f"{gmadds}", f"{100 * (row['gmadds'] / gmadds - 1):+.1f} %"),
        f"{row['depth']} ({depth})",
    )


HEADER = (
    *("network", "M params", "paper", "difference"),
    *("G multiply-adds", "paper", "difference", "depth (paper)"),
)


def main() -> None:
    """Count and write the results."""
    rows = [count(name) for name in PRESETS]
    text = table(HEADER, map(cells, rows))
    print(text)
    command = "python benchmarks/residual_attention_table.py"
    write_result("residual_attention", command, {"rows": rows, "markdown": text})


if __name__ == "__main__":
    main()
