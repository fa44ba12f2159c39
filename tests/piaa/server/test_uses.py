"""The last use of a key: written seldom, and nobody is kept waiting by it."""

from __future__ import annotations

import asyncio

from piaa.server.uses import Uses
from piaa.store.keys import KeyStore
from piaa.store.place import open_database


async def noted(uses: Uses, *keys) -> None:
    for key in keys:
        uses.note(key)
    await asyncio.gather(*uses._tasks)


def test_a_use_is_written_once_an_hour_by_all_servers_together(tmp_path):
    keys = KeyStore(open_database(tmp_path / "piaa.db", connections=2))
    key, secret = keys.create_key("admin")
    one, other = Uses(keys), Uses(keys)
    asyncio.run(noted(one, key, key))
    first = keys.key_of(secret)
    assert first is not None
    assert first.last_used is not None
    asyncio.run(noted(one, first))
    asyncio.run(noted(other, first))  # which has not noted it itself
    assert keys.keys() == [first]
    with keys.database.writing() as sql:
        sql.run("UPDATE api_keys SET last_used = '2026-01-01T00:00:00.000000+00:00'")
    asyncio.run(noted(Uses(keys), *keys.keys()))
    assert keys.keys()[0].last_used > first.last_used
    keys.database.close()


def test_a_use_that_cannot_be_noted_is_asked_for_seldom_too(tmp_path, caplog):
    keys = KeyStore(open_database(tmp_path / "piaa.db", connections=2))
    key, _ = keys.create_key("admin")
    with keys.database.writing() as sql:
        sql.run("ALTER TABLE api_keys RENAME TO elsewhere")
    uses = Uses(keys)
    asyncio.run(noted(uses, key))
    asyncio.run(noted(uses, key))
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith(f"the use of key {key.id} is not noted: store ")
    keys.database.close()
