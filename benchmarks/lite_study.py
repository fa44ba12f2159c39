"""What each part of ``piaa-lite`` is worth: the tuned branch with parts of it taken out, each list left out.

    uv run --group train python benchmarks/lite_study.py ROOT --out runs/lite-study --seeds 0 1 2

trains, for every variant, list and seed, a branch on the other lists, and measures SRCC to the mean of
raters: of the branch alone, and of its mean with the kernel head, as the model scores. The shipped file
averages three runs; rows that do not say so are single runs, to be compared with the row "one run". A unit
that is finished is kept, so a stopped study goes on; start it twice and the two share the work. Writes
``benchmarks/results/lite_study.json``, of which ``benchmarks/report.py`` makes a table.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from oasis import LISTS
from oasis_sides import WITHOUT, Lists, load_lists
from record import table, tell, write_result
from torch import Tensor, nn
from train_piaa_lite import N_TASTES, config_for, unit_means

from generic.atomic import write_bytes
from generic.eat.attention import DeformableAttention
from generic.lite.piaa_lite import TunedBranch
from generic.lite.train import LiteConfig, Maps, Stems, fit_pooled, imagenet_stems, stem_maps
from generic.lite.tune import TuneConfig, Tuner, predict
from generic.metrics import spearman
from generic.photos.open import load_pixels
from generic.seeds import stream
from piaa.ratings.tastes import taste_directions

AS_SHIPPED = "as shipped: three runs averaged"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row."""

    tune: Mapping[str, Any] = field(default_factory=dict)
    """Settings of :class:`TuneConfig` that differ."""
    attention: Mapping[str, Any] = field(default_factory=dict)
    """Options of :class:`DeformableAttention` that differ."""
    eat: bool = True
    tastes: bool = True
    runs: int = 1


VARIANTS = {
    AS_SHIPPED: Variant(runs=3),
    "one run": Variant(),
    "mean scores alone, no tastes": Variant(tastes=False),
    "without EAT": Variant(eat=False),
    "EAT: regular grid, no interest points": Variant(attention={"interest": False}),
    "EAT: no offsets": Variant(attention={"offsets": False}),
    "EAT: no guidance": Variant(attention={"guide": False}),
    "EAT: no rotation": Variant(attention={"rotate": "none"}),
    "EAT: no position bias": Variant(attention={"bias": "none"}),
    "EAT: k_in = 1": Variant(tune={"k_in": 1}),
    "EAT: k_in = 4": Variant(tune={"k_in": 4}),
    "EAT: k_in = 12": Variant(tune={"k_in": 12}),
    "EAT: half as wide": Variant(tune={"eat_dims": (32, 64)}),
    "EAT: twice as wide": Variant(tune={"eat_dims": (128, 192)}),
    "without EAT: three runs averaged": Variant(eat=False, runs=3),
}
"""Files of units are named by the place here, so new variants go to the end."""


class Nothing(nn.Module):
    """Stands in for the EAT stages: features that are zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._width = width

    def forward(self, middle: Tensor, _last: Tensor) -> Tensor:
        """As :class:`generic.lite.piaa_lite.EATBranch`."""
        return middle.new_zeros(len(middle), self._width)


class VariantTuner(Tuner):
    """A tuner whose branches begin as a variant of the usual one."""

    def __init__(self, stems: Stems, config: LiteConfig, variant: Variant) -> None:
        super().__init__(stems.late, size=config.size, config=config.tune, seed=config.seed)
        self._variant, self._whole = variant, config

    def start(self, n_out: int) -> TunedBranch:
        """See :class:`Tuner`."""
        branch, dims = super().start(n_out), self._whole.tune.eat_dims
        if not self._variant.eat:
            branch.eat = Nothing(sum(dims))  # type: ignore[assignment]
        elif self._variant.attention:
            sides = self._whole.size // 16, self._whole.size // 32
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(stream(self._whole.seed, "study", "start").integers(2**31)))
                for stage, dim, side, k_in in zip(
                    branch.eat.stages, dims, sides, (self._whole.tune.k_in, 1), strict=True
                ):
                    stage.attention = DeformableAttention(
                        dim, (side, side), heads=dim // 32, k_in=k_in, **self._variant.attention
                    )
        return branch.eval().to(memory_format=torch.channels_last)


class Study:
    """The units, from the data.

    Args:
        root: folder of the data set.
        lists: the same, read.
    """

    def __init__(self, root: Path, lists: Lists) -> None:
        self._root, self._lists = root, lists
        self._names = sorted(lists.whole.labelled())
        self._stems = imagenet_stems(LiteConfig())

    @cached_property
    def _maps(self) -> Maps:
        size = LiteConfig().size
        pixels = np.stack([load_pixels(self._root / "images" / name, size) for name in self._names])
        return stem_maps(self._stems.stem, pixels)

    def _take(self, photos: Sequence[str]) -> Maps:
        return self._maps.take(np.searchsorted(np.array(self._names), np.array(photos)))

    def measure(self, variant: Variant, number: int, seed: int) -> dict[str, float]:
        """SRCC of one unit on list ``number``."""
        ratings = self._lists.learned_from(WITHOUT[number])
        photos = sorted(set(ratings.images))
        config = replace(config_for(len(photos)), seed=seed, tune=replace(TuneConfig(), **dict(variant.tune)))
        means, maps = unit_means(ratings, photos), self._take(photos)
        tastes = taste_directions(ratings, photos, N_TASTES if variant.tastes else 0)
        targets = np.concatenate((means[:, None], tastes), 1)
        branch = VariantTuner(self._stems, config, variant).train(
            maps.middle, targets, "all", runs=variant.runs
        )
        own = self._lists.single[number]
        tested = sorted(own.labelled())
        unseen, wanted = self._take(tested), np.array([own.means[name] for name in tested])
        tuned = predict(branch, unseen.middle)
        pooled = fit_pooled(maps.taps.mean(1).double().numpy(), means, config)
        kernel = pooled.score(unseen.taps.mean(1).double().numpy())
        return {"branch": spearman(tuned, wanted), "with_kernel": spearman((tuned + kernel) / 2, wanted)}


def units(variants: Sequence[str], seeds: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    """All of them, seed by seed: a stopped study has every variant before it has every seed."""
    for seed in seeds:
        for name in variants:
            for number in LISTS:
                yield name, number, seed


def run(study: Study, variants: Sequence[str], seeds: Sequence[int], folder: Path) -> None:
    """Measure what is missing; a unit that another process has begun is left to it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, number, seed in units(variants, seeds):
        file = unit_file(folder, name, number, seed)
        claim = file.with_suffix(".begun")
        if file.exists():
            continue
        try:
            os.close(os.open(claim, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        try:
            found = study.measure(VARIANTS[name], number, seed)
            write_bytes(file, json.dumps(found).encode())
            tell(f"{name}, list {number}, seed {seed}: {found}")
        finally:
            claim.unlink(missing_ok=True)


def unit_file(folder: Path, name: str, number: int, seed: int) -> Path:
    """Where one unit's figures are."""
    return folder / f"{list(VARIANTS).index(name):02d}-list-{number}-seed-{seed}.json"


def collect(variants: Sequence[str], seeds: Sequence[int], folder: Path) -> dict[str, Any]:
    """Variant -> figure -> seed -> SRCC by list, of variants that have every list of a seed."""
    found: dict[str, Any] = {}
    for name in variants:
        for seed in seeds:
            files = [unit_file(folder, name, number, seed) for number in LISTS]
            if all(file.exists() for file in files):
                figures = [json.loads(file.read_text()) for file in files]
                for key in ("branch", "with_kernel"):
                    found.setdefault(name, {}).setdefault(key, {})[str(seed)] = [f[key] for f in figures]
    return found


def markdown(found: Mapping[str, Any]) -> str:
    """One row a variant: mean over lists, then mean ± standard deviation over seeds."""

    def cell(by_seed: Mapping[str, Sequence[float]], column: int | None) -> str:
        values = np.array(list(by_seed.values()))
        over = values.mean(1) if column is None else values[:, column]
        spread = f"±{over.std(ddof=1):.3f}" if len(over) > 1 else ""
        return f"{over.mean():.3f}{spread}"

    rows = []
    for name, figures in found.items():
        lists = [cell(figures["with_kernel"], column) for column in range(len(LISTS))]
        mean, alone = cell(figures["with_kernel"], None), cell(figures["branch"], None)
        rows.append([name, str(len(figures["branch"])), alone, *lists, f"**{mean}**"])
    header = ["variant", "seeds", "branch alone, mean", *(f"list {n}" for n in LISTS), "mean"]
    return table(header, rows)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--out", type=Path, default=Path("runs/lite-study"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=VARIANTS, metavar="NAME")
    given = parser.parse_args()
    run(Study(given.root, load_lists(given.root)), given.variants, given.seeds, given.out)
    found = collect(list(VARIANTS), given.seeds, given.out)
    command = "uv run --group train python benchmarks/lite_study.py ROOT --out runs/lite-study --seeds 0 1 2"
    write_result("lite_study", command, {"variants": found, "markdown": markdown(found)})


if __name__ == "__main__":
    main()
