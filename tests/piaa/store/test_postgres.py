"""A store in PostgreSQL: what only a server of its own can do."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from generic.errors import StoreError, StoreUnavailable
from piaa.store import migrations
from piaa.store.place import open_database
from piaa.store.store import Store


def test_no_server_at_the_url(refusal):
    pytest.importorskip("psycopg_pool")
    message = refusal(StoreUnavailable, open_database, "postgresql://ana:secret@127.0.0.1:1/x", timeout_s=1)
    assert message.startswith("store 'postgresql://ana:***@127.0.0.1:1/x' cannot be used now: ")
    assert message.endswith("; try again later")
    assert "secret" not in message


def test_what_is_in_the_way_of_a_password_is_not_told(refusal):
    pytest.importorskip("psycopg_pool")
    url = "postgresql://ana:sec@ret@127.0.0.1:1/x?connect_timeout=2"
    message = refusal(StoreUnavailable, open_database, url, timeout_s=1)
    assert message.startswith("store 'postgresql://ana:***@127.0.0.1:1/x?connect_timeout=2' cannot be used")
    assert "sec@" not in message


PASSWORDS = ("p@ss/word", "a:b@c/d@e", "per%cent#hash", "sp ace+plus'quote\\", "ünïcode")


@pytest.fixture
def with_password(postgres):
    """A role with each of the passwords, which the cluster asks for over its socket."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(postgres, autocommit=True) as connection:
        rules = Path(connection.execute("SHOW hba_file").fetchone()[0])
        before = rules.read_text()
        rules.write_text("local all +keen scram-sha-256\n" + before)
        connection.execute("CREATE ROLE keen")
        for number, password in enumerate(PASSWORDS):
            make = "CREATE ROLE {} LOGIN PASSWORD {} IN ROLE keen"
            who = sql.Identifier(f"keen{number}")
            connection.execute(sql.SQL(make).format(who, sql.Literal(password)))
            connection.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(who))
        connection.execute("SELECT pg_reload_conf()")
        yield postgres
        rules.write_text(before)
        for number in range(len(PASSWORDS)):
            connection.execute(f"DROP OWNED BY keen{number}")
            connection.execute(f"DROP ROLE keen{number}")
        connection.execute("DROP ROLE keen")
        connection.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("number", range(len(PASSWORDS)))
def test_a_password_may_have_any_characters(with_password, refusal, number, monkeypatch):
    parts, password = urlsplit(with_password), PASSWORDS[number]
    encoded = quote(password, safe="")
    # A socket's URL names no host before its path.
    for written in (password, encoded) if "%" not in password and "#" not in password else (encoded,):
        url = f"postgresql://keen{number}:{written}@{parts.path}?{parts.query}"
        database = open_database(url)
        assert database.name == f"postgresql://keen{number}:***@{parts.path}?{parts.query}"
        with database.reading() as sql:
            assert sql.run("SELECT current_user") == [(f"keen{number}",)]
        database.close()
    wrong = f"postgresql://keen{number}:{encoded}x@{parts.path}?{parts.query}"
    message = refusal(StoreUnavailable, open_database, wrong, timeout_s=2)
    assert "password authentication failed" in message
    assert password not in message
    assert encoded not in message
    # Compose and Kubernetes may give it beside the URL.
    monkeypatch.setenv("PGPASSWORD", password)
    open_database(f"postgresql://keen{number}@{parts.path}?{parts.query}").close()


def test_a_store_of_a_newer_piaa(postgres, refusal):
    import psycopg

    open_database(postgres).close()
    with psycopg.connect(postgres) as connection:
        connection.execute("UPDATE meta SET schema_version = 7")
    assert refusal(StoreError, open_database, postgres) == (
        f"store '{postgres}' has schema version 7, but this piaa knows version {migrations.SCHEMA}; "
        "upgrade piaa (pip install --upgrade piaa)"
    )


def test_several_processes_make_the_tables_once(postgres, program):
    source = """
        import sys
        from piaa.store.store import Store
        from sayings import rated
        store = Store(sys.argv[1])
        print(store.say("ana", rated({int(sys.argv[2]): 3})))
        store.close()
    """
    running = [program(source, postgres, number) for number in range(4)]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    store = Store(postgres)
    assert len(store.rated("ana")) == 4
    store.close()


def test_a_broken_connection_is_replaced(postgres, sayings, refusal):
    import psycopg

    store = Store(postgres)
    store.say("ana", sayings.rated({1: 1}))
    with psycopg.connect(postgres, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )
    store.say("ana", sayings.rated({2: 2}))
    assert sayings.scores(store, "ana") == {"1.jpg": 1, "2.jpg": 2}

    def cut() -> None:
        with store.database.writing() as sql:
            sql.run("INSERT INTO users (name, created) VALUES ('bea', 'now')")
            sql.run("SELECT pg_terminate_backend(pg_backend_pid())")

    message = refusal(StoreUnavailable, cut)
    assert message.startswith(f"store '{postgres}' cannot be used now: ")
    assert message.endswith("; try again later")
    assert [one.user for one in store.users()] == ["ana"]
    store.close()


def test_no_connection_is_free(postgres, refusal):
    database = open_database(postgres, timeout_s=0.2)
    with database.reading():
        done = threading.Thread(target=lambda: messages.append(refusal(StoreUnavailable, read)))
        messages: list[str] = []

        def read() -> None:
            with database.reading():
                pass

        done.start()
        done.join()
    assert messages == [
        f"store '{postgres}' cannot be used now: couldn't get a connection after 0.20 sec; try again later"
    ]
    database.close()


def test_reading_cannot_write(postgres, refusal):
    database = open_database(postgres)

    def write() -> None:
        with database.reading() as sql:
            sql.run("INSERT INTO users (name, created) VALUES ('x', 'y')")

    assert "read-only transaction" in refusal(StoreUnavailable, write)
    database.close()
