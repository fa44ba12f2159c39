"""Whether EAT can earn its place in ``piaa-lite``: taught by an expert, by raters, by all blocks.

    uv run --group train --with h5py python benchmarks/distil_study.py ROOT --ava FILE --out runs/distil

Each list is left out: none of its photos, nor of its people, is learned from. A teacher, NIMA, which learned
from AVA, scores views of the other photos: cropped, turned, mirrored (``VIEWS`` of each). The branch, or its
EAT stages alone, first learn what the teacher says, and then, as ever, what people said. Beside these: every
rater a target of its own in place of directions of taste; twice as many passes; EAT stages that see the maps
of every late block. The score is put together as the shipped model's: half the kernel head's, half the
branch's, a fifth of NIMA's. What EAT earns is the difference of that from the same network whose EAT stages
say nothing. A unit that is finished is kept, so a stopped study goes on.

Writes ``benchmarks/results/distil_study.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from distil_tables import ALONE, BASE, MUTE, SAID, Scores, tables
from distil_views import VIEWS, make_views
from lite_study import Nothing
from numpy.typing import NDArray
from oasis import LISTS
from oasis_sides import WITHOUT, Lists, load_lists
from record import tell, write_result
from torch import Tensor
from train_piaa_lite import N_TASTES, config_for, unit_means

from generic.atomic import write_bytes
from generic.lite.ava_weights import ava_network
from generic.lite.piaa_lite import EATBranch, TunedBranch
from generic.lite.train import LiteConfig, Maps, Stems, fit_pooled, imagenet_stems, stem_maps
from generic.lite.tune import TuneConfig, Tuner, predict
from generic.lite.widen import WidenConfig
from generic.metrics import spearman
from generic.photos.open import load_pixels
from generic.seeds import stream
from piaa.ratings.table import Ratings
from piaa.ratings.tastes import taste_directions

Array = NDArray[np.float64]
Taught = Literal["branch", "eat"]
TEACHER_EPOCHS = 3
"""Passes over the views."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row."""

    eat: bool = True
    taught: Taught | None = None
    """What the teacher taught first."""
    raters: bool = False
    """Every rater a target, in place of directions of taste."""
    blocks: bool = False
    """EAT's second stage sees the maps of every late block."""
    epochs: int = TuneConfig().epochs


VARIANTS = {
    BASE: Variant(),
    "without EAT stages": Variant(eat=False),
    "late stages and EAT taught by NIMA": Variant(taught="branch"),
    "EAT alone taught by NIMA": Variant(taught="eat"),
    "every rater a target": Variant(raters=True),
    "twelve passes": Variant(epochs=12),
    "EAT sees every late block": Variant(blocks=True),
    "EAT taught, every late block, every rater, twelve passes": Variant(
        taught="eat", blocks=True, raters=True, epochs=12
    ),
}
"""Files of units are named by the place here, so new variants go to the end."""


class Tapped(TunedBranch):
    """A branch whose second EAT stage sees all late maps, side by side."""

    def _features(self, middle: Tensor, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        *blocks, _, head = maps
        return head.float().mean((2, 3)), self.eat(middle, torch.cat(blocks, 1))


class VariantTuner(Tuner):
    """A tuner whose branches begin as a variant of the usual one, or as a taught one.

    Args:
        stems: networks to begin with.
        config: settings.
        variant: the row.
        taught: the branch that the teacher taught; None before it did.
        only_eat: whether the late stages stay as they are.
    """

    def __init__(
        self,
        stems: Stems,
        config: LiteConfig,
        variant: Variant,
        *,
        taught: TunedBranch | None = None,
        only_eat: bool = False,
    ) -> None:
        super().__init__(stems.late, size=config.size, config=config.tune, seed=config.seed)
        self._variant, self._whole = variant, config
        self._taught, self._only_eat = taught, only_eat

    def start(self, n_out: int) -> TunedBranch:
        """See :class:`Tuner`."""
        branch = super().start(n_out)
        if not self._variant.eat:
            branch.eat = Nothing(sum(self._whole.tune.eat_dims))  # type: ignore[assignment]
        if self._variant.blocks:
            branch = self._tapped(branch, n_out)
        if self._taught is not None:
            branch.late.load_state_dict(self._taught.late.state_dict())
            branch.eat.load_state_dict(self._taught.eat.state_dict())
        if self._only_eat:
            branch.late.requires_grad_(requires_grad=False)
        return branch.eval().to(memory_format=torch.channels_last)

    def _tapped(self, branch: TunedBranch, n_out: int) -> TunedBranch:
        side, tune = self._whole.size, self._whole.tune
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(stream(self._whole.seed, "distil", "start").integers(2**31)))
            whole = Tapped(size=side, eat_dims=tune.eat_dims, k_in=tune.k_in, n_out=n_out)
            seen = branch.late(torch.zeros(1, 120, side // 16, side // 16))[:-2]
            channels = 120, sum(one.shape[1] for one in seen)
            whole.eat = EATBranch(channels, (side // 16, side // 32), tune.eat_dims, k_in=tune.k_in)
        whole.late, whole.out, whole.eat_out = branch.late, branch.out, branch.eat_out
        return whole


class Study:
    """The units, from the data.

    Args:
        root: folder of the data set.
        lists: the same, read.
        ava: NIMA's weights.
        out: where views are kept.
    """

    def __init__(self, root: Path, lists: Lists, ava: Path, out: Path) -> None:
        self._lists, self._names = lists, sorted(lists.whole.labelled())
        self._stems, expert = imagenet_stems(LiteConfig()), ava_network(ava)
        paths = [root / "images" / name for name in self._names]
        self._views = make_views(self._stems.stem, expert, paths, out / "views")
        self._maps = self._kept_maps(paths, out / "maps.pt")
        self._taught: dict[tuple[int, Taught, bool], TunedBranch] = {}

    def _kept_maps(self, paths: Sequence[Path], file: Path) -> Maps:
        if not file.exists():
            size = LiteConfig().size
            maps = stem_maps(self._stems.stem, np.stack([load_pixels(path, size) for path in paths]))
            torch.save({"taps": maps.taps, "middle": maps.middle}, file)
        return Maps(**torch.load(file))

    def _rows(self, photos: Sequence[str]) -> NDArray[np.intp]:
        return np.searchsorted(np.array(self._names), np.array(photos))

    def measure(self, variant: Variant, number: int, seed: int) -> dict[str, Any]:
        """Scores of the photos of list ``number``, with what EAT says and without."""
        ratings = self._lists.learned_from(WITHOUT[number])
        photos = sorted(set(ratings.images))
        tune = replace(TuneConfig(), epochs=variant.epochs)
        config, rows = replace(config_for(len(photos)), seed=seed, tune=tune), self._rows(photos)
        means, maps = unit_means(ratings, photos), self._maps.take(rows)
        targets = np.concatenate((means[:, None], further(ratings, photos, variant)), 1)
        taught = self._teach(variant, number, rows) if variant.taught else None
        tuner, started = VariantTuner(self._stems, config, variant, taught=taught), time.process_time()
        branch = tuner.train(maps.middle, targets, "all", runs=1)
        seconds = time.process_time() - started
        tested = self._rows(sorted(self._lists.single[number].labelled()))
        unseen = self._maps.take(tested)
        pooled = fit_pooled(maps.taps.mean(1).double().numpy(), means, config)
        kernel = pooled.score(unseen.taps.mean(1).double().numpy())
        beside = kernel / 2 + WidenConfig().weight * self._views.plain[tested]
        found: dict[str, Any] = {"cpu_s": seconds, ALONE: beside.tolist()}
        found[SAID] = (beside + predict(branch, unseen.middle) / 2).tolist()
        torch.nn.init.zeros_(branch.eat_out.weight)
        found[MUTE] = (beside + predict(branch, unseen.middle) / 2).tolist()
        if taught is not None:
            found["like_teacher"] = spearman(predict(taught, unseen.middle), self._views.plain[tested])
        return found

    def _teach(self, variant: Variant, number: int, rows: NDArray[np.intp]) -> TunedBranch:
        """What has learned from the teacher's scores of views of the photos in ``rows``."""
        if variant.taught is None:
            raise ValueError("nothing is taught")
        key = number, variant.taught, variant.blocks
        if key not in self._taught:
            config = replace(LiteConfig(), tune=replace(TuneConfig(), epochs=TEACHER_EPOCHS))
            start = replace(variant, taught=None)
            tuner = VariantTuner(self._stems, config, start, only_eat=variant.taught == "eat")
            views, started = self._views.take(rows), time.process_time()
            branch = tuner.train(views.middle, views.scores[:, None], f"teacher, list {number}", runs=1)
            tell(f"taught {key}: {time.process_time() - started:.0f} CPU s on {len(views.scores)} views")
            self._taught[key] = branch
        return self._taught[key]

    def wanted(self, number: int) -> Array:
        """Mean scores of a list's photos."""
        single = self._lists.single[number]
        return np.array([single.means[name] for name in sorted(single.labelled())])


def further(ratings: Ratings, photos: Sequence[str], variant: Variant) -> Array:
    """Targets beside the mean score, NaN where unknown, shape (n, t)."""
    if not variant.raters:
        return taste_directions(ratings, photos, N_TASTES)
    row = {photo: number for number, photo in enumerate(photos)}
    column = {user: number for number, user in enumerate(sorted(set(ratings.users)))}
    found = np.full((len(photos), len(column)), np.nan)
    for image, user, score in zip(ratings.images, ratings.users, ratings.unit_scores, strict=True):
        found[row[image], column[user]] = score
    spread = np.nanstd(found, 0)
    varied = found[:, spread > 0]
    standard: Array = (varied - np.nanmean(varied, 0)) / spread[spread > 0]
    return standard


def units(seeds: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    """All of them, seed by seed and list by list, so that what was taught is used again."""
    for seed in seeds:
        for number in LISTS:
            for name in VARIANTS:
                yield name, number, seed


def unit_file(folder: Path, name: str, number: int, seed: int) -> Path:
    """Where one unit's scores are."""
    return folder / f"{list(VARIANTS).index(name):02d}-list-{number}-seed-{seed}.json"


def collected(seeds: Sequence[int], folder: Path) -> dict[str, list[dict[int, Any]]]:
    """Variant -> seed -> list -> what was found, of seeds that have every list."""
    found = {}
    for name in VARIANTS:
        files = [{number: unit_file(folder, name, number, seed) for number in LISTS} for seed in seeds]
        whole = [each for each in files if all(file.exists() for file in each.values())]
        found[name] = [
            {number: json.loads(file.read_text()) for number, file in each.items()} for each in whole
        ]
    return found


def run(study: Study, seeds: Sequence[int], folder: Path) -> None:
    """Measure what is missing."""
    for name, number, seed in units(seeds):
        file = unit_file(folder, name, number, seed)
        if file.exists():
            continue
        found = study.measure(VARIANTS[name], number, seed)
        write_bytes(file, json.dumps(found).encode())
        wanted = study.wanted(number)
        srcc = {kind: round(spearman(np.array(found[kind]), wanted), 4) for kind in (SAID, MUTE, ALONE)}
        tell(f"{name}, list {number}, seed {seed}: {srcc}, {found['cpu_s']:.0f} CPU s")


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--ava", type=Path, required=True, help="NIMA's weights")
    parser.add_argument("--out", type=Path, default=Path("runs/distil"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    study = Study(given.root, load_lists(given.root), given.ava, given.out)
    run(study, given.seeds, given.out)
    wanted = {number: study.wanted(number) for number in LISTS}
    scores = Scores(wanted, collected(given.seeds, given.out))
    command = (
        "uv run --group train --with h5py python benchmarks/distil_study.py ROOT --ava FILE --out runs/distil"
    )
    write_result("distil_study", command, {"views": VIEWS, **tables(scores)})


if __name__ == "__main__":
    main()
