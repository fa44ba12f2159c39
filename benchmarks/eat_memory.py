"""Memory of one training step of EAT base at 512 pixels, with and without gradient checkpointing.

    uv run python benchmarks/eat_memory.py

Each case runs in its own process; the figure is how far the process grew beyond the network with its
gradients (peak resident memory), so weights do not hide activations. About 3 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from record import table, tell, write_result

CHILD = """
import json, resource, sys
import torch, timm
import generic.eat
name, batch, checkpointing = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "yes"
network = timm.create_model(name, drop_path_rate=0.0).train()
network.set_grad_checkpointing(checkpointing)
for parameter in network.parameters():
    parameter.grad = torch.zeros_like(parameter)
side = network.config.img_size
x = torch.randn(batch, 3, side, side)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
network(x).sum().backward()
print(json.dumps({"before_mib": before, "peak_mib": peak()}))
"""


def case(name: str, batch: int, *, checkpointing: bool) -> dict[str, float]:
    """One step in a fresh process."""
    words = (name, str(batch), "yes" if checkpointing else "no")
    done = subprocess.run([sys.executable, "-c", CHILD, *words], capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    tell(f"{name}, checkpointing {words[2]}: {figures}")
    return figures


def main() -> None:
    """Measure both cases and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="eat_base_patch4_512")
    parser.add_argument("--batch", type=int, default=1)
    arguments = parser.parse_args()
    started = time.perf_counter()
    found: dict[str, Any] = {
        label: case(arguments.model, arguments.batch, checkpointing=on)
        for label, on in (("all activations kept", False), ("gradient checkpointing", True))
    }
    text = table(
        (f"`{arguments.model}`, batch {arguments.batch}, float32", "grew by, MiB", "peak, MiB"),
        (
            (label, f"{f['peak_mib'] - f['before_mib']:.0f}", f"{f['peak_mib']:.0f}")
            for label, f in found.items()
        ),
    )
    print(text)
    command = f"python benchmarks/eat_memory.py --model {arguments.model} --batch {arguments.batch}"
    write_result("eat_memory", command, {**found, "took_s": time.perf_counter() - started, "markdown": text})


if __name__ == "__main__":
    main()
