"""The client against a real server; and the page's tour, as it is printed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from piaa.store.adapter_store import AdapterStore

from generic.errors import PiaaError
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels
from piaa.server.client import Client, ServerError

PAGE = Path(__file__).parents[3] / "docs" / "serve.md"


@pytest.fixture(scope="module")
def client(server):
    with Client(server.url, key=server.keys["admin"]) as one:
        yield one


def test_a_day_with_the_client(client, album, names):
    rated = {album / name: score for name, score in zip(names, (5, 1, 4, 2), strict=False)}
    assert client.rate("cleo", rated, scale=(1, 5)).n_ratings == 4
    assert client.wait(client.fit("cleo").id).version == 1
    assert client.wait(client.fit("cleo", "ridge").id).version == 2
    both = client.score(["cleo"], [album / names[0], album / names[5]], intervals=True)
    (scores,) = both.users
    assert all(
        low <= score <= high for low, score, high in zip(scores.low, scores.scores, scores.high, strict=True)
    )
    digests = [image.sha256 for image in both.images]
    again = client.score(["cleo"], sha256=digests).users[0].scores
    assert again == pytest.approx(scores.scores, abs=1e-9)
    assert client.score(["nobody yet"], sha256=digests, fallback=True).users[0].fallback
    assert client.rollback("cleo", 1).active == 1
    assert [one.sha256 for one in client.suggest("cleo", digests)] == digests[1:]
    assert "cleo" in [line.user for line in client.users()]
    assert client.models()[0].name == "piaa-tiny"
    client.erase("cleo")
    with pytest.raises(ServerError) as caught:
        client.user("cleo")
    assert str(caught.value) == "there is no user 'cleo'; rate some photos for the user first"
    assert caught.value.status == 404


def test_an_export_holds_all_and_can_be_imported(client, server, album, names, tmp_path):
    with pytest.raises(ServerError) as caught:
        client.export("uma")
    assert str(caught.value) == "there is no user 'uma'; rate some photos for the user first"
    rated = {album / name: score for name, score in zip(names, (5, 1, 4, 2), strict=False)}
    client.rate("uma", rated, scale=(0, 10))
    assert client.export("uma").adapters is None
    jobs = [client.wait(client.fit("uma", adapter).id) for adapter in ("ridge", "generic")]
    client.rollback("uma", 1)
    got = client.export("uma")
    assert (got.user, got.active, got.scale, got.jobs) == ("uma", 1, (0, 10), jobs)
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest(): score for path, score in rated.items()}
    assert {one.sha256: one.score for one in got.ratings} == hashes
    model, threads = GenericModel(server.model), torch.get_num_threads()
    torch.set_num_threads(1)  # as the server: two threads sum in another order
    try:
        for one in got.ratings:
            pixels = load_pixels(album / one.image, model.size)[None]
            vector = np.frombuffer(base64.b64decode(one.vector), "<f4")
            np.testing.assert_array_equal(vector, model.vectors(pixels)[0])
            assert one.model_hash == model.hash
    finally:
        torch.set_num_threads(threads)
    (tmp_path / "uma.json").write_text(json.dumps(got.adapters))
    there, here = AdapterStore(Path(server.store)), AdapterStore(tmp_path / "new.db")
    assert here.import_(tmp_path / "uma.json").n_versions == 2
    assert here.history("uma") == there.history("uma")
    client.erase("uma")


@pytest.mark.parametrize("name", ["Ána Lúcia", "a b?c#d", "100%"])
def test_names_need_no_care(client, album, names, name):
    client.rate(name, {album / names[0]: 3})
    assert client.user(name).user == name
    client.erase(name)


@pytest.mark.parametrize("name", ["a/b", "..", "."])
def test_names_that_no_path_can_hold(client, name):
    with pytest.raises(PiaaError) as caught:
        client.user(name)
    assert str(caught.value) == (
        f"user {name!r} cannot be part of a web address; name users without '/', and not '.' or '..'"
    )


def test_what_the_client_says(client, album, names, tmp_path):
    with pytest.raises(ServerError, match=r"^there is no adapter 'magic'"):
        client.fit("ana", "magic")
    with pytest.raises(PiaaError) as missing:
        client.score(["ana"], [tmp_path / "no.jpg"])
    assert str(missing.value) == (
        f"cannot read {str(tmp_path / 'no.jpg')!r}: No such file or directory; check its path"
    )
    (tmp_path / "b").mkdir()
    twins = {tmp_path / "a.jpg": 1, tmp_path / "b" / "a.jpg": 2}
    with pytest.raises(PiaaError, match="have the same name"):
        client.rate("ana", twins)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    with Client(nowhere) as lost, pytest.raises(ServerError) as silent:
        lost.models()
    assert str(silent.value) == (
        f"the server at {nowhere} does not answer ([Errno 111] Connection refused); is it running?"
    )


def test_the_tour_of_the_page(server, album, names, tmp_path):
    for name, source in zip(("beach.jpg", "forest.jpg", "harbour.jpg"), names, strict=False):
        (tmp_path / name).write_bytes((album / source).read_bytes())
    block = PAGE.read_text().split("## A tour")[1].split("```console\n")[1].split("```")[0]
    commands = re.sub(r"\\\n\s*", " ", block)
    lines = [line.removeprefix("$ ").split("  #")[0] for line in commands.splitlines()]
    digest = hashlib.sha256((tmp_path / "harbour.jpg").read_bytes()).hexdigest()
    ran = 0
    for line in lines:
        if not line.startswith("curl"):
            continue
        # A user of this test's own, for the server is shared.
        command = line.replace("HASH", digest).replace("ana", "tia")
        command = command.replace("curl ", "curl -sS --fail-with-body ", 1)
        shell = f'AUTH="Authorization: Bearer {server.keys["admin"]}" AT={server.url}; {command}'
        done = subprocess.run(
            ["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        if "/fit" in line:
            server.follow(re.search(r'"id":"([0-9a-f]+)"', done.stdout)[1])
        ran += 1
    assert ran == 7
    assert server.http.get("/v1/users/tia").status_code == 404


def test_the_python_of_the_page(server, album, names, tmp_path, monkeypatch):
    for name, source in zip(("beach.jpg", "forest.jpg", "harbour.jpg"), names, strict=False):
        (tmp_path / name).write_bytes((album / source).read_bytes())
    monkeypatch.chdir(tmp_path)
    code = PAGE.read_text().split("```python\n")[1].split("```")[0]
    for shown, here in (("http://127.0.0.1:8000", server.url), ('"ana"', '"pia"')):  # the server is shared
        assert shown in code
        code = code.replace(shown, here)
    exec(code, {"secret": server.keys["admin"]})
    with Client(server.url, key=server.keys["admin"]) as client:
        assert client.user("pia").active == 1
        client.erase("pia")
