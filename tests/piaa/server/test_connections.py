"""However many connections say nothing, or little at a time, the server answers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

HEAD = b"""POST /v1/score HTTP/1.1\r
Host: localhost\r
Content-Type: multipart/form-data; boundary=b\r
Content-Length: %d\r
\r
"""
N_IDLE, N_DRIBBLING = 5_000, 1_000


def place(server) -> tuple[str, int]:
    host, port = server.url.removeprefix("http://").split(":")
    return host, int(port)


@contextlib.contextmanager
def opened(server, n: int, first: bytes = b"", source: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    """So many connections on which so much was said."""
    connections: list[socket.socket] = []
    try:
        for _ in range(n):
            one = socket.create_connection(place(server), timeout=30, source_address=(source, 0))
            connections.append(one)
            if first:
                with contextlib.suppress(OSError):  # it made room already
                    one.sendall(first)
        yield connections
    finally:
        for one in connections:
            one.close()


def is_closed(one: socket.socket) -> bool:
    one.settimeout(0.05)
    try:
        return one.recv(1000) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.fixture
def small(serve, tmp_path):
    options = ("--max-connections", "40", "--max-per-address", "30", "--head-timeout", "4")
    server = serve(tmp_path / "piaa.db", "--no-keys", *options, "--body-timeout", "2")
    yield server
    server.stop()


def test_health_beside_thousands_that_say_nothing(serve, tmp_path):
    server = serve(tmp_path / "piaa.db", "--no-keys")
    with opened(server, N_IDLE), opened(server, N_DRIBBLING, b"GET /health HT") as dribbling:
        stop = threading.Event()

        def dribble() -> None:
            while not stop.wait(1):
                for one in dribbling:
                    with contextlib.suppress(OSError):
                        one.sendall(b"T")

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            for _ in range(3):
                answer = httpx.get(f"{server.url}/health", timeout=30)
                assert answer.json() == {"status": "ok"}
        finally:
            stop.set()
            thread.join()
    server.stop()


def test_of_too_many_the_one_goes_that_was_idle_for_longest(small):
    with opened(small, 29) as first, opened(small, 10, source="127.0.0.2") as others:
        assert small.http.get("/health").status_code == 200
        with opened(small, 5):
            assert [is_closed(one) for one in first[:8]] == [True] * 5 + [False] * 3
            assert not any(is_closed(one) for one in others)


def test_who_asks_is_not_dropped_for_who_is_idle(small):
    with opened(small, 1, HEAD % 10) as (asking,), contextlib.ExitStack() as idle:
        time.sleep(1)  # a busy server has read the head before the others come
        idle.enter_context(opened(small, 60))
        asking.sendall(b"--b\r\nabcde")
        asking.settimeout(10)
        assert asking.recv(1000).startswith(b"HTTP/1.1 4")


def test_a_head_in_pieces_is_not_awaited_for_ever(small):
    with opened(small, 1, b"GET /health HTTP/1.1\r\nX: ") as (one,):
        started = time.monotonic()
        with contextlib.suppress(OSError):
            while not is_closed(one):
                one.sendall(b"x")
                assert time.monotonic() - started < 10
        assert time.monotonic() - started > 3


def test_a_body_in_pieces_is_not_awaited_for_ever(small):
    with opened(small, 1, HEAD % 1000 + b"--b\r\n") as (one,):
        started, answer = time.monotonic(), b""
        one.settimeout(0.3)
        while not answer:
            one.sendall(b"x")
            assert time.monotonic() - started < 10
            with contextlib.suppress(TimeoutError):
                answer = one.recv(1000)
        assert answer.startswith(b"HTTP/1.1 408 ")
        with contextlib.suppress(TimeoutError):
            answer += one.recv(1000)
        assert b" bytes came in 2 s; send it again, sooner" in answer
