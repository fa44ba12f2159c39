"""By which adapter a person learns on."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from piaa.people.learn_on import adapter_of_what_is_kept, last_adapter
from piaa.store.store import Store


@pytest.mark.parametrize(
    ("adapter", "kept"), [("ridge", "ridge"), ("auto", "auto"), ("lora", "auto"), ("anil", "auto")]
)
def test_the_usual_one_where_more_than_ratings_is_needed(fitted, part, store, adapter, kept):
    fitted(part(0, 1)).save(store)
    with closing(sqlite3.connect(store)) as file, file:
        file.execute("UPDATE versions SET adapter = ?", (adapter,))
    assert last_adapter(Store(store), "ana") == adapter
    assert adapter_of_what_is_kept(Store(store), "ana") == kept


def test_the_usual_one_where_the_adapter_of_a_package_is_gone(fitted, part, store):
    fitted(part(0, 1)).save(store)
    with closing(sqlite3.connect(store)) as file, file:
        file.execute("UPDATE versions SET adapter = 'nearest'")
    assert adapter_of_what_is_kept(Store(store), "ana") == "auto"


def test_comparisons_say_nothing_of_how_ratings_are_learned(model, album, names, store):
    model.fit_pairs([(names[0], names[1])], images=album, user="ana").save(store)
    assert last_adapter(Store(store), "ana") == "auto"
