"""Whether the heat map of ``piaa explain`` says what raises a score: against what blurring takes away.

    uv run python benchmarks/explain_heat.py ROOT --model runs/lite/piaa-lite-without-3.safetensors

For some photos of OASIS list 3, which the model file must not have seen, each of 8 x 8 patches is blurred in
turn; the fall of the score is compared by rank with the heat within the patch, for HiResCAM, which the
command uses, and for Grad-CAM on the same maps.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oasis import load_oasis
from PIL import Image, ImageFilter
from record import table, tell, write_result

from generic.engine.torch_engine import as_input
from generic.explain.heat import maps_read, mean_heat
from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels
from generic.seeds import stream

LEFT_OUT, PATCHES, BLUR = 3, 8, 12.0
METHODS = {
    "HiResCAM": lambda values, gradient: values * gradient,
    "Grad-CAM": lambda values, gradient: values * gradient.mean((2, 3), keepdim=True),
}
"""Name -> the heat of each position and channel of a map, from the map and the score's gradient by it."""


def falls(model: GenericModel, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How far the score falls when a patch is blurred, shape (PATCHES, PATCHES)."""
    blurred = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(BLUR)))
    side = len(pixels) // PATCHES
    changed = np.repeat(pixels[None], PATCHES**2, axis=0)
    for place, one in enumerate(changed):
        row, column = (slice(side * at, side * (at + 1)) for at in divmod(place, PATCHES))
        one[row, column] = blurred[row, column]
    whole = model.vectors(pixels[None])[0, 0]
    scores = np.concatenate([model.vectors(part)[:, 0] for part in np.array_split(changed, PATCHES)])
    return (whole - scores).reshape(PATCHES, PATCHES)


def heats(model: GenericModel, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Mean heat of each patch by method, shape (PATCHES, PATCHES)."""
    side, found = len(pixels) // PATCHES, {}
    maps = maps_read(model.network, as_input(pixels[None]))
    for name, method in METHODS.items():
        heat = mean_heat([method(*one).sum(1, keepdim=True) for one in maps], len(pixels))[0, 0].numpy()
        found[name] = heat.reshape(PATCHES, side, PATCHES, side).mean((1, 3)).astype(np.float64)
    return found


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--model", type=Path, default=Path("runs/lite/piaa-lite-without-3.safetensors"))
    parser.add_argument("--photos", type=int, default=48)
    given = parser.parse_args()
    data, model = load_oasis(given.root), GenericModel(given.model)
    rows = np.flatnonzero(data.lists == LEFT_OUT)
    chosen = stream(0, "explain heat").permutation(rows)[: given.photos]
    found: dict[str, list[float]] = {name: [] for name in METHODS}
    for number, row in enumerate(chosen, 1):
        pixels = load_pixels(data.paths[row], model.size, fit=model.fit)
        fall = falls(model, pixels)
        for name, heat in heats(model, pixels).items():
            found[name].append(spearman(heat.ravel(), fall.ravel()))
        tell(
            f"{number}/{len(chosen)} {data.names[row]}: "
            + ", ".join(f"{n} {v[-1]:.2f}" for n, v in found.items())
        )
    figures: dict[str, Any] = {
        name: {
            "mean": float(np.mean(values)),
            "standard_error": float(np.std(values, ddof=1) / len(values) ** 0.5),
        }
        for name, values in found.items()
    }
    text = table(
        ("heat map", "rank correlation with the fall of the score"),
        [(name, f"{one['mean']:.2f} ± {one['standard_error']:.2f}") for name, one in figures.items()],
    )
    command = f"python benchmarks/explain_heat.py ROOT --model {given.model.name} --photos {given.photos}"
    write_result("explain_heat", command, {"photos": len(chosen), "figures": figures, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
