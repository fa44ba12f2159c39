"""A study from a dataset's labels to results: split, vectors, episodes, adapters, run folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import FeatureCache
from generic.errors import DatasetError
from generic.model.generic_model import GenericModel
from generic.progress import Progress, no_progress
from generic.words import counted
from piaa.ratings.table import Ratings
from protocols.datasets.dataset import Dataset
from protocols.fewshot.episodes import EpisodePlan, episodes
from protocols.fewshot.evaluate import Evaluation, MakeAdapter
from protocols.fewshot.evaluation_folder import EvaluationFolder
from protocols.fewshot.leaks import check_model, check_prior, check_starts
from protocols.fewshot.results import Key, Results
from protocols.fewshot.summary import NanPolicy
from protocols.fewshot.units import Found, Rows
from protocols.fewshot.vectors import embed, readable
from protocols.splits.rules import make_split
from protocols.splits.split import Split

Array = NDArray[np.float64]
MEASURES = 2
"""Which way results are measured: 2 counts constant predictions as 0, and draws people and photos."""
_PACKAGES = ("piaa", "numpy", "scipy", "onnxruntime", "torch", "timm")
"""What numbers depend on; torch and timm are not everywhere."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How people are tested; the defaults are the literature's."""

    shots: tuple[int, ...] = (10, 100)
    """Ratings to learn from."""
    repeats: int = 10
    """Draws of the support."""
    seed: int = 0
    """Of the draws."""
    query: Literal["rest", "common"] = "rest"
    """What is predicted; see :func:`protocols.fewshot.episodes.episodes`."""
    min_ratings: int = 0
    """Users with fewer usable ratings are left out, and counted."""
    skip: bool = False
    """Leave out users with too few ratings for the largest k, and count them; else they are an error."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """One generic model and one dataset's test side, ready to run."""

    name: str
    """Of the dataset, in tables."""
    train: str
    """Of what the model was trained on, in tables."""
    model: GenericModel
    split: Split
    settings: Settings
    evaluation: Evaluation
    n_images: int
    """Images that the test users rated."""
    unreadable: Mapping[str, str]
    """Those without a vector, with the reason."""
    n_users: int
    """Test users with a rating."""
    skipped: Mapping[str, str]
    """Those without an episode, with the reason."""
    notes: tuple[str, ...]
    """What the dataset's loader says that a person must know."""
    data_hash: str
    """SHA-256 of the ratings that are used, the crowd's too, and of the files that they are of."""
    can_see_leaks: bool
    """Whether the model lists its training photos, so that test images among them would have been found."""


def default_split(dataset: Dataset) -> Split:
    """The dataset's own split; everybody is tested in a person's own table that names no test users.

    Raises:
        DatasetError: the dataset has no individual ratings, or no split of its own.
    """
    if dataset.name != "table" or dataset.test_users:
        return make_split(dataset)
    ratings = _ratings(dataset)
    return Split(
        dataset=dataset.name,
        rule="Test users: everybody; test images: all that they rated; nothing to train on.",
        train_users=(),
        test_users=ratings.users,
        train_images=(),
        test_images=ratings.images,
    )


def rated_images(dataset: Dataset, split: Split) -> tuple[str, ...]:
    """The images that a study needs vectors of, each once: what test users rated on the test side.

    Raises:
        DatasetError: the split is not of this dataset, or there are no individual ratings.
    """
    split.check(dataset)
    return tuple(dict.fromkeys(split.test_ratings(_ratings(dataset)).images))


def prepare(
    dataset: Dataset,
    split: Split,
    model: GenericModel,
    adapters: Mapping[str, MakeAdapter],
    settings: Settings,
    *,
    cache: FeatureCache,
    train: str,
    name: str | None = None,
    max_pixels: int | None = None,
    crowd: bool = False,
    progress: Progress = no_progress,
) -> Prepared:
    """Embed a dataset's test images and draw the episodes.

    Args:
        dataset: labels and images.
        split: whom to test, on which images.
        model: the frozen generic model.
        adapters: how to make each adapter, by name; reports compare with the first.
        settings: how people are tested.
        cache: of features.
        train: what the model and the adapters' priors were trained on, in tables.
        name: of the dataset, in tables; None is its own.
        max_pixels: photos with more pixels are left out; None is the default of :mod:`generic.photos.open`.
        crowd: also show what all other people's ratings of the same photo would predict, see
            :mod:`protocols.fewshot.crowd`; the dataset must have another rater of every photo.
        progress: called with the number of images newly done, of :func:`rated_images`.

    Raises:
        DatasetError: images or ratings are missing, or nobody is left to test.
        TooFewRatings: a user has too few, and ``settings`` do not leave such users out.
        SplitLeak: the model was trained on test images, or its prior learned from test users.
    """
    images = rated_images(dataset, split)
    if dataset.images is None:
        raise DatasetError(
            f"dataset {dataset.name!r} has no images here, and an evaluation needs them; "
            f"name their folder with --images"
        )
    rated = split.test_ratings(_ratings(dataset))
    plan_test(rated, split, settings, dataset.name)  # what cannot run is refused before hours of reading
    embedded = embed(
        model,
        images,
        dataset.images,
        cache=cache,
        exact=dataset.paths,
        max_pixels=max_pixels,
        progress=progress,
    )
    can_see_leaks = check_model(model, embedded.digests)
    check_prior(model, split, embedded.digests)
    check_starts(adapters, split, embedded.digests)
    ratings = readable(rated, embedded.vectors)
    plan = plan_test(ratings, split, settings, dataset.name, users=rated.users)
    others = dataset.ratings if crowd else None
    evaluation = Evaluation(
        ratings,
        embedded.vectors,
        plan,
        adapters,
        train=train,
        test=name or dataset.name,
        crowd=others,
        seed=settings.seed,
    )
    return Prepared(
        name=name or dataset.name,
        train=train,
        model=model,
        split=split,
        settings=settings,
        evaluation=evaluation,
        n_images=len(images),
        unreadable=embedded.unreadable,
        n_users=len(set(rated.users)),
        skipped=plan.skipped,
        notes=dataset.notes,
        data_hash=_data_hash([ratings, *([others] if others else [])], embedded.digests),
        can_see_leaks=can_see_leaks,
    )


def _ratings(dataset: Dataset) -> Ratings:
    if dataset.ratings is None:
        raise DatasetError(
            f"dataset {dataset.name!r} has no individual ratings, so nobody's taste can be tested; "
            f"use one that has, such as flickr-aes, aadb, para or table"
        )
    return dataset.ratings


def plan_test(
    ratings: Ratings, split: Split, settings: Settings, dataset: str, *, users: Iterable[str] = ()
) -> EpisodePlan:
    """The episodes of a test; ``skipped`` also has the users below ``settings.min_ratings``.

    Args:
        ratings: those that can be used.
        split: whose test side they are of.
        settings: how people are tested.
        dataset: names the random streams.
        users: whom to account for even if not one of their ratings can be used.

    Raises:
        DatasetError: nobody is left to test.
        TooFewRatings: a user has too few, and ``settings`` do not leave such users out.
        SplitLeak: a rating is not of the split's test side.
    """
    split.check_test(ratings)
    n_ratings = dict.fromkeys(sorted({*ratings.users, *users}), 0)
    for user in ratings.users:
        n_ratings[user] += 1
    few = {
        user: f"has {counted(n, 'usable rating')}, --min-ratings asks for {settings.min_ratings}"
        for user, n in n_ratings.items()
        if n < settings.min_ratings
    }
    plan = episodes(
        ratings,
        users=[user for user in n_ratings if user not in few],
        shots=settings.shots,
        repeats=settings.repeats,
        seed=settings.seed,
        dataset=dataset,
        query=settings.query,
        skip=settings.skip,
        without=[user for user, n in n_ratings.items() if n == 0],
    )
    skipped = few | {user: reason.removeprefix(f"user {user!r} ") for user, reason in plan.skipped.items()}
    if not plan.episodes:
        k, most = max(settings.shots), max(n_ratings.values(), default=0)
        n_users, have = counted(len(n_ratings), "test user"), "has" if len(n_ratings) == 1 else "have"
        raise DatasetError(
            f"nobody is left to test: the {n_users} of {dataset!r} {have} at most "
            f"{counted(most, 'usable rating')}, but k={k} support + 2 query or --min-ratings need "
            f"{max(k + 2, settings.min_ratings)}; lower one of them"
        )
    return EpisodePlan(episodes=plan.episodes, skipped=skipped)


def _data_hash(tables: Sequence[Ratings], digests: Mapping[str, str]) -> str:
    content: list[Any] = []
    for ratings in tables:
        rows = sorted(zip(ratings.users, ratings.images, ratings.scores.tolist(), strict=True))
        content += [rows, ratings.scale.to_json()]
    content.append(sorted(digests.items()))
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def describe_run(tests: Sequence[Prepared]) -> dict[str, Any]:
    """Everything that the numbers depend on.

    Args:
        tests: at least one, all with the same settings and adapters.
    """
    settings = asdict(tests[0].settings)
    hashes = tests[0].evaluation.identities()
    return {
        "models": {test.train: {"name": test.model.name, "hash": test.model.hash} for test in tests},
        "adapters": list(dict.fromkeys(unit.adapter for unit in tests[0].evaluation.units())),
        **({"adapter_hashes": hashes} if hashes else {}),
        **settings,
        "measures": MEASURES,
        "splits": {
            test.name: {"dataset": test.split.dataset, "hash": test.split.hash, "rule": test.split.rule}
            for test in tests
        },
        "data_sha256": {test.name: test.data_hash for test in tests},
        "versions": {name: version(name) for name in _PACKAGES if find_spec(name) is not None},
    }


def n_units(tests: Sequence[Prepared]) -> int:
    """How often :func:`run` reports progress in all."""
    return sum(len(test.evaluation.units()) for test in tests)


def run(
    tests: Sequence[Prepared],
    folder: Path | None = None,
    *,
    nan: NanPolicy = "drop",
    jobs: int = 1,
    progress: Progress = no_progress,
) -> Results:
    """Run what is missing in a run folder, and write its ``results.json``.

    Args:
        tests: what to run; each pair of train and test once, all with the same settings and adapters.
        folder: units of this run that it holds are not computed again; None keeps nothing.
        nan: what an undefined correlation is taken for; recorded for reports, the results stay as they are.
        jobs: threads; the numbers do not depend on it.
        progress: called with the number of units newly done, of :func:`n_units`.

    Raises:
        DatasetError: the folder holds another run.
        OutputError: it cannot be written.
    """
    config = describe_run(tests)
    kept = None if folder is None else EvaluationFolder(folder, config)
    rows: Rows = []
    draws: dict[Key, Array] = {}
    for number, test in enumerate(tests):
        prefix = f"{number}-"
        units = test.evaluation.run(
            done=kept.units(prefix) if kept else None,
            keep=partial(kept.keep, prefix) if kept else None,
            jobs=jobs,
            progress=progress,
        )
        rows += [row for unit in units for row in unit.rows]
        draws |= _over_repeats(units)
    found = {
        "nan": nan,
        "skipped_users": {test.name: dict(test.skipped) for test in tests},
        "unreadable_images": {test.name: sorted(test.unreadable) for test in tests},
    }
    results = Results.from_rows({**config, **found}, rows, draws)
    if kept:
        kept.finish(results)
    return results


def _over_repeats(units: Sequence[Found]) -> dict[Key, Array]:
    """The draws of each adapter and k: every one is a mean over repeats, as the figure that they are of."""
    together: dict[Key, list[list[float]]] = {}
    for unit in units:
        first = unit.rows[0]
        key = (first["train"], first["test"], first["adapter"], first["k"])
        together.setdefault(key, []).append(unit.draws)
    return {key: np.mean(repeats, axis=0) for key, repeats in together.items()}
