"""People learned anew: whatever their photos are called, and whatever becomes of somebody meanwhile."""

from __future__ import annotations

import pytest

from generic.cache.features import FeatureCache
from piaa import load_model
from piaa.people.refit import refit_people
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store


@pytest.fixture
def model(tiny_model):
    return load_model(tiny_model, cache=False)


@pytest.fixture
def store(tmp_path, album, names):
    """Ana rated four photos over HTTP, where all of them were called the same."""
    with FeatureCache.open(None) as cache:
        contents = cache.digest_many([album / name for name in names[:4]])[0].values()
    photos = [SeenPhoto(identity=one.identity, sha256=one.sha256, image="image.jpg") for one in contents]
    ratings = [(photo, 1.0 + place) for place, photo in enumerate(photos)]
    one = Store(tmp_path / "piaa.db")
    one.say("ana", Saying(ratings=ratings, model_hash="0" * 64, source="http", scale=(1.0, 5.0)))
    return one


def test_photos_of_one_name_are_all_found(model, store, album):
    (found,) = refit_people(model, store, ["ana"], album)
    assert (found.reason, found.version, found.n_ratings) == ("", 1, 4)
    assert [one.image for one in store.load("ana").ratings] == ["image.jpg"] * 4


def test_who_was_erased_meanwhile_keeps_nobody_from_being_learned(model, store, album):
    gone, ana = refit_people(model, store, ["gone", "ana"], album)
    assert gone.version is None
    assert " has no user 'gone'; see all users with: " in gone.reason
    assert ana.version == 1
