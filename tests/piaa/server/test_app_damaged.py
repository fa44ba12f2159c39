"""What is damaged in the store costs that user alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pytest
from safetensors.numpy import save

from piaa.adapters.registry import make_adapter
from piaa.store.learned_from import learned_from
from piaa.store.place import open_database
from piaa.store.records import AdapterRecord
from piaa.store.versions import add_version, user_id

pytestmark = pytest.mark.timeout(900)
DAMAGE = {
    "state": "UPDATE versions SET state = x'00', linear_form = x'00' WHERE user_id = :id",
    "form": "UPDATE versions SET linear_form = x'0102', form_checksum = '' WHERE user_id = :id",
    "digest": "UPDATE versions SET digest = 'other', linear_form = NULL WHERE user_id = :id",
}


@pytest.fixture(scope="module")
def fitted(serve, tmp_path_factory, album, names):
    """A server with people fitted, and what they scored one photo."""
    server = serve(tmp_path_factory.mktemp("damaged") / "piaa.db", "--no-keys")
    users = ["ana", *(f"{what}-{adapter}" for what in DAMAGE for adapter in ("ridge", "neighbours"))]
    for number, user in enumerate(users):
        # Each another taste: what was computed of one state is right for whoever has the same.
        rated = {name: 1 + place * (number + 1) % 5 for place, name in enumerate(names[: 4 + number])}
        assert server.rate(user, album, rated).status_code == 200
        adapter = user.rpartition("-")[2] if "-" in user else "auto"
        assert server.fit(user, adapter)["state"] == "done"
    yield server, users
    server.stop()


def damage(server, user: str, how: str) -> None:
    with closing(sqlite3.connect(server.store)) as connection:
        (number,) = connection.execute("SELECT id FROM users WHERE name = ?", (user,)).fetchone()
        connection.execute(DAMAGE[how], {"id": number})
        connection.commit()


@pytest.mark.parametrize("intervals", ["false", "true"])
def test_a_damaged_row_costs_its_user_alone(fitted, album, names, intervals):
    server, users = fitted
    file = (names[0], (album / names[0]).read_bytes())
    for user in users[1:]:
        damage(server, user, user.partition("-")[0])
    answer = server.score(users, [file], params={"intervals": intervals})
    assert answer.status_code == 200, answer.text
    ana, *others = answer.json()["users"]
    assert ana["problem"] is None
    assert ana["scores"][0] is not None
    # A form whose own checksum is wrong is made anew from the state, which is whole.
    broken = {one["user"]: one["problem"] for one in others if one["problem"]}
    assert set(broken) == {user for user in users[1:] if not user.startswith("form")}
    for user, problem in broken.items():
        assert problem == f"version 1 of user {user!r} is damaged; fit the user again, or roll back"
    alone = server.score([next(iter(broken))], [file], params={"intervals": intervals})
    assert (alone.status_code, alone.headers["content-type"]) == (422, "application/problem+json")
    assert alone.json()["detail"] == next(iter(broken.values()))
    assert str(server.store) not in alone.text


def learned_elsewhere(server, user: str, adapter: str) -> None:
    """Give a user a whole version of vectors of five numbers, said to be of the server's model."""
    draw = np.random.default_rng(0)
    fitted = make_adapter(adapter, None).fit(draw.normal(size=(6, 5)).astype("f4"), draw.uniform(size=6))
    (model,) = server.http.get("/v1/models").json()
    record = AdapterRecord(
        adapter=adapter,
        model_name=model["name"],
        model_hash=model["hash"],
        scale_low=1,
        scale_high=5,
        state=save({name: np.ascontiguousarray(value) for name, value in fitted.state().items()}),
    )
    database = open_database(server.store)
    with database.writing() as sql:
        form = fitted.linear_form().pack()
        add_version(sql, user_id(sql, user), record, learned_from([], []), form)
    database.close()


@pytest.mark.parametrize("intervals", ["false", "true"])
def test_a_version_of_other_vectors_costs_its_user_alone(fitted, album, names, intervals):
    server, _ = fitted
    odd = [f"odd-{adapter}-{intervals}" for adapter in ("ridge", "auto")]
    for user in odd:
        learned_elsewhere(server, user, user.split("-")[1])
    file = (names[0], (album / names[0]).read_bytes())
    answer = server.score(["ana", *odd], [file], params={"intervals": intervals})
    assert answer.status_code == 200, answer.text
    ana, *others = answer.json()["users"]
    assert ana["scores"][0] is not None
    assert [one["problem"] for one in others] == [
        f"version 1 of user {user!r} is damaged; fit the user again, or roll back" for user in odd
    ]
