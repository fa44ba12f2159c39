"""What EfficientNet-Lite1, -Lite2 and NIMA say of photos, for ``benchmarks/lite3_study.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from generic.lite.ava_weights import ava_network
from generic.lite.piaa_lite import Expert
from generic.lite.stems import pooled, smaller
from generic.lite.train import LiteConfig, imagenet_stems
from generic.photos.open import load_pixels

Array = NDArray[np.float64]
STEMS = ("Lite1", "Lite2", "NIMA")


@dataclass(frozen=True, kw_only=True)
class Taps:
    """What frozen networks say of n photos."""

    blocks: Mapping[str, NDArray[np.float32]]
    """Moments of every block by network, each of shape (n, t)."""
    ava: Array
    """NIMA's score in [0, 1], shape (n,)."""

    def of(self, names: Sequence[str], rows: NDArray[np.intp], mean_of: NDArray[np.intp]) -> Array:
        """Moments of photos, standardised over those in ``mean_of``, shape (n, t)."""
        parts = [self.blocks[name] for name in names]
        centred = [(x[rows] - x[mean_of].mean(0)) / (x[mean_of].std(0) + 1e-6) for x in parts]
        return np.concatenate(centred, axis=1)


def look(paths: Sequence[Path], weights: Path, file: Path) -> Taps:
    """Run the networks once; what they said is kept in ``file``."""
    if not file.exists():
        stems, expert, size = imagenet_stems(LiteConfig()), ava_network(weights), LiteConfig().size
        found: list[list[NDArray[Any]]] = []
        with torch.inference_mode():
            for path in paths:
                x = torch.from_numpy(load_pixels(path, size)[None]).permute(0, 3, 1, 2).float() / 127.5 - 1
                whole, early = stems.stem.maps(x)
                maps, score = expert(smaller(x, Expert.SIZE))
                every = (whole, [*early, *stems.late(early[-1])], maps)
                found.append([*(pooled(each).numpy() for each in every), score.numpy()])
        columns = [np.concatenate(column) for column in zip(*found, strict=True)]
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **dict(zip((*STEMS, "ava"), columns, strict=True)))
    content = np.load(file)
    return Taps(blocks={name: content[name] for name in STEMS}, ava=content["ava"].astype(np.float64))
