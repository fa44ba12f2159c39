"""Atomic writing against real kills, a really full disk and real permissions."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from generic.atomic import atomic_path, write_bytes
from generic.errors import OutputError

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture
def open_path():
    """A folder that nobody may search and write; pytest's own is for its owner only."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        folder.chmod(0o777)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".piaa-")]


def written_at(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def test_new_file_gets_the_bytes_and_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a.bin", b"\0\xff data")
    finally:
        os.umask(before)
    assert (tmp_path / "a.bin").read_bytes() == b"\0\xff data"
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_existing_file_keeps_its_permission_bits(tmp_path, mode):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    path.chmod(mode)
    with atomic_path(path) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) & ~mode & 0o077 == 0
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")
def test_existing_file_keeps_its_owner(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    os.chown(path, NOBODY, NOBODY)
    write_bytes(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (NOBODY, NOBODY)


def test_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "a.txt"
    target.write_bytes(b"old")
    (tmp_path / "link").symlink_to("real/a.txt")
    (tmp_path / "dangling").symlink_to("real/b.txt")
    write_bytes(tmp_path / "link", b"new")
    write_bytes(tmp_path / "dangling", b"made")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "dangling").is_symlink()
    assert target.read_bytes() == b"new"
    assert (tmp_path / "real" / "b.txt").read_bytes() == b"made"
    assert leftovers(tmp_path / "real") == []


def test_temporary_keeps_the_suffix_and_is_hidden(tmp_path):
    with atomic_path(tmp_path / "scores.parquet") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".parquet"
    longest = "n" * 150 + "." + "s" * 100
    write_bytes(tmp_path / longest, b"long")
    assert (tmp_path / longest).read_bytes() == b"long"


def test_a_mark_begins_the_name_of_the_temporary(tmp_path):
    with atomic_path(tmp_path / "table.csv", mark="table-") as temporary:
        assert temporary.name.startswith(".piaa-table-")
        temporary.write_bytes(b"x")
    write_bytes(tmp_path / "table.csv", b"y", mark="table-")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize(
    "error", [ValueError("wrong"), KeyboardInterrupt(), OSError(errno.EPERM, "no", "other")]
)
def test_error_in_the_block_passes_and_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def fail_halfway():
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)) as caught:
        fail_halfway()
    assert caught.value is error
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_device_is_written_in_place(tmp_path):
    write_bytes("/dev/null", b"gone")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    reader, writer = os.pipe()
    write_bytes(f"/dev/fd/{writer}", b"through")
    os.close(writer)
    assert os.read(reader, 100) == b"through"
    os.close(reader)


def test_messages(tmp_path):
    folder = tmp_path / "none"
    plain = tmp_path / "plain"
    plain.write_bytes(b"old")
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    long = tmp_path / ("x" * 300)
    expected = {
        folder / "a.csv": f"the folder '{folder}' does not exist; create it or name a file in another folder",
        tmp_path: "it is a folder; name a file in it",
        plain / "a.csv": f"'{plain}' is not a folder; name a file in a folder",
        loop: f"{os.strerror(errno.ELOOP)}; name another file",
        long: f"{os.strerror(errno.ENAMETOOLONG)}; name another file",
    }
    for path, message in expected.items():
        with pytest.raises(OutputError) as caught:
            write_bytes(path, b"new")
        assert str(caught.value) == f"cannot write '{path}': {message}"
    with pytest.raises(OutputError) as caught:
        write_bytes("a\0b\nc", b"new")
    assert str(caught.value) == r"cannot write 'a\x00b\nc': a file name has no zero byte; name another file"
    assert plain.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_folder_and_file_without_write_permission(ordinary_user, open_path):
    path = open_path / "a.txt"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with ordinary_user(), pytest.raises(OutputError) as caught:
        write_bytes(path, b"new")
    assert str(caught.value) == (
        f"cannot write '{path}': the file is write-protected; "
        "make it writable (chmod u+w) or name another file"
    )
    path.chmod(0o666)
    open_path.chmod(0o555)
    for name in ("a.txt", "b.txt"):
        with ordinary_user(), pytest.raises(OutputError) as caught:
            write_bytes(open_path / name, b"new")
        assert str(caught.value) == (
            f"cannot write '{open_path / name}': no permission to write in the folder '{open_path}'; "
            "change that or name a file in another folder"
        )
    assert path.read_bytes() == b"old"
    assert [path.name for path in open_path.iterdir()] == ["a.txt"]


def test_full_disk(tmpfs, tmp_path):
    with tmpfs(tmp_path / "disk", "64k") as disk:
        path = disk / "a.bin"
        write_bytes(path, b"old" * 1000)
        with pytest.raises(OutputError) as caught:
            write_bytes(path, b"n" * 200_000)
        assert str(caught.value) == (
            f"cannot write '{path}': the disk is full; free some space or name a file in another folder"
        )
        assert path.read_bytes() == b"old" * 1000
        assert leftovers(disk) == []


def test_read_only_disk(tmpfs, tmp_path):
    with tmpfs(tmp_path / "disk", "64k") as disk:
        path = disk / "a.bin"
        path.write_bytes(b"old")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for name in ("a.bin", "b.bin"):
            with pytest.raises(OutputError) as caught:
                write_bytes(disk / name, b"new")
            assert str(caught.value) == (
                f"cannot write '{disk / name}': the disk of the folder '{disk}' is read-only; "
                "name a file on another disk"
            )
        assert path.read_bytes() == b"old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has this device")
def test_full_device_names_no_temporary():
    with pytest.raises(OutputError) as caught:
        write_bytes("/dev/full", b"new")
    assert str(caught.value) == (
        "cannot write '/dev/full': the disk is full; free some space or name a file in another folder"
    )


def test_kill_at_random_moments_leaves_the_old_or_the_new_file(tmp_path):
    path = tmp_path / "a.bin"
    program = textwrap.dedent("""
        import sys
        from generic.atomic import write_bytes
        path, n = sys.argv[1], int(sys.argv[2])
        while True:
            n = (n + 1) % 256
            write_bytes(path, bytes([n]) * 3_000_000)
    """)
    draw = random.Random(7)
    seen = set()
    for round_ in range(12):
        before = written_at(path)
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", program, str(path), str(round_ * 20)], cwd=ROOT
        )
        try:
            # It writes from now on, however long the machine took to start it.
            waited = time.monotonic()
            while written_at(path) == before and time.monotonic() - waited < 60:
                time.sleep(0.005)
            time.sleep(draw.uniform(0.0, 0.15))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        data = path.read_bytes()
        assert len(data) == 3_000_000
        assert len(set(data)) == 1
        seen.add(data[0])
    assert len(seen) > 1
    # The test has no power if it never hit a write in progress.
    assert leftovers(tmp_path)
