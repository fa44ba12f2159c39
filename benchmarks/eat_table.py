"""Parameters and FLOPs of every EAT layout, ablation and preset, beside the paper's.

    uv run python benchmarks/eat_table.py

Networks are laid out on the meta device: no weight exists, so the base sizes take seconds. FLOPs are
torch's own count (two for a multiply-add, matrix products and convolutions) for one image.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
from record import table, tell, write_result
from torch.utils.flop_counter import FlopCounterMode

from generic.eat import EAT, EATConfig, preset
from generic.eat.layouts import TABLE4, TABLE5
from generic.eat.registry import PRESETS

PAPER4 = {
    "SSSS": (240, 87.0), "ESSS": (230, 86.9), "EESS": (207, 86.9), "EEES": (160, 86.6),
    "DDDD": (240, 87.0), "EDDD": (231, 86.9), "EEDD": (210, 86.8), "EEED": (155, 86.7),
    "EEEE": (130, 86.7), "SEEE": (137, 86.8), "SSEE": (140, 87.0), "SSSE": (203, 87.0),
}  # fmt: skip
"""Table 4: GFLOPs and million parameters."""
PAPER5 = {
    "no interest": (139.96, 86.9),
    "no guide": (139.96, 87.0),
    "no offsets, no guide": (139.84, 86.9),
    "no interest, no offsets, no guide": (139.80, 86.8),
}
"""Table 5; ``full`` is SSEE of Table 4."""
PAPER_SIZES = {224: 140, 512: 200, 640: 280}
"""Table 1: GFLOPs of EAT at its three input sizes, 87 M parameters each."""
CLOSE = 0.05
"""A ratio within 5 % of the paper's counts as reproduced."""


def count(network: torch.nn.Module, side: int) -> tuple[float, float]:
    """GFLOPs for one image, and million parameters."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network.eval().to("meta")(torch.empty(1, 3, side, side, device="meta"))
    return counter.get_total_flops() / 1e9, sum(p.numel() for p in network.parameters()) / 1e6


def measure(options: dict[str, Any]) -> tuple[float, float]:
    """As :func:`count`, for a network with these options."""
    with torch.device("meta"):
        network = EAT(**options)
    return count(network, network.config.img_size)


def floor(layout: str, total: float) -> float:
    """FLOPs over those of ``SSSS`` if the attention of the layout's D and E stages cost nothing at all."""
    config = EATConfig(**preset("base", layout="SSSS"))
    free = 0.0
    for stage, letter in enumerate(layout):
        dim, positions = config.dims[stage], config.map_side(stage) ** 2
        # Four projections, and 49 keys for each query, twice.
        attention = positions * (4 * dim**2 + 2 * 49 * dim)
        free += (letter != "S") * len(config.stages[stage]) * attention
    return 1 - 2 * free / 1e9 / total


def verdict(ratio: float, paper: float, least: float) -> str:
    """Whether a ratio is the paper's; if not, why it cannot be or why ours is another."""
    if abs(ratio / paper - 1) <= CLOSE:
        return "yes"
    if paper < least:
        return f"no: with attention for nothing there it would be {least:.2f}"
    return "no: on the larger maps a query has more keys (56x56 to 14x14 points) than in a window (7x7)"


def layouts() -> list[dict[str, Any]]:
    """Table 4, every block of a D or E stage deformable and, as released, every second."""
    rows, base = [], {}
    for layout in TABLE4:
        row: dict[str, Any] = {
            "layout": layout,
            "paper_gflops": PAPER4[layout][0],
            "paper_mparams": PAPER4[layout][1],
        }
        for kind, alternate in (("all", False), ("second", True)):
            gflops, mparams = measure(preset("base", layout=layout, alternate=alternate))
            base.setdefault(kind, gflops)
            row |= {
                f"{kind}_gflops": gflops,
                f"{kind}_mparams": mparams,
                f"{kind}_ratio": gflops / base[kind],
            }
            tell(f"{layout} {kind}: {gflops:.2f} GFLOPs, {mparams:.2f} M")
        row |= {
            "paper_ratio": PAPER4[layout][0] / PAPER4["SSSS"][0],
            "least_ratio": floor(layout, base["all"]),
        }
        rows.append(row)
    return rows


def ablations() -> list[dict[str, Any]]:
    """Table 5."""
    rows = []
    for name, switches in TABLE5.items():
        gflops, mparams = measure({**preset("base"), **switches})
        paper = PAPER5.get(name, PAPER4["SSEE"])
        rows.append({"without": name, "gflops": gflops, "mparams": mparams, "paper": paper})
    return rows


def presets() -> list[dict[str, Any]]:
    """Every registered EAT and DAT, and timm's Swin of the same widths."""
    rows = []
    for name in PRESETS:
        gflops, mparams = measure(PRESETS[name])
        rows.append({"name": name, "gflops": gflops, "mparams": mparams})
    for size in ("tiny", "small", "base"):
        name = f"swin_{size}_patch4_window7_224"
        with torch.device("meta"):
            network = timm.create_model(name, num_classes=10)
        gflops, mparams = count(network, 224)
        rows.append({"name": f"timm's {name}", "gflops": gflops, "mparams": mparams})
    return rows


HEADER4 = (
    *("layout", "GFLOPs", "M params", "/ SSSS", "every 2nd block: / SSSS"),
    *("paper: GFLOPs", "paper: M params", "paper: / SSSS", "ratio reproduced"),
)
HEADER5 = (
    *("without", "GFLOPs", "M params", "/ full"),
    *("paper: GFLOPs", "paper: M params", "paper: / full", "ratio reproduced"),
)


def row4(row: dict[str, Any]) -> tuple[str, ...]:
    """One layout of Table 4."""
    return (
        f"`{row['layout']}`",
        f"{row['all_gflops']:.1f}",
        f"{row['all_mparams']:.1f}",
        f"{row['all_ratio']:.2f}",
        f"{row['second_ratio']:.2f}",
        f"{row['paper_gflops']}",
        f"{row['paper_mparams']}",
        f"{row['paper_ratio']:.2f}",
        verdict(row["all_ratio"], row["paper_ratio"], row["least_ratio"]),
    )


def row5(row: dict[str, Any], full: dict[str, Any]) -> tuple[str, ...]:
    """One ablation of Table 5."""
    ratio, paper = row["gflops"] / full["gflops"], row["paper"][0] / full["paper"][0]
    return (
        row["without"] if row is not full else "nothing (`SSEE`)",
        f"{row['gflops']:.2f}",
        f"{row['mparams']:.2f}",
        f"{ratio:.4f}",
        f"{row['paper'][0]}",
        f"{row['paper'][1]}",
        f"{paper:.4f}",
        verdict(ratio, paper, 0.0),
    )


def markdown(found: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """The three tables."""
    five = found["eat_table5"]
    presets = ((f"`{r['name']}`", f"{r['gflops']:.2f}", f"{r['mparams']:.2f}") for r in found["eat_presets"])
    return {
        "eat_table4": table(HEADER4, map(row4, found["eat_table4"])),
        "eat_table5": table(HEADER5, (row5(row, five[0]) for row in five)),
        "eat_presets": table(("model", "GFLOPs", "M params"), presets),
    }


def main() -> None:
    """Count everything and write the results."""
    found = {"eat_table4": layouts(), "eat_table5": ablations(), "eat_presets": presets()}
    for name, text in markdown(found).items():
        print(text, end="\n\n")
        write_result(name, "python benchmarks/eat_table.py", {"rows": found[name], "markdown": text})


if __name__ == "__main__":
    main()
