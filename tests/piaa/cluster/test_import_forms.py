"""People of fit-users in a store: the same versions as if each had been learned there."""

from __future__ import annotations

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from generic.errors import ClusterError
from piaa.cluster.embed import embed
from piaa.cluster.fit_users import fit_users
from piaa.cluster.folder import Folder
from piaa.cluster.import_forms import import_forms
from piaa.cluster.vectors import VectorFolder
from piaa.cluster.work import Job
from piaa.people.model import load_model
from piaa.ratings.scale import Scale
from piaa.store.store import Store


class Scene:
    """Forms of two people, and a store."""

    def __init__(self, folder, manifest, model) -> None:
        self.model = load_model(model, cache=False)
        embed(Job(manifest=manifest, out=str(folder / "vectors"), model=str(model)))
        self.vectors = VectorFolder(Folder(str(folder / "vectors")), self.model.generic.hash)
        self.folder = folder
        uris = sorted(uri for shard in self.vectors.done() for uri in self.vectors.names(shard).to_pylist())
        self.rated = {
            "ana": dict(zip(uris[:6], (5.0, 1.0, 3.0, 2.0, 4.0, 1.0), strict=True)),
            "ben": dict(zip(uris[4:9], (1.0, 1.0, 5.0, 4.0, 2.0), strict=True)),
        }
        self.store = Store(folder / "piaa.db")
        self.forms = Folder(str(folder / "forms"))

    def fit(self, adapter="auto"):
        rows = [(user, uri, score) for user, said in self.rated.items() for uri, score in said.items()]
        columns = dict(zip(("user", "image", "score"), map(list, zip(*rows, strict=True)), strict=True))
        parquet.write_table(arrow.table(columns), self.folder / "ratings.parquet")
        source = self.folder / "ratings.parquet"
        fit_users(source, self.vectors, self.forms, self.model.maker(adapter), Scale(1, 5))

    def imported(self, **options):
        return import_forms(self.forms, self.vectors.folder, self.store, self.model, **options)


@pytest.fixture
def scene(tmp_path, manifest, tiny_graph) -> Scene:
    return Scene(tmp_path, manifest, tiny_graph)


@pytest.mark.parametrize("adapter", ["auto", "bayes", "ridge"])
def test_a_person_in_the_store_is_who_was_fitted(scene, adapter):
    scene.fit(adapter)
    assert scene.imported().__dict__ == {"users": 2, "before": 0, "refused": {}}
    rows = {row["user"]: row for row in parquet.read_table(scene.folder / "forms").to_pylist()}
    for user, said in scene.rated.items():
        person = scene.model.load(user, store=scene.store.name)
        assert {one.image: one.score for one in person.ratings} == said
        assert person.adapter.name == adapter
        found = person.adapter.linear_form().coefficients
        assert found.tolist() == pytest.approx(rows[user]["coefficients"], rel=1e-9)
        known = scene.store.said(user, scene.model.generic.hash)
        assert {one.photo: one.sha256 for one in known.ratings}.keys() == known.vectors.keys()


def test_who_is_there_stays(scene):
    scene.fit()
    scene.imported()
    told = []
    assert scene.imported(progress=told.append).__dict__ == {"users": 0, "before": 2, "refused": {}}
    assert told == [1, 1]
    assert len(scene.store.versions("ana")) == 1


def test_other_ratings_are_not_lost(scene):
    scene.fit()
    scene.imported()
    first, *_ = scene.rated["ana"]
    scene.rated["ana"][first] = 2.0
    scene.forms = Folder(str(scene.folder / "again"))
    scene.fit()
    done = scene.imported()
    assert (done.users, done.before) == (0, 1)
    why = "the store knows other ratings or comparisons; pass --replace to make them history"
    assert done.refused == {"ana": why}
    assert scene.imported(replace=True).__dict__ == {"users": 1, "before": 1, "refused": {}}
    known = scene.store.said("ana", scene.model.generic.hash)
    assert {one.image: one.score for one in known.ratings} == scene.rated["ana"]


def test_a_form_that_was_changed_is_refused(scene):
    scene.fit()
    file = scene.folder / "forms" / "users-000000.parquet"
    table = parquet.read_table(file)
    scores = [[6 - it for it in some] for some in table["scores"].to_pylist()]
    place = table.schema.get_field_index("scores")
    parquet.write_table(table.set_column(place, "scores", arrow.array(scores)), file)
    why = "her ratings and the vectors give another form than is there; fit the users again"
    assert scene.imported().refused == {"ana": why, "ben": why}


def test_one_picture_under_two_names(scene, tmp_path):
    scene.fit()
    for shard in scene.vectors.done():
        file = tmp_path / "vectors" / scene.vectors.name_of(shard)
        table = parquet.read_table(file)
        same = arrow.array([bytes(32)] * table.num_rows, arrow.binary(32))
        place = table.schema.get_field_index("identity")
        parquet.write_table(table.set_column(place, "identity", same), file)
    why = "she rated one picture under two names; keep one of these ratings"
    assert scene.imported().refused == {"ana": why, "ben": why}


def test_a_name_that_a_store_does_not_take_stops_nobody_else(scene):
    scene.rated = {"ana": scene.rated["ana"], "b\nad": scene.rated["ben"], "zoe": scene.rated["ben"]}
    scene.fit()
    told = []
    done = scene.imported(progress=told.append)
    why = r"user name 'b\nad' contains the control character U+000A; choose another name"
    assert done.__dict__ == {"users": 2, "before": 0, "refused": {"b\nad": why}}
    assert told == [1, 1, 1]
    assert [one.user for one in scene.store.users()] == ["ana", "zoe"]


def test_forms_of_another_model(scene, tiny_model):
    scene.fit()
    scene.model = load_model(tiny_model, cache=False)
    with pytest.raises(ClusterError, match=r"was fitted on model .*; name the same one with --model$"):
        scene.imported()


def test_the_command(scene, piaa, tiny_graph):
    scene.fit("bayes")
    vectors = scene.folder / "vectors"
    words = ("users", "import-forms", scene.folder / "forms", "--vectors", vectors, "--model", tiny_graph)
    told = piaa(*words, "--store", scene.store.name)
    assert told.stdout == f"2 people imported: {scene.store.name}\n", told.stderr
    assert [one.user for one in scene.store.users()] == ["ana", "ben"]
    again = piaa(*words, "--store", scene.store.name)
    assert again.stdout == f"0 people imported, 2 there before: {scene.store.name}\n"
