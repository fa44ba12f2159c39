"""The same in a bucket: a server of moto's that s3fs talks to, and one before it that fails at times."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from generic.errors import ClusterError
from piaa.cluster import folder as folder_module
from piaa.cluster.embed import embed
from piaa.cluster.folder import Folder
from piaa.cluster.listing import list_photos
from piaa.cluster.manifest import write_manifest
from piaa.cluster.status import status
from piaa.cluster.work import Job

fsspec = pytest.importorskip("fsspec", reason="buckets need the group cluster")
s3fs = pytest.importorskip("s3fs", reason="buckets need the group cluster")
moto = pytest.importorskip("moto.server", reason="buckets need the group cluster")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the client's libraries


DROPPED, SILENT = 0, -1
"""In place of a code: the connection ends without an answer, or stays open without one."""
PATIENCE = 1
"""Seconds that the client waits for an answer."""
HOP = ("connection", "expect", "transfer-encoding")
"""Headers that a proxy does not hand on."""


class Faulty(BaseHTTPRequestHandler):
    """A proxy before a server: of each few requests one is answered by an error."""

    protocol_version = "HTTP/1.1"  # which the client asks before it sends a body
    behind = ""
    every, code, count = 0, 503, 0

    def answer(self) -> None:
        body = self.body()
        Faulty.count += 1
        if Faulty.every and Faulty.count % Faulty.every == 0:
            if Faulty.code in (DROPPED, SILENT):
                time.sleep(3 * PATIENCE if Faulty.code == SILENT else 0)
                self.close_connection = True
                return
            self.send(Faulty.code, {}, b"")
            return
        names = [name for name in self.headers if name.lower() not in HOP]
        heads = {"Content-Type": "application/octet-stream"} | {it.title(): self.headers[it] for it in names}
        asked = urllib.request.Request(Faulty.behind + self.path, body or None, heads, method=self.command)
        try:
            found = urllib.request.urlopen(asked, timeout=30)
        except urllib.error.HTTPError as error:
            found = error
        self.send(found.status, dict(found.headers.items()), found.read())

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def send(self, code: int, heads: dict[str, str], content: bytes) -> None:
        self.send_response(code)
        known = {name.lower(): value for name, value in heads.items()}
        for name, value in {"content-length": str(len(content)), **known}.items():
            if name not in (*HOP, "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def faulty(monkeypatch):
    """The proxy; while it is there, s3:// leads to it."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Faulty)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    monkeypatch.setattr(Faulty, "behind", f"http://{host}:{port}")
    monkeypatch.setattr(Faulty, "every", 0)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.server_port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    monkeypatch.setattr(folder_module, "_WAITS", (0.01, 0.02))
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"read_timeout": PATIENCE}})
    s3fs.S3FileSystem.clear_instance_cache()
    yield Faulty
    s3fs.S3FileSystem.clear_instance_cache()
    urllib.request.urlopen(f"{Faulty.behind}/moto-api/reset", b"", timeout=30).close()
    proxy.shutdown()
    proxy.server_close()
    server.stop()


@pytest.fixture
def bucket(faulty, photos):
    """``s3://bucket`` with the photos in it, under ``photos/``."""
    system = s3fs.S3FileSystem()
    system.mkdir("bucket")
    for path in sorted(photos.rglob("*.*")):
        system.pipe_file(f"bucket/photos/{path.relative_to(photos).as_posix()}", path.read_bytes())
    return system


def files(system) -> dict[str, bytes]:
    return {name.removeprefix("bucket/"): system.cat_file(name) for name in system.find("bucket/vectors")}


def test_a_bucket_gives_the_vectors_of_the_same_photos(bucket, photos, tiny_graph, tmp_path):
    listed = list(list_photos("s3://bucket/photos"))
    local = [path.uri for path in list_photos(str(photos))]
    assert [it.uri.removeprefix("s3://bucket/photos") for it in listed] == [
        uri.removeprefix(str(photos)) for uri in local
    ]
    assert all(it.mark for it in listed)
    write_manifest("s3://bucket/photos", Folder("s3://bucket/manifest"), shard_size=4)
    job = Job(manifest="s3://bucket/manifest", out="s3://bucket/vectors", model=str(tiny_graph))
    done = embed(job)
    assert (done.photos, done.broken) == (13, 1)
    (found,) = status(Folder("s3://bucket/vectors"))
    assert (found.done, found.photos_done, found.broken) == (found.shards, 13, 1)
    before = files(bucket)
    embed(job)
    assert files(bucket) == before
    assert not [name for name in before if "running" in name]


@pytest.mark.parametrize(("code", "every"), [(500, 3), (503, 3), (DROPPED, 3), (SILENT, 10)])
def test_a_bucket_that_fails_at_times_costs_time_alone(bucket, faulty, tiny_graph, code, every):
    write_manifest("s3://bucket/photos", Folder("s3://bucket/manifest"), shard_size=4)
    job = Job(manifest="s3://bucket/manifest", out="s3://bucket/vectors", model=str(tiny_graph))
    embed(job)
    before = files(bucket)
    bucket.rm("bucket/vectors", recursive=True)
    faulty.every, faulty.code = every, code
    done = embed(job)
    faulty.every = 0
    assert (done.photos, done.broken) == (13, 1)
    assert files(bucket) == before


def test_a_bucket_that_is_away_is_told_in_a_line(faulty):
    faulty.every, faulty.code = 1, 503
    with pytest.raises(ClusterError) as caught:
        list(list_photos("s3://bucket/photos"))
    assert str(caught.value).startswith("s3://bucket/photos cannot be listed: ")
    assert "\n" not in str(caught.value)
