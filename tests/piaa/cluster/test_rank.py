"""Everybody's best photos, from the files that fit-users and embed wrote."""

from __future__ import annotations

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from generic.errors import ClusterError, PiaaError, RatingsError
from piaa.adapters.registry import make_adapter
from piaa.cluster.candidates import Candidates
from piaa.cluster.embed import embed
from piaa.cluster.fit_users import fit_users
from piaa.cluster.folder import Folder
from piaa.cluster.rank import Asked, rank
from piaa.cluster.vectors import VectorFolder
from piaa.cluster.work import Job
from piaa.people.model import load_model
from piaa.ratings.scale import Scale


class Scene:
    """Vectors of the photos, ratings of five people, and their forms."""

    def __init__(self, folder, manifest, model) -> None:
        self.folder = folder
        self.model = load_model(model, cache=False)
        embed(Job(manifest=manifest, out=str(folder / "vectors"), model=str(model)))
        self.vectors = VectorFolder(Folder(str(folder / "vectors")), self.model.generic.hash)
        self.known = {}
        for shard in sorted(self.vectors.done()):
            found = self.vectors.read(shard)
            self.known |= dict(zip(found.uris, found.vectors, strict=True))
        self.uris = sorted(self.known)
        rng = np.random.default_rng(3)
        self.rated = {
            f"user {number}": dict(
                zip(
                    rng.permutation(self.uris)[: 5 + number].tolist(),
                    rng.integers(1, 6, 5 + number).tolist(),
                    strict=True,
                )
            )
            for number in range(5)
        }

    def write(self, rows, name="ratings.parquet"):
        columns = dict(zip(("user", "image", "score"), map(list, zip(*rows, strict=True)), strict=True))
        parquet.write_table(arrow.table(columns), self.folder / name)
        return self.folder / name

    @property
    def rows(self):
        return [(user, uri, float(y)) for user, said in self.rated.items() for uri, y in said.items()]

    def fit(self, rows=None, adapter="bayes", out="forms", **options):
        return fit_users(
            self.write(self.rows if rows is None else rows),
            self.vectors,
            Folder(str(self.folder / out)),
            self.model.maker(adapter),
            Scale(1, 5),
            **options,
        )

    def single(self, user, adapter="bayes"):
        said = self.rated[user]
        scores = Scale(1, 5).to_unit(list(said.values()))
        features = np.stack([self.known[uri] for uri in said])
        return make_adapter(adapter, self.model.prior).fit(features, scores)

    def rank(self, top=4, out="best", **options):
        folders = (Folder(str(self.folder / name)) for name in ("vectors", "forms", out))
        return rank(*folders, Asked(top=top, **options))


@pytest.fixture
def scene(tmp_path, manifest, tiny_graph) -> Scene:
    return Scene(tmp_path, manifest, tiny_graph)


@pytest.mark.parametrize("adapter", ["bayes", "auto", "ridge"])
def test_people_fitted_together_are_as_if_fitted_alone(scene, adapter):
    done = scene.fit(adapter=adapter, block=2)
    assert (done.users, done.ratings, done.unknown, done.left_out) == (5, len(scene.rows), 0, [])
    files = sorted((scene.folder / "forms").iterdir())
    rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    assert [file.name for file in files] == [f"users-00000{n}.parquet" for n in range(3)]
    assert [row["user"] for row in rows] == list(scene.rated)
    for row in rows:
        form = scene.single(row["user"], adapter).linear_form()
        assert row["coefficients"] == form.coefficients.tolist()
        assert row["form"] == form.pack()
        assert (row["scale_low"], row["scale_high"]) == (1, 5)


def test_workers_share_the_people(scene, content):
    scene.fit(block=2)
    parts = [scene.fit(out="parts", block=2, part=(mine, 2)) for mine in (1, 0)]
    assert [one.users for one in parts] == [2, 3]
    assert content(scene.folder / "parts") == content(scene.folder / "forms")


def test_a_worker_that_is_started_again_goes_on_from_the_files_that_are_there(scene, content):
    scene.fit(block=2)
    whole = content(scene.folder / "forms")
    (scene.folder / "forms" / "users-000001.parquet").unlink()
    told = []
    done = scene.fit(block=2, progress=told.append)
    assert (done.users, done.before, told) == (2, 2, [2, 2, 1])
    assert content(scene.folder / "forms") == whole
    again = scene.fit(block=2, part=(0, 2))
    assert (again.users, again.before, again.ratings) == (0, 2, 0)
    assert scene.fit(block=2).before == 3


def test_forms_of_another_adapter_are_not_mixed_with_those_that_are_there(scene, content):
    scene.fit(block=2)
    (scene.folder / "forms" / "users-000000.parquet").unlink()
    before = content(scene.folder / "forms")
    with pytest.raises(ClusterError) as caught:
        scene.fit(adapter="ridge", block=2)
    mark = scene.model.generic.hash[:8]
    assert str(caught.value) == (
        f"users-000001.parquet in {scene.folder / 'forms'} was fitted by bayes on model {mark}, "
        f"expected ridge on model {mark}; name another folder with --out"
    )
    assert content(scene.folder / "forms") == before


def test_forms_of_other_ratings_are_not_taken_for_those_that_are_asked(scene):
    scene.fit(block=2)
    user, uri, score = scene.rows[-1]
    changed = [*scene.rows[:-1], (user, uri, 1.0 if score != 1 else 2.0)]
    with pytest.raises(ClusterError) as caught:
        scene.fit(changed, block=2)
    assert str(caught.value) == (
        f"users-000002.parquet in {scene.folder / 'forms'} was fitted from other ratings, another scale or "
        "another form of vectors than are given; name another folder with --out"
    )


def test_everybody_gets_her_best_photos(scene):
    scene.fit(block=2)
    done = scene.rank()
    assert (done.users, done.before, done.photos) == (5, 0, 13)
    rows = [
        row
        for file in sorted((scene.folder / "best").iterdir())
        for row in parquet.read_table(file).to_pylist()
    ]
    x = np.stack([scene.known[uri] for uri in scene.uris])
    for user in scene.rated:
        scores = Scale(1, 5).from_unit(scene.single(user).predict(x).score)
        expected = sorted(zip(scene.uris, scores, strict=True), key=lambda it: -it[1])[:4]
        mine = [row for row in rows if row["user"] == user]
        assert [row["uri"] for row in mine] == [uri for uri, _ in expected]
        assert [row["rank"] for row in mine] == [1, 2, 3, 4]
        assert [row["score"] for row in mine] == pytest.approx([score for _, score in expected], abs=1e-12)


def test_memory_changes_no_byte_and_what_is_there_stays(scene, content, monkeypatch):
    scene.fit(block=3)
    scene.rank()
    monkeypatch.setattr("piaa.cluster.rank.Best.n_bytes", lambda *_: 2**20)
    scene.rank(out="small", memory=2)
    assert content(scene.folder / "small") == content(scene.folder / "best")
    assert scene.rank().before == 2


def test_results_are_not_written_among_the_forms(scene, content):
    scene.fit(block=3)
    before = content(scene.folder / "forms")
    with pytest.raises(ClusterError) as caught:
        scene.rank(out="forms")
    assert str(caught.value) == (
        f"users-000000.parquet in {scene.folder / 'forms'} is no result of piaa rank, and a result of this "
        "name belongs there; name another folder with --out"
    )
    assert content(scene.folder / "forms") == before


def test_forms_are_not_written_among_the_results(scene):
    scene.fit()
    scene.rank()
    with pytest.raises(ClusterError) as caught:
        scene.fit(out="best")
    assert str(caught.value) == (
        f"users-000000.parquet in {scene.folder / 'best'} is no file of piaa fit-users; make it again, or "
        "name another folder"
    )


def test_ratings_of_unknown_photos_are_counted(scene):
    rows = [*scene.rows, ("user 4", "/nowhere.jpg", 3.0), ("user 5", "/nowhere.jpg", 3.0)]
    done = scene.fit(rows)
    assert (done.users, done.unknown, done.left_out) == (5, 2, ["user 5"])


def test_people_in_two_places_are_refused(scene):
    with pytest.raises(RatingsError) as caught:
        scene.fit([*scene.rows, scene.rows[0]])
    path = scene.folder / "ratings.parquet"
    assert str(caught.value) == f"user 'user 0' comes twice in {path}; sort the ratings by user"


def test_a_photo_with_two_scores_is_refused(scene):
    uri = scene.rows[0][1]
    with pytest.raises(RatingsError) as caught:
        scene.fit([scene.rows[0], *scene.rows])
    assert str(caught.value) == f"user 'user 0' has two scores of {uri!r}; keep one of them"


def test_a_row_without_a_score_is_refused(scene):
    with pytest.raises(RatingsError) as caught:
        scene.fit([("ana", "a.jpg", None), *scene.rows])
    assert str(caught.value) == (
        f"{scene.folder / 'ratings.parquet'} has the row user 'ana', image 'a.jpg', score None, "
        "expected a value in "
        "each column and a finite score; take the row out"
    )


def test_an_adapter_without_a_linear_form_is_refused(scene):
    with pytest.raises(PiaaError) as caught:
        scene.fit(adapter="neighbours")
    assert str(caught.value) == (
        "adapter 'neighbours' has no linear form of many people; use auto, bayes or ridge"
    )


def test_a_part_of_the_vectors_is_not_ranked(scene):
    scene.fit()
    next(iter((scene.folder / "vectors").glob("[0-9a-f]*-*[0-9a-f].parquet"))).unlink()
    with pytest.raises(ClusterError) as caught:
        scene.rank()
    assert str(caught.value).endswith(
        f" shards in {scene.folder / 'vectors'} are not done; give the same piaa embed again, then rank"
    )


def best_of(scene, out="best"):
    """URIs of each person, from the best down."""
    rows = [
        row for file in sorted((scene.folder / out).iterdir()) for row in parquet.read_table(file).to_pylist()
    ]
    return {user: [row["uri"] for row in rows if row["user"] == user] for user in scene.rated}


def test_each_person_is_asked_about_her_candidates_alone(scene):
    scene.fit(block=3)
    scene.rank(top=12, out="all")
    everything = best_of(scene, "all")
    asked = {user: uris[at::3] for at, (user, uris) in enumerate(everything.items()) if at != 2}
    rows = [(user, uri) for user, uris in asked.items() for uri in [*uris[::-1], uris[0], "/nowhere.jpg"]]
    columns = dict(zip(("user", "image"), map(list, zip(*rows, strict=True)), strict=True))
    parquet.write_table(arrow.table(columns), scene.folder / "asked.parquet")
    scene.rank(top=3, candidates=Candidates(scene.folder / "asked.parquet"))
    assert best_of(scene) == {user: asked.get(user, [])[:3] for user in everything}


def test_candidates_need_their_columns(scene):
    scene.fit()
    with pytest.raises(RatingsError) as caught:
        scene.rank(candidates=Candidates(scene.folder / "ratings.csv"))
    start = f"{scene.folder / 'ratings.csv'} cannot be read as Parquet: "
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith("; name a file of candidates")


def test_of_each_scene_so_many(scene):
    scene.fit()
    scene_of = {}
    for shard in scene.vectors.done():
        scene_of |= {uri: (shard, row // 2) for row, uri in enumerate(scene.vectors.names(shard).to_pylist())}
        file = scene.folder / "vectors" / scene.vectors.name_of(shard)
        table = parquet.read_table(file)
        places = [table.schema.get_field_index(name) for name in ("generic", "vector")]
        for place, name in zip(places, ("generic", "vector"), strict=True):
            # Of each two photos the second looks like the first.
            rows = [row - row % 2 for row in range(table.num_rows)]
            table = table.set_column(place, table.schema.field(place), table[name].take(arrow.array(rows)))
        parquet.write_table(table, file)
    scene.rank(top=12, out="one", of_burst=1, model=scene.model)
    scene.rank(top=12, out="two", of_burst=2, model=scene.model)
    one, two = best_of(scene, "one"), best_of(scene, "two")
    for user in scene.rated:
        assert len(two[user]) == 12
        scenes = [scene_of[uri] for uri in two[user]]
        assert one[user] == [uri for at, uri in enumerate(two[user]) if scenes[at] not in scenes[:at]]


def test_bursts_need_the_model(scene, tiny_model):
    scene.fit()
    with pytest.raises(ClusterError) as caught:
        scene.rank(of_burst=1, model=load_model(tiny_model, cache=False))
    other = load_model(tiny_model).generic
    assert str(caught.value) == (
        f"bursts are told by the model of the vectors, which is {scene.vectors.model[:8]}, got {other.name} "
        f"{other.hash[:8]}; name it with --model"
    )
