"""Images to vectors: every image has one or a reason, and nothing is lost between."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest

from generic.cache.features import FeatureCache
from generic.errors import DatasetError, ImageError
from generic.model.generic_model import GenericModel
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.fewshot.vectors import Vectors, embed, readable

THREE = Vectors(names=("a", "b", "c"), matrix=np.arange(6.0).reshape(3, 2))


@pytest.fixture
def model(tiny_model) -> GenericModel:
    return GenericModel(tiny_model)


@pytest.fixture
def cache(warm_cache):
    with FeatureCache.open(warm_cache) as cache:
        yield cache


def test_rows_follow_the_names():
    assert THREE.rows(["c", "a", "c"]).tolist() == [2, 0, 2]
    assert THREE.rows([]).dtype == np.intp


def test_an_image_without_a_vector_is_an_error():
    with pytest.raises(DatasetError) as caught:
        THREE.rows(["a", "x.jpg", "y.jpg"])
    assert str(caught.value) == (
        "2 rated images have no model vector, the first: x.jpg; embed them first or leave their ratings out"
    )


def test_readable_keeps_the_ratings_of_images_with_a_vector():
    rows = [("ana", "b", 1), ("ana", "x", 2), ("bo", "x", 3), ("bo", "a", 4)]
    kept = readable(Ratings.from_rows(rows, scale=Scale(1, 5)), THREE)
    assert (kept.users, kept.images, kept.scores.tolist()) == (("ana", "bo"), ("b", "a"), [1, 4])


def test_embed_gives_what_the_model_says_of_each_file(model, cache, album, names):
    steps = []
    found = embed(model, [names[3], names[0], names[3]], album, cache=cache, progress=steps.append)
    assert (found.vectors.names, found.unreadable, sum(steps)) == ((names[3], names[0]), {}, 2)
    direct = model.embed([album / names[3], album / names[0]], cache=FeatureCache(None))
    assert np.array_equal(found.vectors.matrix, np.stack([item.vector for item in direct]))
    assert found.digests == {
        name: hashlib.sha256((album / name).read_bytes()).hexdigest() for name in (names[3], names[0])
    }


def test_missing_broken_and_large_files_have_a_reason_each(model, cache, album, names, tmp_path):
    root = tmp_path / "photos"
    shutil.copytree(album, root)
    (root / names[1]).write_bytes(b"")
    steps = []
    wanted = [names[0], "none.jpg", names[1]]
    found = embed(model, wanted, root, cache=cache, progress=steps.append)
    assert found.vectors.names == (names[0],)
    assert found.vectors.matrix.shape == (1, 9)
    assert found.unreadable == {
        "none.jpg": f"no file 'none.jpg' in {root} or below it",
        names[1]: f"{root / names[1]} is empty (0 bytes); replace it by an intact copy or leave it out",
    }
    assert set(found.digests) == {names[0]}
    assert sum(steps) == 3  # a bar over all names comes to its end


def test_the_limit_of_pixels_is_handed_on(model, album, names, tmp_path):
    with pytest.raises(DatasetError) as caught:
        embed(model, names[:2], album, cache=FeatureCache(None), max_pixels=6911)
    assert str(caught.value) == (
        "none of the 2 rated images can be read; pass the folder that holds them with --images, or repair "
        f"them. The first is {names[0]!r}: {album / names[0]} has 96 x 72 = 6912 pixels, the limit is 6911; "
        "allow it with --max-pixels 6912 or make it smaller"
    )


def test_no_image_at_all(model, cache, album, tmp_path):
    with pytest.raises(DatasetError) as caught:
        embed(model, ["x.jpg", "y.jpg"], album, cache=cache)
    assert str(caught.value) == (
        "none of the 2 rated images can be read; pass the folder that holds them with --images, or repair "
        f"them. The first is 'x.jpg': no file 'x.jpg' in {album} or below it"
    )
    with pytest.raises(ImageError, match="does not exist; pass the folder that holds the rated images"):
        embed(model, ["x.jpg"], tmp_path / "none", cache=cache)
