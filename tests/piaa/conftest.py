"""PostgreSQL for the tests of stores and servers, where PIAA_TEST_POSTGRES_URL names a database to fill."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest


@pytest.fixture
def cluster_lock(tmp_path_factory) -> Iterator[TextIO]:
    """Shared by all workers while a test uses the cluster, held alone by one that restarts it."""
    if not os.environ.get("PIAA_TEST_POSTGRES_URL"):
        pytest.skip(reason="PIAA_TEST_POSTGRES_URL names no PostgreSQL database")
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path_factory.getbasetemp().parent / "postgres.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file


@pytest.fixture
def postgres(cluster_lock) -> str:
    """The URL of an empty PostgreSQL database that no other worker uses."""
    import psycopg
    from sqlalchemy import make_url

    url = os.environ["PIAA_TEST_POSTGRES_URL"]
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        name = f"piaa_{worker}"
        with psycopg.connect(url, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                connection.execute(f"CREATE DATABASE {name}")
        url = make_url(url).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


@pytest.fixture
def restart_postgres(cluster_lock) -> Callable[[], None]:
    """Restarts the cluster by its own tool, which ends open connections; as its user, for it refuses root."""
    import fcntl

    command = os.environ.get("PIAA_TEST_POSTGRES_RESTART")
    if not command:
        pytest.skip(reason="PIAA_TEST_POSTGRES_RESTART has no command")
    words = shlex.split(command)
    if os.getuid() == 0:
        words = ["runuser", "-u", "postgres", "--", *words]
    fcntl.flock(cluster_lock, fcntl.LOCK_EX)
    return lambda: subprocess.run(words, check=True)
