"""What richer vectors, and a network that learned from AVA, give: what ``piaa-lite`` 3 was chosen by.

    uv run --group train --with h5py python benchmarks/lite3_study.py ROOT --ava FILE --models runs/lite

looks at each photo once, with EfficientNet-Lite1, -Lite2 and NIMA as they are (moments of every block; kept
in ``OUT/taps.npz``), and takes the scores of the models of ``benchmarks/train_piaa_lite.py`` that leave a
list out. Choices are made on lists 1 and 2; ``--last`` adds list 3. Two questions:

- *recipe*: the generic score with parts added, against the mean of raters of the list left out, with an
  interval of the difference over photos.
- *forms*: what of the blocks' moments a vector keeps. A group's own photos, of categories that the model has
  not seen: 31 people and 7 of 10 photos teach what most of them like, other people and photos test it.

Writes ``benchmarks/results/lite3_study.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from lite3_group import Group
from lite3_tables import study_tables
from lite3_taps import STEMS, Taps, look, sketched
from numpy.typing import NDArray
from oasis import LISTS, Oasis, load_oasis
from oasis_sides import WITHOUT
from record import tell, write_result

from generic.cache.features import FeatureCache
from generic.lite.piaa_lite import PiaaLite
from generic.lite.pooled import gaussian
from generic.metrics import spearman
from generic.model.generic_model import GenericModel
from generic.seeds import stream

Array = NDArray[np.float64]
HALVES = (("Person", "Object"), ("Scenery", "Animal"))
"""Categories that a model learns from while the others are tested, and the other way round."""
DRAWS = 8
WEIGHTS = (0.05, 0.1, 0.15, 0.2, 0.3)
"""Of the AVA score, whose range is 1 like that of a unit score."""


class Study:
    """Both questions.

    Args:
        data: photos and ratings.
        categories: of each photo.
        taps: of each photo.
        models: folder of the models that leave a list out.
        cache: remembers their vectors.
    """

    def __init__(
        self, data: Oasis, categories: NDArray[Any], taps: Taps, models: Path, cache: FeatureCache
    ) -> None:
        self._data, self._categories, self._taps = data, categories, taps
        self._models, self._cache = models, cache
        self._tuned: dict[int, Taps] = {}

    # ---- the generic score ----

    def recipe(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Row -> SRCC for each list, and the difference from the model as it is with its interval."""
        found: dict[str, Any] = {}
        before = {number: self._scores(number) for number in numbers}
        for name, scores in self._recipes(before).items():
            gains = [self._gain(number, scores[number], before[number]) for number in numbers]
            drawn = np.mean([again for _, _, again in gains], axis=0)
            found[name] = {
                "srcc": [srcc for srcc, _, _ in gains],
                "gain": [gain for _, gain, _ in gains],
                "interval_of_the_mean": np.quantile(drawn, (0.025, 0.975)).tolist(),
            }
            tell(f"{name}: {found[name]['srcc']}")
        return found

    def _recipes(self, before: Mapping[int, Array]) -> dict[str, dict[int, Array]]:
        ava, rows = self._taps.ava, {"as it is": dict(before)}
        for weight in WEIGHTS:
            rows[f"+ {weight} AVA score"] = {n: one + weight * ava for n, one in before.items()}
        for names in (STEMS[:2], STEMS):
            ridge = {n: self._ridge(n, names) for n in before}
            for weight in (0.0, 0.1, 0.2):
                rows[f"a quarter ridge on {' '.join(names)}, + {weight} AVA score"] = {
                    n: 0.75 * one + 0.25 * ridge[n] + weight * ava for n, one in before.items()
                }
        return rows

    def _scores(self, number: int) -> Array:
        """Of the model that left a list out, of all photos; NaN but for that list."""
        model = GenericModel(self._models / f"{WITHOUT[number]}.safetensors")
        own, scores = self._list(number), np.full(len(self._data.names), np.nan)
        embedded = model.embed([self._data.paths[row] for row in own], cache=self._cache)
        scores[own] = [np.nan if item.vector is None else item.vector[0] for item in embedded]
        return scores

    def _ridge(self, number: int, names: Sequence[str], penalty: float = 0.1) -> Array:
        """Ridge regression on all moments of some networks, each network of the same weight."""
        others = np.flatnonzero(self._data.lists != number)
        every = np.arange(len(self._data.names))
        means, kernel = self._data.means[others], np.zeros((len(every), len(others)))
        for name in names:
            z = self._taps.of([name], every, others)
            kernel += z @ z[others].T / z.shape[1] / len(names)
        penalised = kernel[others] + penalty * np.eye(len(others))
        return np.asarray(means.mean() + kernel @ np.linalg.solve(penalised, means - means.mean()))

    def _gain(self, number: int, scores: Array, before: Array) -> tuple[float, float, Array]:
        """SRCC on a list, its difference from before, and 2,000 differences on photos drawn again."""
        own, means = self._list(number), self._data.means
        rng = stream(0, "lite3", "photos", number)
        draws = [rng.choice(own, len(own)) for _ in range(2000)]
        now = spearman(scores[own], means[own])
        gains = [spearman(scores[d], means[d]) - spearman(before[d], means[d]) for d in draws]
        return now, now - spearman(before[own], means[own]), np.array(gains)

    def _list(self, number: int) -> NDArray[np.intp]:
        return np.flatnonzero(self._data.lists == number)

    # ---- what a vector keeps ----

    def forms(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Form -> SRCC of other people and photos for each draw, and bytes of a photo."""
        found: dict[str, Any] = {}
        for number in numbers:
            for half in range(len(HALVES)):
                for name, (srcc, n_bytes) in self._forms(number, half):
                    row = found.setdefault(name, {"bytes": n_bytes, "srcc": []})
                    row["srcc"].append(srcc)
        return found

    def _forms(self, number: int, half: int) -> Iterator[tuple[str, tuple[float, int]]]:
        learned, own = np.isin(self._categories, HALVES[half]), self._data.lists == number
        train, group = np.flatnonzero(learned & ~own), np.flatnonzero(~learned & own)
        generic = self._generic(train, group)
        kernels = self._kernels(train, group) | self._of_tuned(number, train, group)
        for draw in range(DRAWS):
            task = Group(stream(draw, "lite3", number, half), generic, self._rated[:, group])
            yield "a line in the generic score alone", (task.test(task.line), 0)
            for name, (kernel, n_bytes) in kernels.items():
                yield name, (task.test(task.learned(kernel)), n_bytes)

    def _generic(self, train: NDArray[np.intp], group: NDArray[np.intp]) -> Array:
        """The score of a kernel head on 128 directions of Lite1, as the model has one."""
        (inner, outer), means = self._directions(train, group, whiten=False), self._data.means[train]
        penalised = gaussian(inner, inner, 0.5) + 0.2 * np.eye(len(inner))
        score = gaussian(outer, inner, 0.5) @ np.linalg.solve(penalised, means - means.mean())
        return np.asarray(score / means.std())

    def _directions(
        self,
        train: NDArray[np.intp],
        group: NDArray[np.intp],
        *,
        whiten: bool,
        names: Sequence[str] = STEMS[:1],
    ) -> tuple[Array, Array]:
        """Embeddings of both; of mean squared length 1 over those that taught."""
        inner, outer = (self._taps.of(names, rows, train) for rows in (train, group))
        values, vectors = np.linalg.eigh(inner @ inner.T)
        values, vectors = values[::-1][:128], vectors[:, ::-1][:, :128]
        scale = np.sqrt(values) if whiten else np.full(len(values), np.sqrt(values.sum() / len(train)))
        turned = vectors / np.sqrt(values) / scale
        return (inner @ inner.T) @ turned, (outer @ inner.T) @ turned

    def _kernels(self, train: NDArray[np.intp], group: NDArray[np.intp]) -> dict[str, tuple[Array, int]]:
        """Form -> products of the group's photos with one another, and bytes of a photo."""
        every = self._taps.of(STEMS, group, train)
        seen = self._taps.of(STEMS, train, train)
        eighth = np.clip(np.round(every * 16), -127, 127) / 16
        found = {
            "128 directions": (self._directions(train, group, whiten=False)[1], 512),
            "128 directions, whitened (as before)": (self._directions(train, group, whiten=True)[1], 512),
            "128 directions of all three networks": (
                self._directions(train, group, whiten=False, names=STEMS)[1],
                512,
            ),
            "all moments of Lite1 and Lite2": (self._taps.of(STEMS[:2], group, train), 4 * 19_664),
            "all moments of all three": (every, 4 * every.shape[1]),
            "all moments of all three, 8 bits": (eighth, every.shape[1]),
        }
        found |= {f"a sketch of {r:,}": (sketched(seen, every, r), 4 * r) for r in (512, 1024, 1900, 3800)}
        return {name: (z @ z.T, n_bytes) for name, (z, n_bytes) in found.items()}

    def _of_tuned(
        self, number: int, train: NDArray[np.intp], group: NDArray[np.intp]
    ) -> dict[str, tuple[Array, int]]:
        """Likewise, with the late stages of the model that left the list out, which saw the categories."""
        if number not in self._tuned:
            model = GenericModel(self._models / f"{WITHOUT[number]}.safetensors")
            network = cast("PiaaLite", model.network)
            self._tuned[number] = self._taps.tuned(self._data.paths, network)
        taps, name = self._tuned[number], "a sketch of 1,024, Lite2's late stages tuned"
        of = {
            name: (taps, STEMS),
            f"{name}, without NIMA": (taps, STEMS[:2]),
            f"{name}, late blocks without NIMA (chosen)": (taps.late(), STEMS[:2]),
        }
        found = {}
        for label, (those, names) in of.items():
            seen, every = (those.of(names, rows, train) for rows in (train, group))
            z = sketched(seen, every, 1024)
            found[label] = (z @ z.T, 4 * 1024)
        return found

    @cached_property
    def _rated(self) -> Array:
        """Unit scores, NaN where there is none, shape (people, photos)."""
        rated = np.full((len(self._data.users), len(self._data.names)), np.nan)
        for row, (photos, scores) in zip(rated, self._data.users.values(), strict=True):
            row[photos] = scores
        return rated


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--ava", type=Path, required=True, help="NIMA's weights")
    parser.add_argument("--models", type=Path, default=Path("runs/lite"))
    parser.add_argument("--out", type=Path, default=Path("runs/lite3"))
    parser.add_argument("--last", action="store_true", help="list 3 as well, once everything is chosen")
    given = parser.parse_args()
    data, numbers = load_oasis(given.root), LISTS if given.last else LISTS[:2]
    categories = pd.read_csv(given.root / "images.csv").sort_values("image")["category"].to_numpy()
    taps = look(data.paths, given.ava, given.out / "taps.npz")
    with FeatureCache.open(given.out / "cache") as cache:
        study = Study(data, categories, taps, given.models, cache)
        forms = study.forms(LISTS[:2])
        recipe = study.recipe(numbers)
    command = "python benchmarks/lite3_study.py ROOT --ava FILE --models runs/lite" + " --last" * given.last
    write_result(
        "lite3_study", command, {"recipe": recipe, "forms": forms, "markdown": study_tables(recipe, forms)}
    )


if __name__ == "__main__":
    main()
