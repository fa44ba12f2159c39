"""What EfficientNet-Lite1, -Lite2 and NIMA say of photos, for ``benchmarks/lite3_study.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from generic.lite.ava_weights import ava_network
from generic.lite.piaa_lite import PiaaLite
from generic.lite.sketch import fit_sketch
from generic.lite.stems import Stem, pooled, smaller
from generic.lite.train import LiteConfig, imagenet_stems
from generic.photos.open import load_pixels

Array = NDArray[np.float64]
STEMS = ("Lite1", "Lite2", "NIMA")
EARLY = {"Lite1": 2 * (16 + 3 * 24 + 3 * 40 + 4 * 80), "Lite2": 2 * (16 + 3 * 24 + 3 * 48 + 4 * 88)}
"""Moments of the blocks before ``FIRST_TAP``, which come first."""


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

    def late(self) -> Taps:
        """What a model sketches: both stems' blocks from ``FIRST_TAP`` on."""
        return replace(self, blocks={name: self.blocks[name][:, n:] for name, n in EARLY.items()})

    def tuned(self, paths: Sequence[Path], network: PiaaLite) -> Taps:
        """The same with the tuned late stages of a trained model in the place of Lite2's own."""
        found = []
        with torch.inference_mode():
            for path in paths:
                early = network.stem.early(_photo(path))
                found.append(pooled([*early, *network.tuned.late(early[-1])]).numpy())
        return replace(self, blocks={**self.blocks, STEMS[1]: np.concatenate(found)})


def _photo(path: Path) -> torch.Tensor:
    """A photo as the networks take it, shape (1, 3, size, size)."""
    pixels = load_pixels(path, LiteConfig().size)[None]
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def look(paths: Sequence[Path], weights: Path, file: Path) -> Taps:
    """Run the networks once; what they said is kept in ``file``."""
    if not file.exists():
        stems, expert = imagenet_stems(LiteConfig()), ava_network(weights)
        found: list[list[NDArray[Any]]] = []
        with torch.inference_mode():
            for path in paths:
                x = _photo(path)
                whole, early = stems.stem.maps(x)
                maps, score = expert(smaller(x, Stem.EXPERT_SIZE))
                every = (whole, [*early, *stems.late(early[-1])], maps)
                found.append([*(pooled(each).numpy() for each in every), score.numpy()])
        columns = [np.concatenate(column) for column in zip(*found, strict=True)]
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **dict(zip((*STEMS, "ava"), columns, strict=True)))
    content = np.load(file)
    return Taps(blocks={name: content[name] for name in STEMS}, ava=content["ava"].astype(np.float64))


def sketched(seen: Array, every: Array, r: int) -> Array:
    """Sketches (n, r) of features (n, t), drawn and scaled by those of the photos that taught."""
    tensors = fit_sketch(seen.astype(np.float32), r, 0)
    terms = (every[:, tensors["order"]] - tensors["mean"]) * tensors["scale"]
    return np.asarray(terms.reshape(len(every), -1, r).sum(1))
