"""How quick EAT is, against timm's Swin of the same widths and a plain way of computing the same.

    uv run python benchmarks/eat_speed.py
    uv run python benchmarks/eat_speed.py --sizes tiny --rounds 3      a shorter look

Forward (evaluation) and forward with backward (training), float32 and bf16 autocast, everything that is
compared in turns within each round; medians, and ratios of medians. On a GPU, with ``--device cuda``,
also peak memory. About 15 minutes on two cores that do nothing else.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

import timm
import torch
from plain_eat import PlainEAT
from record import table, tell, write_result
from torch import Tensor, nn

from generic.eat import EAT, preset
from generic.eat.layouts import RELEASED


def networks(size: str, device: str) -> dict[str, nn.Module]:
    """What is compared; drop path off, so that every block is computed."""
    off = {"drop_path_rate": 0.0}
    released = EAT(**{**preset(size, alternate=True), **RELEASED, **off, "over_batch": True})
    made = {
        "Swin": timm.create_model(f"swin_{size}_patch4_window7_224", num_classes=10, **off),
        "plain": PlainEAT(released),
        "ours, released layout": released,
        "ours, k_in = 8": EAT(**{**preset(size), **off}),
    }
    return {name: network.to(device) for name, network in made.items()}


def same(found: dict[str, nn.Module], x: Tensor) -> float:
    """Largest difference between the plain way and ours, on the same weights."""
    with torch.no_grad():
        plain, ours = (found[name].eval()(x) for name in ("plain", "ours, released layout"))
    return float((plain - ours).abs().max())


def once(network: nn.Module, x: Tensor, *, backward: bool, autocast: bool) -> float:
    """Seconds of one pass."""
    network.train(backward)
    network.zero_grad()
    synchronise(x)
    started = time.perf_counter()
    with (
        torch.set_grad_enabled(backward),
        torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=autocast),
    ):
        out = network(x)
    if backward:
        out.float().sum().backward()
    synchronise(x)
    return time.perf_counter() - started


def synchronise(x: Tensor) -> None:
    """Wait for a GPU."""
    if x.is_cuda:
        torch.cuda.synchronize()


def peak(network: nn.Module, x: Tensor, *, autocast: bool) -> float:
    """Peak GPU memory of forward and backward, MiB."""
    torch.cuda.reset_peak_memory_stats()
    once(network, x, backward=True, autocast=autocast)
    return torch.cuda.max_memory_allocated() / 2**20


def measure(size: str, batch: int, rounds: int, device: str) -> dict[str, Any]:
    """Medians in seconds by network, pass and precision."""
    found = networks(size, device)
    x = torch.randn(batch, 3, 224, 224, generator=torch.Generator().manual_seed(0)).to(device)
    passes = [(backward, autocast) for autocast in (False, True) for backward in (False, True)]
    seconds: dict[str, dict[str, list[float]]] = {name: {} for name in found}
    gap = same(found, x)
    for number in range(rounds + 1):  # the first round warms up
        for backward, autocast in passes:
            kind = f"{'forward+backward' if backward else 'forward'}, {'bf16' if autocast else 'float32'}"
            for name, network in found.items():
                taken = once(network, x, backward=backward, autocast=autocast)
                if number:
                    seconds[name].setdefault(kind, []).append(taken)
        tell(f"{size}: round {number} of {rounds}")
    figures: dict[str, Any] = {
        "batch": batch,
        "rounds": rounds,
        "largest_difference": gap,
        "seconds": {
            name: {kind: median(times) for kind, times in of.items()} for name, of in seconds.items()
        },
    }
    if x.is_cuda:
        figures["peak_mib"] = {
            name: {
                precision: peak(network, x, autocast=precision == "bf16") for precision in ("float32", "bf16")
            }
            for name, network in found.items()
        }
    return figures


def report(sizes: dict[str, dict[str, Any]]) -> str:
    """One table: milliseconds for an image, and the ratios that are asked."""
    rows = []
    for size, figures in sizes.items():
        seconds = figures["seconds"]
        for kind in seconds["Swin"]:
            plain, swin = seconds["plain"][kind], seconds["Swin"][kind]
            released, ours = seconds["ours, released layout"][kind], seconds["ours, k_in = 8"][kind]
            cells = (f"{1e3 * s / figures['batch']:.1f}" for s in (swin, plain, released, ours))
            rows.append(
                (
                    f"{size}, {kind}",
                    *cells,
                    f"{released / plain:.2f}",
                    f"{ours / plain:.2f}",
                    f"{ours / swin:.2f}",
                )
            )
    header = (
        "ms an image",
        "Swin",
        "plain",
        "ours, released layout",
        "ours, k_in = 8",
        "released layout / plain",
        "k_in = 8 / plain",
        "k_in = 8 / Swin",
    )
    return table(header, rows)


def main() -> None:
    """Measure everything; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="*", default=["tiny", "base"], choices=["tiny", "small", "base"])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    arguments = parser.parse_args()
    sizes = {
        size: measure(size, arguments.batch, arguments.rounds, arguments.device) for size in arguments.sizes
    }
    text = report(sizes)
    print(text)
    name = "eat_speed" if arguments.device == "cpu" else "eat_speed_gpu"
    options = f"--batch {arguments.batch} --rounds {arguments.rounds} --device {arguments.device}"
    write_result(
        name,
        f"python benchmarks/eat_speed.py --sizes {' '.join(arguments.sizes)} {options}",
        {**sizes, "threads": torch.get_num_threads(), "markdown": text},
    )


if __name__ == "__main__":
    main()
