"""docs/runbooks.md, rehearsed: its own commands, on real servers in the states that it is for.

``systemctl`` and ``journalctl`` are stand-ins that start, stop and read the same programs, without systemd.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from generic.model.generic_model import GenericModel
from piaa.store.keys import KeyStore
from piaa.store.place import open_database

httpx = pytest.importorskip("httpx", reason="the core has no httpx")
pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("curl") is None, reason="the page's commands use curl"),
]
ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
SYSTEMCTL = """#!/bin/bash
# start, stop and restart, of what the unit's ExecStart says, or of a PostgreSQL.
stop() { [ -e "$RUN/pid" ] && kill -TERM "$(cat "$RUN/pid")" 2>/dev/null
  while [ -e "$RUN/pid" ] && kill -0 "$(cat "$RUN/pid")" 2>/dev/null; do sleep 0.1; done; rm -f "$RUN/pid"; }
start() {
  (eval "exec setsid $(sed -n 's|^ExecStart=/usr/bin/env ||p' "$UNIT")") >>"$RUN/log" 2>&1 &
  echo $! >"$RUN/pid"
}
case "$1 $2" in
  "start piaa") start ;;
  "stop piaa") stop ;;
  "restart piaa") stop; start ;;
  "start postgresql") eval "$START_POSTGRES" ;;
  "daemon-reload ") ;;
  *) echo "no stand-in for: $*" >&2; exit 1 ;;
esac
"""


def blocks(title: str) -> list[str]:
    """The commands of a section, block by block."""
    section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
    found = re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert all(line.startswith("$ ") for block in found for line in block.splitlines())
    return [re.sub(r"^\$ ", "", block, flags=re.MULTILINE) for block in found]


class Operator:
    """Somebody at a machine with a server, and the page."""

    def __init__(self, folder: Path, store: str | Path, model: Path) -> None:
        self.folder, self.store = folder, str(store)
        self.bin, self.run = folder / "bin", folder / "run"
        for one in (self.bin, self.run, folder / "backups"):
            one.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.at = f"http://127.0.0.1:{port}"
        self._programs()
        unit = (ROOT / "deploy" / "piaa.service").read_text()
        start = f"piaa serve --port {port} --model {model} --cache {folder / 'cache'} --rate 5"
        self.unit = folder / "piaa.service"
        self.unit.write_text(re.sub(r"piaa serve.*", start, unit))
        database = open_database(store)
        keys = KeyStore(database)
        self.secret = keys.create_key("admin")[1]
        self.mallory, self.mallorys = keys.create_key("user", "mallory")
        database.close()
        self.environment = {
            **os.environ,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "AT": self.at,
            "BACKUPS": str(folder / "backups"),
            "UNIT": str(self.unit),
            "RUN": str(self.run),
            "PIAA_STORE": self.store,
            "SECRET": self.secret,
            "NOW": str(model),
        }
        self.http = httpx.Client(
            base_url=self.at, timeout=60, headers={"Authorization": f"Bearer {self.secret}"}
        )

    def _programs(self) -> None:
        python = shlex.quote(sys.executable)
        programs = {
            "systemctl": SYSTEMCTL,
            "journalctl": '#!/bin/bash\ncat "$RUN/log"\n',
            "piaa": f'#!/bin/bash\nexec {python} -m cli "$@"\n',
        }
        for name, text in programs.items():
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)

    def types(self, commands: str, **more: str) -> str:
        """What a block of the page prints; every command must end well."""
        script = f"set -e -o pipefail\n{commands}"
        done = subprocess.run(
            ["bash", "-c", script],
            env={**self.environment, **more},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, (commands, done.stdout, done.stderr, self.log())
        return done.stdout

    def starts(self) -> None:
        self.types('systemctl start piaa\nuntil curl -sf "$AT/ready"; do sleep 0.2; done')

    def ends(self) -> None:
        self.http.close()
        if (self.run / "pid").exists():
            self.types("systemctl stop piaa")

    def log(self) -> str:
        return (self.run / "log").read_text() if (self.run / "log").exists() else ""

    def rate(self, user: str, album: Path, scores: dict[str, float], **options: object) -> httpx.Response:
        ratings = [{"image": name, "score": score} for name, score in scores.items()]
        files = [("image", (name, (album / name).read_bytes())) for name in scores]
        data = {"ratings": json.dumps(ratings)}
        return self.http.post(f"/v1/users/{user}/ratings", data=data, files=files, **options)

    def fit(self, user: str) -> None:
        job = self.http.post(f"/v1/users/{user}/fit", params={"adapter": "ridge"}).json()["id"]
        for _ in range(600):
            state = self.http.get(f"/v1/jobs/{job}").json()["state"]
            if state == "done":
                return
            assert state != "failed"
            time.sleep(0.5)
        raise AssertionError(self.log())

    def score(self, user: str, album: Path, name: str) -> dict:
        files = [("image", (name, (album / name).read_bytes()))]
        answer = self.http.post("/v1/score", data={"user": [user]}, files=files)
        assert answer.status_code == 200, answer.text
        return answer.json()["users"][0]

    def said(self, user: str) -> int:
        return len(self.http.get(f"/v1/users/{user}").json()["ratings"])


@pytest.fixture
def operator(tmp_path, tiny_model):
    """``operator(store)``: with a server that runs, and a person who is fitted."""
    made = []

    def make(store: str | Path) -> Operator:
        made.append(Operator(tmp_path / "machine", store, tiny_model))
        made[-1].starts()
        return made[-1]

    (tmp_path / "machine").mkdir()
    yield make
    for one in made:
        one.ends()


def filled(one: Operator, album: Path, names: list[str]) -> dict:
    rated = {name: 1 + number % 5 for number, name in enumerate(names[:4])}
    assert one.rate("ana", album, rated).status_code == 200
    one.fit("ana")
    return one.score("ana", album, names[5])


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own, which may be filled."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here: this is no root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_the_disk_is_full(operator, small_disk, album, names):
    one = operator(small_disk / "piaa.db")
    before = filled(one, album, names)
    backups = small_disk / "backups"
    backups.mkdir()
    one.environment["BACKUPS"] = str(backups)
    for day in range(6):
        with (backups / f"2026-11-0{day + 1}.db").open("wb") as file:
            file.write(bytes(2_000_000))
        os.utime(file.name, (day, day))
    with (small_disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    refused = [one.rate("ana", album, {names[4]: score}) for score in (1, 2)]
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in refused] == [(503, "1")] * 2
    assert "disk is full" in one.log()
    assert one.score("ana", album, names[5])["scores"] == before["scores"]

    look, free = blocks("The disk is full")
    assert "100%" in one.types(look)
    assert one.types(free).count("removed") == 3
    assert sorted(path.name for path in backups.iterdir()) == [f"2026-11-0{day}.db" for day in (4, 5, 6)]
    assert one.said("ana") == 4
    assert one.rate("ana", album, {names[4]: 5}).status_code == 200
    assert one.said("ana") == 5
    assert one.score("ana", album, names[5])["scores"] == before["scores"]


def test_the_database_is_gone(operator, postgres, restart_postgres, album, names):
    words = os.environ["PIAA_TEST_POSTGRES_RESTART"].removesuffix(" -m fast restart")
    folder = re.search(r" -D (\S+)/data", words)[1]
    user = "runuser -u postgres -- " if os.getuid() == 0 else ""
    one = operator(postgres)
    before = filled(one, album, names)
    options = f"-c listen_addresses='' -k {folder}"
    one.environment["START_POSTGRES"] = (
        f"cd {folder}; {user}{words} -o {shlex.quote(options)} start >/dev/null"
    )
    subprocess.run(f"{user}{words} -m immediate stop", shell=True, cwd="/tmp", check=True)
    try:
        refused = one.rate("ana", album, {names[4]: 5})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    finally:
        (commands,) = blocks("The database is gone")
        said = one.types(commands)
    assert said.splitlines()[:2] == ["200", "503"]
    assert said.endswith('{"status":"ready"}')
    assert one.score("ana", album, names[5])["scores"] == before["scores"]
    assert one.rate("ana", album, {names[4]: 5}).status_code == 200
    assert one.said("ana") == 5


def test_the_next_model_and_back(operator, tmp_path, album, names, tiny_graph):
    one = operator(tmp_path / "piaa.db")
    before = filled(one, album, names)
    there, back = blocks("The next model")
    said = one.types(there, NEXT=str(tiny_graph))
    assert (one.folder / "backups" / "before-upgrade.db").exists()
    new = GenericModel(tiny_graph).hash
    assert new in said
    assert "piaa_users_not_moved 1.0" in said
    assert one.score("ana", album, names[5]) == before
    # She sends what she rated, and is moved.
    for name in names[:5]:
        one.score("ana", album, name)
    for _ in range(300):
        if one.score("ana", album, names[5])["model_hash"] == new:
            break
        time.sleep(0.5)
    assert one.score("ana", album, names[5])["model_hash"] == new
    one.types(back, NEXT=str(tiny_graph))
    assert one.score("ana", album, names[5]) == before


def test_a_hostile_user(operator, tmp_path, album, names):
    one = operator(tmp_path / "piaa.db")
    before = filled(one, album, names)
    theirs = {"Authorization": f"Bearer {one.mallorys}"}
    assert one.rate("mallory", album, {names[0]: 5}, headers=theirs).status_code == 200
    assert one.rate("mallory", album, {names[1]: 1}, headers=theirs).status_code == 200
    answers = [httpx.get(f"{one.at}/v1/users/mallory", headers=theirs).status_code for _ in range(400)]
    assert 429 in answers
    httpx.get(f"{one.at}/v1/models", headers={"Authorization": "Bearer guessed"})
    assert one.score("ana", album, names[5])["scores"] == before["scores"]

    look, act = blocks("A hostile user")
    said = one.types(look)
    assert re.search(rf'\d+ "key": "{one.mallory.id}"', said)
    assert re.search(r'\d+ "address": "127.0.0.1"', said)
    assert "mallory" not in one.log()
    said = one.types(act, KEY=one.mallory.id, NAME="mallory")
    assert re.search(r"terminal.*revoke", said)
    assert httpx.get(f"{one.at}/v1/users/mallory", headers=theirs).status_code == 401
    assert one.said("mallory") == 1
    assert one.score("ana", album, names[5])["scores"] == before["scores"]


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_restore_of_a_store_destroyed_in_use(operator, request, tmp_path, album, names, kind):
    if kind == "postgres" and shutil.which("psql") is None:
        pytest.skip("the page's commands use psql")
    store = tmp_path / "piaa.db" if kind == "file" else request.getfixturevalue("postgres")
    one = operator(store)
    before = filled(one, album, names)
    (nightly,) = [
        block for block in re.findall(r"^\$ (piaa backup .*)$", PAGE, re.MULTILINE) if "date" in block
    ]
    one.types(nightly)
    assert one.rate("ana", album, {names[6]: 1}).status_code == 200  # after the backup: lost
    if kind == "file":
        with Path(store).open("r+b") as file:
            file.write(os.urandom(200_000))
        for more in ("-wal", "-shm"):
            Path(f"{store}{more}").write_bytes(os.urandom(5000))
    else:
        import psycopg

        with psycopg.connect(store, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
    assert one.rate("ana", album, {names[7]: 1}).status_code == 503
    assert one.http.get("/health").status_code == 200

    said = one.types(blocks("Restore")[kind == "postgres"])
    assert "1 user, 4 ratings, 1 version from" in said
    assert one.said("ana") == 4
    assert one.score("ana", album, names[5]) == before
    assert one.rate("ana", album, {names[6]: 1}).status_code == 200
    one.fit("ana")
    assert one.score("ana", album, names[5])["version"] == 2
