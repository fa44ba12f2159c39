"""Does guidance help where the background carries the score? A planted signal, EAT's variants side by side.

    uv run python benchmarks/eat_background.py [--seeds 3]

The paper's claim (section 3): a network that learned salient objects neglects the background, and guided
offsets mend it. So each small network learns first a trait of a bright object in noise, then, for few epochs
at another seed, a score that is nothing but the contrast of a faint grating *behind* that object. Variants
differ by one mechanism and begin with the same weights, seed by seed.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from record import table, tell, write_result
from scipy.stats import wilcoxon
from torch.nn import functional as F

from generic.eat.attention_maps import look
from generic.model.checkpoint import NETWORK, load_checkpoint
from generic.photos.open import load_pixels
from generic.pretrain.config import NetworkSpec, Settings
from generic.pretrain.job import Job, Outcome, run_job
from generic.pretrain.objective import Targets
from generic.pretrain.photos import FolderSource, Photos
from generic.pretrain.trained_network import build_network
from generic.progress import no_progress
from generic.seeds import stream

SIDE = 64
N_TRAIN, N_VALIDATION, N_TEST = 192, 48, 300
SALIENT_EPOCHS, EPOCHS = 4, (4, 12)
EAT: dict[str, Any] = {
    "dims": [24, 48, 96],
    "stages": ["LS", "EE", "EE"],
    "heads": [1, 2, 4],
    "groups": [1, 2, 4],
    "windows": 4,
    "k_in": [8, 2, 1],
    "k_offset": [7, 5, 3],
    "drop_path_rate": 0.0,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "EAT": {},
    "guidance without rotation": {"rotate": "none"},
    "no guidance": {"guide": False},
    "no offsets, no guidance": {"guide": False, "offsets": False},
}
SEEN = "stages.1.blocks.1.attention"
"""The layer that is looked into: 49 points on an 8 x 8 map."""

Float = NDArray[np.float64]


def grating(rng: np.random.Generator, x: Float, y: Float, waves: float) -> Float:
    """A grating of any direction and phase, in [-1, 1]."""
    angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
    return np.asarray(np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)) + phase))


def draw(number: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_], float, float]:
    """A picture, where its background is, the object's redness and the background's contrast, both 0 to 1."""
    rng = stream(0, "background", number)
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE
    (cx, cy), (a, b), turn = rng.uniform(0.35, 0.65, 2), rng.uniform(0.12, 0.25, 2), rng.uniform(0, np.pi)
    u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
    v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
    behind = (u / a) ** 2 + (v / b) ** 2 >= 1
    contrast, redness, blue = rng.uniform(size=3)
    scene = np.repeat(0.4 + (0.01 + 0.04 * contrast) * grating(rng, x, y, 8)[..., None], 3, axis=2)
    stripes = np.where(grating(rng, x, y, 6) > 0, 1.0, 0.3)
    scene = np.where(behind[..., None], scene, stripes[..., None] * np.array([redness, 1 - redness, blue]))
    noisy = scene + rng.normal(0, 0.04, scene.shape)
    return (noisy.clip(0, 1) * 255).round().astype(np.uint8), behind, redness, contrast


class Pictures:
    """All pictures as files, with both scores."""

    def __init__(self, folder: Path) -> None:
        self.names = [f"{number:04d}.png" for number in range(N_TRAIN + N_VALIDATION + N_TEST)]
        drawn = [draw(number) for number in range(len(self.names))]
        for name, (pixels, *_) in zip(self.names, drawn, strict=True):
            Image.fromarray(pixels).save(folder / name)
        self.source = FolderSource({name: folder / name for name in self.names})
        self.behind = np.stack([behind for _, behind, _, _ in drawn])
        self.scores = {
            "object": np.array([redness for *_, redness, _ in drawn]),
            "background": np.array([contrast for *_, contrast in drawn]),
        }

    def photos(self, first: int, n: int, score: str) -> Photos:
        """Some of them with one of the scores."""
        units = torch.tensor(self.scores[score][first : first + n]).float()
        return Photos(names=self.names[first : first + n], source=self.source, targets=Targets(scores=units))


def train(
    pictures: Pictures, variant: str, score: str, out: Path, *, epochs: int, seed: int, start: Path | None
) -> Outcome:
    """One training by the command's own loop; tested once on pictures that chose nothing."""
    settings = Settings(
        loss="mse", rate=1e-3, epochs=epochs, batch=32, flip=False, workers=0, seed=seed, save_every=10**6
    )
    job = Job(
        name="planted",
        preset=variant,
        network=NetworkSpec(name="eat_tiny_patch4_224", size=SIDE, options=EAT | VARIANTS[variant]),
        settings=settings,
        start=None if start is None else str(start),
        data=score,
        details={},
        fingerprint=score,
        train=pictures.photos(0, N_TRAIN, score),
        validation=pictures.photos(N_TRAIN, N_VALIDATION, score),
        test=pictures.photos(N_TRAIN + N_VALIDATION, N_TEST, score),
        scale=(0.0, 1.0),
        threshold=0.5,
    )
    return run_job(
        job,
        out,
        bar=lambda *_: nullcontext(no_progress),
        tell=lambda *_: None,
        on_epoch=lambda *_: None,
    )


def looks_behind(pictures: Pictures, variant: str, file: Path) -> tuple[float, float]:
    """Share of points in the background, and of attention that goes to them, on the test pictures."""
    trainee = build_network(
        NetworkSpec(name="eat_tiny_patch4_224", size=SIDE, options=EAT | VARIANTS[variant])
    )
    _, tensors = load_checkpoint(file)
    state = {key.removeprefix(NETWORK): torch.from_numpy(value) for key, value in tensors.items()}
    trainee.network.load_state_dict(state)
    names = pictures.names[-N_TEST:]
    pixels = np.stack([load_pixels(pictures.source.open(name), SIDE) for name in names])
    _, layers = look(trainee.network, trainee.normalise(torch.from_numpy(pixels)))
    seen = layers[SEEN]
    b, g, n, _ = seen.positions.shape
    weights = seen.weights.reshape(b, g, -1, seen.weights.shape[2], n).mean((2, 3))
    masks = torch.from_numpy(pictures.behind[-N_TEST:]).float()[:, None]
    there = F.grid_sample(masks, seen.positions.reshape(b, g, n, 2), mode="nearest", align_corners=True)
    return float(there.mean()), float((there[:, 0] * weights).sum(2).mean())


def run(pictures: Pictures, variant: str, seed: int, folder: Path) -> dict[str, float]:
    """Learn the object, then the background; test SRCC of each, and where the network looks at the end."""
    first = train(
        pictures, variant, "object", folder / "object", epochs=SALIENT_EPOCHS, seed=seed, start=None
    )
    found = {"object": first.test["srcc"]}
    for epochs in EPOCHS:
        done = train(
            pictures,
            variant,
            "background",
            folder / str(epochs),
            epochs=epochs,
            seed=seed + 1000,
            start=first.model,
        )
        found[f"background {epochs}"] = done.test["srcc"]
    found["points"], found["attention"] = looks_behind(pictures, variant, done.model)
    return found


def report(found: dict[str, list[dict[str, float]]]) -> tuple[str, dict[str, float]]:
    """The table, and p of paired Wilcoxon tests of EAT against each variant at the longer training."""
    last = f"background {EPOCHS[-1]}"

    def cell(rows: list[dict[str, float]], key: str) -> str:
        values = np.array([row[key] for row in rows])
        return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}" if len(values) > 1 else f"{values[0]:.3f}"

    header = (
        *("", "object", *(f"background, {epochs} epochs" for epochs in EPOCHS)),
        *("points behind", "attention behind"),
    )
    keys = ("object", *(f"background {epochs}" for epochs in EPOCHS), "points", "attention")
    text = table(header, [(name, *(cell(rows, key) for key in keys)) for name, rows in found.items()])
    own = [row[last] for row in found["EAT"]]
    return text, {
        name: float(wilcoxon(own, [row[last] for row in rows]).pvalue)
        for name, rows in found.items()
        if name != "EAT" and len(rows) > 1
    }


def main() -> None:
    """Train every variant from every seed and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    found: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = Pictures(folder)
        for seed in range(seeds):
            for place, variant in enumerate(VARIANTS):
                row = run(pictures, variant, seed, folder / f"{seed}-{place}")
                found[variant].append(row)
                tell(f"seed {seed}, {variant}: " + ", ".join(f"{k} {v:.3f}" for k, v in row.items()))
    text, p = report(found)
    print(text)
    figures = {
        "pictures": {"train": N_TRAIN, "validation": N_VALIDATION, "test": N_TEST, "side": SIDE},
        "background_area": float(pictures.behind[-N_TEST:].mean()),
        "runs": found,
        "p_against_EAT": p,
        "markdown": text,
    }
    write_result("eat_background", f"python benchmarks/eat_background.py --seeds {seeds}", figures)


if __name__ == "__main__":
    main()
