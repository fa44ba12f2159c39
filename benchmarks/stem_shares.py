"""What each part of ``piaa-lite`` takes of a photo's time, and the whole file beside the one before.

    uv run --group train python benchmarks/stem_shares.py PHOTOS --before OLD.onnx

Time of the processor on one thread, which other work on the machine lengthens little. Parts are timed in
torch, one photo at a time; the files by ONNX Runtime, in turns, in one process. Writes
``benchmarks/results/stem_shares.json``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from numpy.typing import NDArray
from record import table, tell, write_result
from torch import nn

from generic.lite.piaa_lite import PiaaLite
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from generic.photos.find import find_images
from generic.photos.open import load_pixels

N_PHOTOS = 20
WARM = 4
"""Photos that are not counted."""
ROUNDS = 5


def parts(network: PiaaLite) -> dict[str, nn.Module]:
    """The parts that are timed, by the name that the table gives them."""
    found: dict[str, nn.Module | None] = {
        "Lite1, up to stride 16": network.stem.frozen_early,
        "Lite1, late stages": network.stem.frozen_late,
        "Lite2, up to stride 16": network.stem.early,
        "Lite2, late stages (tuned)": network.tuned.late,
        "EAT stages": network.tuned.eat,
        "NIMA (learned from AVA)": network.stem.expert,
        "sketch": network.sketch,
    }
    return {name: part for name, part in found.items() if part is not None}


def shares(network: PiaaLite, photos: list[NDArray[Any]]) -> dict[str, float]:
    """Part -> its share of the network's time, with what is left as "the rest"."""
    spent, begun = dict.fromkeys([*parts(network), "whole"], 0.0), dict[str, float]()

    def watch(name: str, part: nn.Module) -> None:
        part.register_forward_pre_hook(lambda *_: begun.update({name: time.process_time()}))
        part.register_forward_hook(
            lambda *_: spent.update({name: spent[name] + time.process_time() - begun[name]})
        )

    for name, part in {**parts(network), "whole": network}.items():
        watch(name, part)
    for number, pixels in enumerate(photos):
        if number == WARM:
            spent.update(dict.fromkeys(spent, 0.0))
        x = torch.from_numpy(pixels)[None].permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.inference_mode():
            network(x.contiguous(memory_format=torch.channels_last))
    whole = spent.pop("whole")
    found = {name: seconds / whole for name, seconds in spent.items()}
    return {**found, "the rest: heads, moments, smaller squares": 1 - sum(found.values())}


def milliseconds(files: Mapping[str, Path], photos: list[NDArray[Any]]) -> dict[str, list[float]]:
    """File -> milliseconds a photo, one a round, the files in turns."""
    engines = {name: GenericModel(file).engine for name, file in files.items()}
    found: dict[str, list[float]] = {name: [] for name in files}
    for number in range(ROUNDS + 1):
        for name, engine in engines.items():
            started = time.process_time()
            for pixels in photos:
                engine.vector(pixels)
            if number:
                found[name].append(1000 * (time.process_time() - started) / len(photos))
    return found


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("--before", type=Path, required=True, help="file of the release before")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = GenericModel(find_model())
    photos = [load_pixels(path, model.size) for path in find_images(given.photos)[: WARM + N_PHOTOS]]
    share = shares(cast("PiaaLite", model.network), photos)
    taken = milliseconds({"before": given.before, "now": find_model()}, photos[WARM:])
    tell(f"{share} {taken}")
    rows = [[name, f"{100 * value:.1f} %"] for name, value in share.items()]
    before, now = (statistics.median(taken[name]) for name in ("before", "now"))
    told = (
        f"The whole file by ONNX Runtime, one thread: {now:.1f} ms of the processor a photo, the file before "
        f"{before:.1f} ms (medians of {ROUNDS} turns of {N_PHOTOS} photos, {now / before - 1:+.0%})."
    )
    markdown = f"{table(['part', 'share of a photo in the network'], rows)}\n\n{told}"
    figures = {"hash": model.hash, "shares": share, "milliseconds": taken, "markdown": markdown}
    write_result("stem_shares", "python benchmarks/stem_shares.py ROOT/images --before OLD", figures)


if __name__ == "__main__":
    main()
