"""From labels and photos to results: who is tested, on what, with which model, and what is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

from generic.cache.features import FeatureCache
from generic.errors import DatasetError, PiaaError, SplitLeak, TooFewRatings
from generic.model.checkpoint import Header, load_checkpoint, save_checkpoint
from generic.model.generic_model import GenericModel
from piaa.adapters.generic import GenericAdapter
from piaa.adapters.ridge import RidgeAdapter
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.datasets.dataset import Dataset, mean_scores
from protocols.fewshot.episodes import episodes
from protocols.fewshot.evaluate import Evaluation
from protocols.fewshot.leaks import check_model
from protocols.fewshot.results import Results
from protocols.fewshot.study import (
    Settings,
    default_split,
    describe_run,
    n_units,
    plan_test,
    prepare,
    rated_images,
    run,
)
from protocols.fewshot.vectors import embed
from protocols.splits.split import Split

USERS = ("ana", "bo", "cy")
SETTINGS = Settings(shots=(3, 6), repeats=2)
ADAPTERS = {"generic": GenericAdapter, "ridge": RidgeAdapter}


@pytest.fixture
def rows(names) -> list[tuple[str, str, float]]:
    rng = np.random.default_rng(8)
    return [(user, name, float(rng.integers(1, 6))) for user in USERS for name in names]


@pytest.fixture
def make_dataset(album, rows):
    def make(rows=rows, *, scale=Scale(1, 5), **changes) -> Dataset:  # noqa: B008
        ratings = Ratings.from_rows(rows, scale=scale)
        given = {"name": "table", "images": album, "test_users": (), "notes": ("a note",)}
        labels = {
            "scale": scale,
            "ratings": ratings,
            "means": mean_scores(ratings),
            "counts": {},
            "lists": {},
        }
        return Dataset(**{**given, **labels, **changes})

    return make


@pytest.fixture
def model(tiny_model) -> GenericModel:
    return GenericModel(tiny_model)


@pytest.fixture
def ready(make_dataset, model, warm_cache):
    """Prepares a dataset, or the one of ``rows``, without running the network."""

    def make(dataset=None, *, settings=SETTINGS, split=None, **options):
        dataset = dataset or make_dataset()
        options = {"model": model, "adapters": ADAPTERS, "train": "the crowd", **options}
        with FeatureCache.open(warm_cache) as cache:
            return prepare(
                dataset, split or default_split(dataset), settings=settings, cache=cache, **options
            )

    return make


def knows(tiny_model, folder, digests) -> GenericModel:
    """The tiny model with a list of training photos in its header."""
    header, tensors = load_checkpoint(tiny_model)
    training = {**header.training, "images_sha256": list(digests)}
    path = folder / "knows.safetensors"
    written = save_checkpoint(path, Header(**{**header.__dict__, "training": training}), tensors)
    assert written.hash == header.hash
    return GenericModel(path)


# ---- splits ----


def test_everybody_is_tested_in_a_table_that_names_nobody(make_dataset, names):
    split = default_split(make_dataset())
    assert (split.test_users, split.train_users, split.train_images) == (USERS, (), ())
    assert split.test_images == tuple(sorted(names))
    assert split.rule == "Test users: everybody; test images: all that they rated; nothing to train on."


def test_named_users_and_other_datasets_follow_their_own_rule(make_dataset, rows):
    named = default_split(make_dataset(rows=[*rows, ("dee", "x.jpg", 1.0)], test_users=("bo",)))
    assert (named.test_users, named.train_users, named.train_images) == (
        ("bo",),
        ("ana", "cy", "dee"),
        ("x.jpg",),
    )
    with pytest.raises(DatasetError, match=r"^dataset 'aadb' has 0 users with at least 110 ratings, "):
        default_split(make_dataset(name="aadb"))


def test_only_images_that_test_users_rated_are_needed(make_dataset, names, rows):
    dataset = make_dataset(rows=[row for row in rows if row[:2] != ("ana", names[5])])
    split = Split(
        dataset="table",
        rule="by hand",
        train_users=("bo",),
        test_users=("ana",),
        train_images=(names[0],),
        test_images=tuple(names[1:]),
    )
    assert sorted(rated_images(dataset, split)) == sorted(set(names) - {names[0], names[5]})


@pytest.mark.parametrize("name", ["ava", "table"])
def test_without_individual_ratings_nobody_can_be_tested(make_dataset, name):
    dataset = make_dataset(name=name, ratings=None, lists={"train": ("a",), "test": ("b",)}, means={})
    with pytest.raises(DatasetError) as caught:
        rated_images(dataset, default_split(dataset))
    assert str(caught.value) == (
        f"dataset {name!r} has no individual ratings, so nobody's taste can be tested; "
        "use one that has, such as flickr-aes, aadb, para or table"
    )


# ---- plans ----


def test_the_plan_is_that_of_episodes_for_the_users_in_order(make_dataset):
    dataset = make_dataset()
    plan = plan_test(dataset.ratings, default_split(dataset), SETTINGS, "table")
    expected = episodes(dataset.ratings, users=USERS, shots=(3, 6), repeats=2, seed=0, dataset="table")
    assert [(e.user, e.k, e.repeat, e.query.tolist()) for e in plan.episodes] == [
        (e.user, e.k, e.repeat, e.query.tolist()) for e in expected.episodes
    ]
    assert plan.skipped == {}


def test_users_below_min_ratings_are_left_out_and_counted(make_dataset, rows):
    dataset = make_dataset(rows=[*rows[:-4], ("dee", "a.jpg", 1.0)])
    settings = replace(SETTINGS, min_ratings=9)
    plan = plan_test(dataset.ratings, default_split(dataset), settings, "table")
    assert {episode.user for episode in plan.episodes} == {"ana", "bo"}
    assert plan.skipped == {
        "cy": "has 8 usable ratings, --min-ratings asks for 9",
        "dee": "has 1 usable rating, --min-ratings asks for 9",
    }


def test_users_with_too_few_ratings_are_an_error_or_skipped(make_dataset, rows):
    dataset = make_dataset(rows=rows[:-5])
    with pytest.raises(TooFewRatings) as caught:
        plan_test(dataset.ratings, default_split(dataset), SETTINGS, "table")
    assert str(caught.value) == (
        "user 'cy' has 7 ratings, but k=6 support + 2 query need 8; "
        "lower --shots or drop the user with --min-ratings 8"
    )
    plan = plan_test(dataset.ratings, default_split(dataset), replace(SETTINGS, skip=True), "table")
    assert plan.skipped == {"cy": "has 7 ratings, but k=6 support + 2 query need 8"}


@pytest.mark.parametrize(
    ("settings", "need"),
    [(Settings(shots=(3, 30), skip=True), 32), (Settings(shots=(3, 30), min_ratings=50), 50)],
)
def test_nobody_left_is_an_error(make_dataset, settings, need):
    dataset = make_dataset()
    with pytest.raises(DatasetError) as caught:
        plan_test(dataset.ratings, default_split(dataset), settings, "table")
    assert str(caught.value) == (
        "nobody is left to test: the 3 test users of 'table' have at most 12 usable ratings, "
        f"but k=30 support + 2 query or --min-ratings need {need}; lower one of them"
    )


def test_ratings_of_the_training_side_are_a_leak(make_dataset):
    dataset = make_dataset(test_users=("ana",))
    with pytest.raises(SplitLeak, match="2 users of a personal test are not test users, such as 'bo', 'cy'"):
        plan_test(dataset.ratings, default_split(dataset), SETTINGS, "table")


# ---- preparing ----


def test_prepared_is_the_evaluation_of_vectors_and_plan(ready, make_dataset, model, warm_cache, album, names):
    prepared = ready(name="mine")
    dataset = make_dataset()
    assert (prepared.name, prepared.train, prepared.n_users, prepared.n_images) == (
        "mine",
        "the crowd",
        3,
        12,
    )
    assert (prepared.skipped, prepared.unreadable, prepared.notes) == ({}, {}, ("a note",))
    assert prepared.can_see_leaks is False
    with FeatureCache.open(warm_cache) as cache:
        vectors = embed(model, names, album, cache=cache).vectors
    plan = episodes(dataset.ratings, users=USERS, shots=(3, 6), repeats=2, seed=0, dataset="table")
    by_hand = Evaluation(dataset.ratings, vectors, plan, ADAPTERS, train="the crowd", test="mine").run()
    assert repr(prepared.evaluation.run()) == repr(by_hand)  # which writes NaN, and floats in full


def test_too_few_ratings_are_refused_before_a_photo_is_read(ready):
    steps = []
    with pytest.raises(TooFewRatings):
        ready(settings=Settings(shots=(12,)), progress=steps.append)
    assert steps == []


def test_labels_alone_cannot_be_evaluated(ready, make_dataset):
    with pytest.raises(DatasetError) as caught:
        ready(make_dataset(images=None))
    assert str(caught.value) == (
        "dataset 'table' has no images here, and an evaluation needs them; name their folder with --images"
    )


def test_a_split_of_another_dataset_is_refused(ready, make_dataset):
    other = replace(default_split(make_dataset()), dataset="para")
    with pytest.raises(DatasetError, match=r"^the split is of dataset 'para', but the data are 'table'; "):
        ready(split=other)


def test_unreadable_images_are_counted_and_their_ratings_left_out(
    ready, make_dataset, album, names, tmp_path
):
    root = tmp_path / "photos"
    shutil.copytree(album, root)
    (root / names[0]).unlink()
    (root / names[7]).write_text("no photo")
    prepared = ready(make_dataset(images=root))
    assert set(prepared.unreadable) == {names[0], names[7]}
    assert prepared.n_images == 12
    assert {cell["n_query"] for unit in prepared.evaluation.run() for cell in unit.rows} == {
        7,
        4,
    }  # of ten photos
    results = run([prepared])
    assert results.config["unreadable_images"] == {"table": sorted((names[0], names[7]))}
    with pytest.raises(TooFewRatings):
        ready(make_dataset(images=root), settings=Settings(shots=(9,)))
    skipped = ready(make_dataset(images=root), settings=Settings(shots=(3,), min_ratings=10)).skipped
    assert skipped == {}


def test_a_user_whose_photos_are_all_unreadable_is_an_error_or_named(
    ready, make_dataset, rows, album, tmp_path
):
    root = tmp_path / "photos"
    shutil.copytree(album, root)
    for number in range(12):
        (root / f"broken-{number}.jpg").write_text("no photo")
    ghost = [("ghost", f"broken-{number}.jpg", 3.0) for number in range(12)]
    dataset = make_dataset(rows=[*rows, *ghost], images=root)
    with pytest.raises(TooFewRatings) as caught:
        ready(dataset)
    assert str(caught.value) == (
        "user 'ghost' has 0 ratings, but k=6 support + 2 query need 8; "
        "lower --shots or drop the user with --min-ratings 8"
    )
    skipped = ready(dataset, settings=replace(SETTINGS, skip=True))
    assert skipped.skipped == {"ghost": "has 0 ratings, but k=6 support + 2 query need 8"}
    assert {row["user"] for row in run([skipped]).rows()} == set(USERS)
    few = ready(dataset, settings=replace(SETTINGS, min_ratings=1))
    assert few.skipped == {"ghost": "has 0 usable ratings, --min-ratings asks for 1"}


# ---- leaks ----


def test_a_model_that_saw_test_photos_is_refused(ready, tiny_model, album, names, tmp_path):
    digests = [hashlib.sha256((album / name).read_bytes()).hexdigest() for name in names[2:7]]
    with pytest.raises(SplitLeak) as caught:
        ready(model=knows(tiny_model, tmp_path, ["0" * 64, *digests]))
    shown = ", ".join(map(repr, sorted(names[2:7])[:3]))
    short = GenericModel(tiny_model).hash[:8]
    assert str(caught.value) == (
        f"model piaa-tiny {short} was trained on 5 of 12 test images, such as {shown}; "
        "evaluate with a model that has not seen them"
    )


def test_a_model_that_saw_other_photos_is_not(ready, tiny_model, tmp_path):
    model = knows(tiny_model, tmp_path, ["0" * 64])
    assert ready(model=model).can_see_leaks is True
    assert check_model(model, {}) is True


# ---- what a run is ----


def test_a_run_is_described_by_all_that_its_numbers_depend_on(ready, model):
    prepared = ready()
    config = describe_run([prepared])
    assert json.loads(json.dumps(config["models"])) == {
        "the crowd": {"name": "piaa-tiny", "hash": model.hash}
    }
    assert config["adapters"] == ["generic", "ridge"]
    assert {key: config[key] for key in ("shots", "repeats", "seed", "query", "skip", "min_ratings")} == {
        **{"shots": (3, 6), "repeats": 2, "seed": 0},
        **{"query": "rest", "skip": False, "min_ratings": 0},
    }
    assert config["splits"]["table"] == {
        "dataset": "table",
        "hash": prepared.split.hash,
        "rule": prepared.split.rule,
    }
    assert set(config["versions"]) == {"piaa", "numpy", "scipy", "onnxruntime"} | {
        name for name in ("torch", "timm") if find_spec(name) is not None
    }
    assert n_units([prepared, prepared]) == 16


def test_the_data_hash_knows_every_score_and_photo_but_not_their_order(
    ready, make_dataset, rows, album, tmp_path
):
    first = ready().data_hash
    assert ready(make_dataset(rows=rows[::-1])).data_hash == first
    user, name, score = rows[0]
    changed = [(user, name, 1.0 if score != 1 else 2.0), *rows[1:]]
    assert ready(make_dataset(rows=changed)).data_hash != first
    assert ready(make_dataset(scale=Scale(0, 5))).data_hash != first
    root = tmp_path / "photos"
    shutil.copytree(album, root)
    shutil.copy(root / "photo-02.jpg", root / "photo-01.jpg")
    assert ready(make_dataset(images=root)).data_hash != first


def test_rows_in_another_order_give_the_same_numbers(ready, make_dataset, rows):
    assert run([ready()]) == run([ready(make_dataset(rows=rows[::-1]))])


def test_another_persons_ratings_change_nobody_elses_numbers(ready, make_dataset, rows):
    def of(results, *users):
        return [row for row in results.rows() if row["user"] in users]

    alone = run([ready(make_dataset(rows=rows[:24]))])
    assert of(run([ready()]), "ana", "bo") == alone.rows()


# ---- running ----


def test_results_carry_the_configuration_and_what_was_left_out(ready, make_dataset, rows):
    results = run([ready(make_dataset(rows=rows[:-5]), settings=replace(SETTINGS, skip=True))], nan="zero")
    assert results.config["nan"] == "zero"
    assert results.config["skipped_users"] == {
        "table": {"cy": "has 7 ratings, but k=6 support + 2 query need 8"}
    }
    assert results.config["unreadable_images"] == {"table": []}
    assert set(results.columns["user"]) == {"ana", "bo"}


def test_a_run_goes_on_where_it_was_and_ends_with_the_same_file(ready, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run([ready()], whole)
    n_done = 0

    def stop(done: int) -> None:
        nonlocal n_done
        n_done += done
        if n_done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([ready()], broken, progress=stop)
    assert len(list((broken / "units").iterdir())) == 3
    assert not (broken / "results.json").exists()
    (broken / "units" / "0-generic-3-1.json").write_text('{"sha256": ')  # and one of them is damaged
    steps = []
    run([ready()], broken, progress=steps.append, jobs=2)
    assert steps == [2] + [1] * 6
    assert (broken / "results.json").read_bytes() == (whole / "results.json").read_bytes()
    assert Results.load(whole / "results.json") == run([ready()])


def test_another_configuration_in_the_folder_is_refused(ready, make_dataset, rows, tmp_path):
    run([ready()], tmp_path)
    with pytest.raises(DatasetError) as caught:
        run([ready(settings=replace(SETTINGS, seed=1))], tmp_path)
    assert str(caught.value) == (
        f"the run folder {tmp_path} holds another run: its seed is 0, asked for is 1; "
        "name another folder with --out"
    )
    with pytest.raises(DatasetError, match="holds another run: its adapters is "):
        run([ready(adapters={"generic": GenericAdapter})], tmp_path)
    with pytest.raises(DatasetError, match=r"holds another run: its splits\.table\.hash is "):
        run([ready(make_dataset(rows=rows[:24]))], tmp_path)
    swapped = [(user, name, 6 - score) for user, name, score in rows]
    with pytest.raises(DatasetError, match=r"holds another run: its data_sha256\.table is "):
        run([ready(make_dataset(rows=swapped))], tmp_path)
    run([ready()], tmp_path, nan="zero")  # a report's choice, not the run's


def test_several_tests_keep_their_units_apart(ready, make_dataset, rows, tmp_path):
    tests = [
        ready(name="one"),
        ready(make_dataset(rows=rows[:24]), name="two"),
        ready(name="three", train="x"),
    ]
    results = run(tests, tmp_path)
    pairs = list(dict.fromkeys(zip(results.columns["train"], results.columns["test"], strict=True)))
    assert pairs == [("the crowd", "one"), ("the crowd", "two"), ("x", "three")]
    steps: list[int] = []
    assert run(tests, tmp_path, progress=steps.append) == results
    assert steps == [8, 8, 8]  # all were known


def test_adapters_that_make_no_sense_are_not_hidden(ready):
    class Broken(GenericAdapter):
        def predict(self, features):  # noqa: ARG002
            raise PiaaError("this adapter needs a licence; buy one")

    def missing() -> GenericAdapter:
        raise PiaaError("this adapter is not here; fetch it")

    prepared = ready(adapters={"generic": GenericAdapter, "broken": Broken})
    with pytest.raises(PiaaError, match=r"^this adapter needs a licence; buy one$"):
        run([prepared], jobs=2)
    with pytest.raises(PiaaError, match=r"^this adapter is not here; fetch it$"):
        ready(adapters={"generic": GenericAdapter, "missing": missing})
    assert len(run([ready(adapters={"late": partial(GenericAdapter, None)})])) == 12


# ---- the crowd oracle ----


def test_the_crowd_oracle_is_part_of_the_run_and_of_its_configuration(ready, make_dataset, rows, names):
    with_crowd, without = ready(crowd=True), ready()
    assert describe_run([with_crowd])["adapters"] == ["generic", "ridge", "crowd oracle"]
    assert describe_run([without])["adapters"] == ["generic", "ridge"]
    # Bo is not tested, but his ratings are a part of the crowd's mean, and so of what a run depends on.
    only = {"test_users": ("ana", "cy"), "train_users": (), "train_images": (), "rule": "two of three"}
    split = Split(dataset="table", test_images=tuple(names), **only)
    other = [(user, image, 6 - score if user == "bo" else score) for user, image, score in rows]
    prepared = [ready(make_dataset(rows=table), split=split, crowd=True) for table in (rows, other)]
    assert prepared[0].data_hash != prepared[1].data_hash
    plain = [ready(make_dataset(rows=table), split=split) for table in (rows, other)]
    assert plain[0].data_hash == plain[1].data_hash
    assert set(run([with_crowd]).columns["adapter"]) == {"generic", "ridge", "crowd oracle"}
