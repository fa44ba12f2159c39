"""People learned anew: whatever their photos are called, and whatever becomes of somebody meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from generic.cache.features import FeatureCache
from generic.errors import ModelMismatch
from piaa import load_model
from piaa.people.refit import Refitted, map_gone, refit_people
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.serving import ServingStore
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


OLD = "0" * 64
N_SEEN, N_GONE = 80, 10


def seen_photo(number: int, vector: np.ndarray) -> SeenPhoto:
    return SeenPhoto(identity=f"{number:064x}", image=f"{number}.jpg", vector=vector)


@pytest.fixture
def gone(model, tmp_path):
    """Six people whose photos both models have seen, and ana, of whose photos only the old one has."""
    width = len(model.generic.vector(np.zeros((model.generic.size, model.generic.size, 3), np.uint8)))
    draw = np.random.default_rng(0)
    old = draw.standard_normal((N_SEEN + N_GONE, width)).astype(np.float32)
    new = old[:, ::-1] * 0.1 + 0.5
    photos = [seen_photo(number, one) for number, one in enumerate(old)]
    again = {seen_photo(number, one).identity: one for number, one in enumerate(new[:N_SEEN])}
    one = Store(tmp_path / "gone.db")

    def rate(user: str, rows: np.ndarray) -> None:
        ratings = [(photos[row], 1.0 + 4 * float(draw.random())) for row in rows]
        one.say(user, Saying(ratings=ratings, model_hash=OLD, source="python", scale=(1.0, 5.0)))

    for number in range(6):
        rate(f"user-{number}", np.arange(N_SEEN)[number::3])
    rate("ana", np.arange(N_SEEN - 2, N_SEEN + N_GONE))
    ServingStore(one.database).complete(again, model.generic.hash)
    return one


def test_photos_that_are_gone_have_mapped_vectors_and_the_loss_is_told(model, gone):
    (before,) = refit_people(model, gone, ["ana"], None)
    assert before.reason.startswith(f"of {N_GONE} of {N_GONE} photos that user 'ana' judged there is neither")
    n, loss = map_gone(model, gone, ["ana"])
    assert (n, loss.n_photos, loss.n_people) == (N_GONE, N_SEEN, 6)
    assert map_gone(model, gone, ["ana"]) is None
    (after,) = refit_people(model, gone, ["ana"], None)
    assert (after.n_ratings, after.n_mapped, after.n_left_out, after.reason) == (12, N_GONE, 0, "")
    assert gone.versions("ana")[-1].extra == {"n_mapped": N_GONE}
    assert gone.load("ana").model_hash == model.generic.hash
    (again,) = refit_people(model, gone, ["ana"], None)
    assert again == Refitted(user="ana")


def test_a_part_is_learned_from_if_that_is_asked_for(model, gone):
    (found,) = refit_people(model, gone, ["ana"], None, partial=True)
    assert (found.n_ratings, found.n_mapped, found.n_left_out) == (2, 0, N_GONE)


def test_without_photos_that_both_have_seen_there_is_no_map(model, store, tmp_path):
    one = Store(tmp_path / "few.db")
    photo = seen_photo(1, np.ones(3, np.float32))
    one.say("ana", Saying(ratings=[(photo, 2.0)], model_hash=OLD, source="python"))
    with pytest.raises(ModelMismatch, match=r"^0 photos have vectors of both models, and 0 people rated 20 "):
        map_gone(model, one, ["ana"])
