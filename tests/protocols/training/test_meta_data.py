"""What meta-training is given of a dataset: the training side alone, as rows of vectors."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from generic.cache.features import FeatureCache
from generic.errors import DatasetError
from generic.model.generic_model import GenericModel
from protocols.datasets.load import load_dataset
from protocols.splits.rules import make_split
from protocols.training.meta_data import training_data, training_ratings, training_split


@pytest.fixture
def study(tmp_path, album, names):
    root = tmp_path / "study"
    shutil.copytree(album, root / "images")
    rows = [
        f"{user},{name},{1 + (n + len(user)) % 5}" for n, name in enumerate(names) for user in ("ana", "bob")
    ]
    rows += [f"cy,{names[0]},2", f"cy,{names[3]},5"]
    (root / "ratings.csv").write_text("\n".join(("user,image,score", *rows)) + "\n")
    return root


def test_everybody_of_a_table_teaches_unless_test_users_are_named(study, names):
    dataset = load_dataset("table", study)
    split = training_split(dataset)
    assert split.train_users == ("ana", "bob", "cy")
    assert split.test_users == ()
    (study / "users.txt").write_text("cy\n")
    tested = load_dataset("table", study, users=study / "users.txt")
    split = training_split(tested)
    assert split == make_split(tested)
    rated = training_ratings(tested, split)
    assert set(rated.users) == {"ana", "bob"}
    assert set(rated.images) == set(names) - {names[0], names[3]}  # what the test user rated is for the test


def test_vectors_rows_and_scores_belong_together(study, names, tiny_model, warm):
    dataset, model = load_dataset("table", study), GenericModel(tiny_model)
    rated = training_ratings(dataset, training_split(dataset), min_ratings=3)
    done: list[int] = []
    with FeatureCache.open(warm) as cache:
        data = training_data(dataset, rated, model, cache=cache, progress=done.append)
        vectors = {
            name: item.vector
            for name, item in zip(
                sorted(names),
                model.embed([study / "images" / n for n in sorted(names)], cache=cache),
                strict=True,
            )
        }
    assert sum(done) == len(names)
    assert [user for user, _, _ in data.people] == ["ana", "bob"]
    assert data.origin["dataset"] == "table"
    assert data.origin["users"] == ["ana", "bob"]
    assert len(data.origin["images_sha256"]) == len(names)
    assert (data.n_known, data.unreadable) == (0, {})
    given = dict(zip(zip(rated.users, rated.images, strict=True), rated.unit_scores, strict=True))
    for user, rows, scores in data.people:
        assert list(rows) == sorted(rows)
        for row, score in zip(rows, scores, strict=True):
            (name,) = [n for n, vector in vectors.items() if np.array_equal(vector, data.vectors[row])]
            assert given[user, name] == score


def test_nobody_to_learn_from(study):
    dataset = load_dataset("table", study)
    with pytest.raises(DatasetError) as caught:
        training_ratings(dataset, training_split(dataset), min_ratings=13)
    assert str(caught.value) == (
        "nobody is left to learn from: the 3 training users in the split of 'table' rated at most 12 photos, "
        "--min-ratings asks for 13; lower it, or make another split"
    )


def test_photos_that_test_users_rated_too_are_named(study, names):
    def refusal(test_users):
        (study / "users.txt").write_text("\n".join(test_users))
        dataset = load_dataset("table", study, users=study / "users.txt")
        with pytest.raises(DatasetError) as caught:
            training_ratings(dataset, training_split(dataset))
        return str(caught.value)

    cure = (
        "list the photos to test on, which leaves the others to training: "
        "piaa data split --test-users FILE --test-images FILE"
    )
    assert refusal(["bob"]) == (
        "nobody is left to learn from: all 12 photos that the 2 training users of 'table' rated are test "
        f"photos, as test users rated them too, the first is {min(names)!r}; {cure}"
    )
    (study / "ratings.csv").write_text(f"user,image,score\nana,{names[0]},3\nbob,{names[0]},4\n")
    assert refusal(["bob"]) == (
        "nobody is left to learn from: the only photo that the 1 training user of 'table' rated is a test "
        f"photo, as test users rated it too, the first is {names[0]!r}; {cure}"
    )
    assert refusal(["ana", "bob"]) == (
        "nobody is left to learn from: the split of 'table' has no training user with a rating; make another "
        "split"
    )


def test_a_dataset_without_photos(study, tiny_model, warm):
    shutil.rmtree(study / "images")
    dataset = load_dataset("table", study)
    rated = training_ratings(dataset, training_split(dataset))
    with FeatureCache.open(warm) as cache, pytest.raises(DatasetError) as caught:
        training_data(dataset, rated, GenericModel(tiny_model), cache=cache)
    assert str(caught.value) == (
        "dataset 'table' has no images here, and meta-training needs them; name their folder with --images"
    )
