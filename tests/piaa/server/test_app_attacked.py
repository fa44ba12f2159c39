"""What one hostile user does to the others: nothing that they notice."""

from __future__ import annotations

import io
import os
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from piaa.store.keys import KeyStore
from piaa.store.place import open_database

OPTIONS = {"data": {"user": "nobody"}, "params": {"fallback": "generic"}}


def scans_of(jpeg: bytes) -> list[int]:
    return [at for at in range(len(jpeg) - 1) if jpeg[at : at + 2] == b"\xff\xda"]


@pytest.fixture(scope="module")
def slow_photo() -> Callable[[int], bytes]:
    """``slow_photo(number)``: what takes seconds to decode; each is another file."""
    grey = Image.effect_noise((400, 300), 60).resize((8000, 6000)).convert("L")
    out = io.BytesIO()
    grey.save(out, "JPEG", quality=5, progressive=True)
    jpeg = out.getvalue()
    last = jpeg[scans_of(jpeg)[-1] : -2]
    many = jpeg[:-2] + last * (60 - len(scans_of(jpeg))) + b"\xff\xd9"
    return lambda number: many + b"%d" % number


def children(server) -> dict[int, float]:
    """Processes that decode, and the seconds that each has computed."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(fields[1]) == server.process.pid and b"decoding.child" in command:
                ticks = int(fields[11]) + int(fields[12])
                found[int(entry.name)] = ticks / os.sysconf("SC_CLK_TCK")
    return found


def send(server, *contents: bytes, key: str | None = None) -> socket.socket:
    """A request for scores, sent in whole; nobody reads its answer."""
    files = [("image", ("slow.jpg", content)) for content in contents]
    request = server.http.build_request("POST", "/v1/score", files=files, **OPTIONS)
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST {request.url.raw_path.decode()} HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Authorization: Bearer {key}\r\n" if key else ""
    body = request.read()
    head += f"Content-Type: {request.headers['content-type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(head.encode() + body)
    return connection


def wait_until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def limited(serve, tmp_path):
    """A server with keys, on which a photo may take one second."""
    place = tmp_path / "piaa.db"
    database = open_database(place)
    keys = {user: KeyStore(database).create_key("user", user)[1] for user in ("nobody", "honest")}
    database.close()
    one = serve(place, "--photo-seconds", "1", "--rate", "100000")
    one.keys = keys
    yield one
    if one.process.poll() is None:
        one.kill()


def test_a_photo_that_takes_long_is_given_up(limited, slow_photo):
    before = set(children(limited))
    limited.http.headers["Authorization"] = f"Bearer {limited.keys['nobody']}"
    answer = limited.score(["nobody"], [("slow.jpg", slow_photo(1))], params={"fallback": "generic"})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "not even the one image can be scored: slow.jpg takes more than 1 s to decode, the limit; save it "
        "again as an ordinary JPEG or leave it out",
    )
    # Its process is replaced, and the others are as they were.
    wait_until(lambda: len(children(limited)) == len(before))
    assert len(before & set(children(limited))) == len(before) - 1


def test_slow_photos_of_one_key_do_not_hold_up_another(limited, slow_photo, picture):
    connections = [send(limited, slow_photo(number), key=limited.keys["nobody"]) for number in range(8)]
    wait_until(lambda: max(children(limited).values()) > 0.3)
    headers = {"Authorization": f"Bearer {limited.keys['honest']}"}
    options = {"data": {"user": "honest"}, "params": {"fallback": "generic"}, "headers": headers}
    started = time.monotonic()
    for number in range(5):
        files = {"image": ("a.jpg", picture(500 + number))}
        assert limited.http.post("/v1/score", files=files, **options).status_code == 200
    # Eight of them take at least eight seconds of computing, one after the other or two at a time.
    assert time.monotonic() - started < 3
    for one in connections:
        one.close()


def test_a_client_that_went_away_costs_nothing_more(serve, tmp_path, slow_photo):
    server = serve(tmp_path / "piaa.db", "--no-keys", "--photo-seconds", "60")
    connections = [send(server, slow_photo(number)) for number in range(6)]
    wait_until(lambda: max(children(server).values()) > 0.6)
    busy = {pid for pid, seconds in children(server).items() if seconds > 0.6}
    for one in connections:
        one.close()
    wait_until(lambda: not busy & set(children(server)), seconds=2)
    wait_until(lambda: len(children(server)) >= 3)
    before = sum(children(server).values())
    time.sleep(1)
    assert sum(children(server).values()) < before + 0.5
    server.stop()


def large_photos(n: int) -> Iterator[bytes]:
    """Each takes a part of a second to decode, and is another picture: the colour of all of it is another."""
    out = io.BytesIO()
    Image.new("P", (7000, 7000)).save(out, "PNG")
    png = out.getvalue()
    at = png.index(b"PLTE")
    size = int.from_bytes(png[at - 4 : at])
    for number in range(n):
        palette = b"PLTE" + bytes((number, 0, 0)) + png[at + 7 : at + 4 + size]
        yield png[:at] + palette + zlib.crc32(palette).to_bytes(4) + png[at + 8 + size :]


def test_who_finds_no_room_waits_a_second_for_it(serve, tmp_path, picture):
    server = serve(tmp_path / "piaa.db", "--no-keys")
    photos = list(large_photos(128))
    connections = [send(server, *photos[first : first + 64]) for first in (0, 64)]
    waiting = re.compile(r"^piaa_waiting_images (\d+)", re.MULTILINE)
    # Of 128: meanwhile some were done.
    wait_until(lambda: int(waiting.search(server.http.get("/metrics").text)[1]) > 110)
    few = [("a.jpg", picture(600 + number)) for number in range(64)]
    started = time.monotonic()
    answer = server.score(["nobody"], few, params={"fallback": "generic"})
    waited = time.monotonic() - started
    assert answer.status_code == 503
    n = int(answer.json()["detail"].split()[0])
    assert answer.json()["detail"] == (
        f"{n} images wait already, {n} of them yours; at most 256 may, and 128 of one key; try again in a "
        "second"
    )
    assert answer.headers["retry-after"] == "1"
    assert waited > 0.9
    # Others go away while it waits, and it is taken.
    leaving = threading.Timer(0.3, lambda: [one.close() for one in connections])
    leaving.start()
    answer = server.score(["nobody"], few, params={"fallback": "generic"})
    leaving.join()
    assert answer.status_code == 200
    server.stop()


def test_a_stop_does_not_wait_for_what_is_decoded(serve, tmp_path, slow_photo):
    server = serve(tmp_path / "piaa.db", "--no-keys", "--photo-seconds", "3600", "--grace", "2")
    connections = [send(server, slow_photo(number)) for number in range(40)]
    wait_until(lambda: max(children(server).values()) > 0.6)
    pids = children(server)
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 2 + 5
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    for one in connections:
        one.close()


def test_decoders_end_with_a_server_that_is_killed(serve, tmp_path):
    server = serve(tmp_path / "piaa.db", "--no-keys")
    pids = children(server)
    assert pids
    server.kill()
    wait_until(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()])


def test_a_photo_that_takes_much_memory_is_refused(serve, tmp_path):
    server = serve(tmp_path / "piaa.db", "--no-keys", "--photo-memory", "100000000")
    out = io.BytesIO()
    Image.new("RGB", (7000, 7000)).save(out, "PNG")
    answer = server.score(["nobody"], [("big.png", out.getvalue())], params={"fallback": "generic"})
    assert answer.json()["detail"] == (
        "not even the one image can be scored: big.png takes more memory to decode than a photo may; save it "
        "again smaller or leave it out"
    )
    server.stop()
