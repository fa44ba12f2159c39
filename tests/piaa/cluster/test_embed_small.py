"""Vectors without their richer part: the same numbers, fitted on and ranked, and refused by a store."""

from __future__ import annotations

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from generic.errors import ClusterError
from generic.model.registry import find_model
from piaa.adapters.registry import make_adapter
from piaa.cluster.embed import embed
from piaa.cluster.fit_users import fit_users
from piaa.cluster.folder import Folder
from piaa.cluster.import_forms import import_forms
from piaa.cluster.rank import Asked, rank
from piaa.cluster.vectors import VectorFolder
from piaa.cluster.work import Job
from piaa.people.model import load_model
from piaa.ratings.scale import Scale
from piaa.store.store import Store


@pytest.fixture(scope="module")
def model():
    return load_model(cache=False)


@pytest.fixture
def made(manifest, tmp_path, model):
    """``made(form, name)``: a folder's vectors, and those by URI."""

    def make(form, name=None):
        out = tmp_path / (name or form)
        embed(Job(manifest=manifest, out=str(out), model=str(find_model()), vectors=form))
        folder = VectorFolder(Folder(str(out)), model.generic.hash)
        found = {}
        for shard in sorted(folder.done()):
            one = folder.read(shard)
            found |= dict(zip(one.uris, one.vectors, strict=True))
        return folder, found

    return make


def fitted(folder, rated, tmp_path, model):
    columns = {
        "user": ["ana"] * len(rated),
        "image": list(rated),
        "score": [float(score) for score in rated.values()],
    }
    parquet.write_table(arrow.table(columns), tmp_path / "ratings.parquet")
    forms = Folder(str(tmp_path / "forms"))
    fit_users(tmp_path / "ratings.parquet", folder, forms, model.maker("auto"), Scale(1, 5))
    return forms


def test_they_are_the_leading_numbers(made):
    (_, small), (_, full) = made("small"), made("full")
    assert small.keys() == full.keys()
    for uri, vector in full.items():
        assert vector.shape == (1154,)
        assert np.array_equal(small[uri], vector[:130])


def test_people_are_fitted_and_ranked_on_them(made, tmp_path, model):
    folder, known = made("small")
    rated = dict(zip(sorted(known)[:6], (5, 1, 3, 2, 4, 1), strict=True))
    forms = fitted(folder, rated, tmp_path, model)
    rank(folder.folder, forms, Folder(str(tmp_path / "best")), Asked(top=12))
    rows = parquet.read_table(tmp_path / "best").to_pylist()
    support = np.stack([known[uri] for uri in rated])
    adapter = make_adapter("auto", model.prior).fit(support, Scale(1, 5).to_unit(list(rated.values())))
    every = np.stack([known[row["uri"]] for row in rows])
    line = adapter.linear_form().coefficients
    assert (np.diff(line[0] + every @ line[1:]) <= 1e-9).all()
    assert len(rows) == len(known)


def test_a_folder_has_one_form(made, tmp_path):
    made("small", "vectors")
    with pytest.raises(ClusterError) as refused:
        made("full", "vectors")
    assert str(refused.value) == (
        f"{tmp_path / 'vectors'} holds small vectors of this model, asked are full ones; give --vectors "
        "small, or name another folder with --out"
    )


def test_a_store_takes_whole_vectors(made, tmp_path, model):
    folder, known = made("small")
    forms = fitted(folder, dict.fromkeys(sorted(known)[:3], 4), tmp_path, model)
    with pytest.raises(ClusterError) as refused:
        import_forms(forms, folder.folder, Store(tmp_path / "piaa.db"), model)
    assert str(refused.value) == (
        f"{tmp_path / 'small'} holds small vectors, and a store keeps whole ones; make those with piaa embed "
        "into another folder, then fit the users on them"
    )


def test_of_a_model_without_a_richer_part_both_are_the_same(manifest, tmp_path, tiny_graph, content):
    for form in ("small", "full"):
        embed(Job(manifest=manifest, out=str(tmp_path / form), model=str(tiny_graph), vectors=form))
    assert content(tmp_path / "small") == content(tmp_path / "full")
