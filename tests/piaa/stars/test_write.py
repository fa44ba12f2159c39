"""Sidecars are written and put back whole, whatever stops it, and nothing else in the folder changes."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest

from generic.cache.contents import Content
from generic.errors import OutputError, StarsError
from piaa.ratings.scale import Scale
from piaa.stars.gather import gather
from piaa.stars.journal import journals_of
from piaa.stars.names import RATING
from piaa.stars.packet import parse
from piaa.stars.plan import Plan, Wishes, make_plan
from piaa.stars.splice import NEW
from piaa.stars.write import carry_out, undo
from piaa.store.saying import Saying
from piaa.store.store import Store

N = 24
FACTS = {"User": "ana", "Scale": "1 5"}


@pytest.fixture
def store(tmp_path) -> Store:
    keeper = Store(tmp_path / "piaa.db")
    keeper.say("ana", Saying(model_hash="m", source="terminal"))
    return keeper


def fill(folder: Path, sidecar) -> None:
    """Photos, every second one with a sidecar of one of the programs."""
    programs = ("lightroom", "darktable", "digikam", "capture one")
    folder.mkdir(exist_ok=True)
    for number in range(N):
        (folder / f"{number}.jpg").write_bytes(b"photo %d" % number)
        if number % 2:
            (folder / f"{number}.jpg.xmp").write_bytes(sidecar(programs[number // 2 % 4], 0))


def contents(folder: Path) -> dict[str, bytes]:
    """All files but journals."""
    journals = journals_of(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir() if path not in journals}


def plan_of(folder: Path, wishes: Wishes = Wishes(stars=True), score: float = 4.2) -> Plan:  # noqa: B008
    gathered = gather(folder)
    rows = {one.name: {"score": score, "low": 3.1, "high": 5} for one in gathered.photos}
    known = {}
    for one in gathered.photos:
        digest = hashlib.sha256(one.shot.main.read_bytes()).hexdigest()
        known[one.shot.main] = Content(digest, digest)
    return make_plan(gathered, rows, FACTS, Scale(1, 5), wishes, known, frozenset())


def test_what_is_written_is_put_back_to_the_byte(tmp_path, sidecar, store, exiftool):
    folder = tmp_path / "photos"
    fill(folder, sidecar)
    before = contents(folder)
    plan = plan_of(folder)
    assert (len(plan.wishes), plan.n_new, plan.n_stars, plan.skipped) == (N, N // 2, N, {})
    assert contents(folder) == before  # a plan writes nothing
    assert carry_out(plan, store, "ana").n == N
    after = contents(folder)
    assert {name: content for name, content in after.items() if name.endswith(".jpg")} == {
        name: content for name, content in before.items() if name.endswith(".jpg")
    }
    for name in (name for name in after if name.endswith(".xmp")):
        assert exiftool(folder / name)["XMP-xmp:Rating"] == 4, name
    assert plan_of(folder).wishes == ()
    done = undo(folder, store, "ana")
    assert (done.n_back, done.n_removed, done.skipped) == (N // 2, N // 2, {})
    assert contents(folder) == before
    assert journals_of(folder) == []


def test_two_writings_are_taken_back_one_by_one(tmp_path, sidecar, store):
    folder = tmp_path / "photos"
    fill(folder, sidecar)
    states = [contents(folder)]
    for score in (4.2, 2.0):
        carry_out(plan_of(folder, score=score), store, "ana")
        states.append(contents(folder))
    assert undo(folder, store, "ana").n_left == 1
    assert contents(folder) == states[1]
    assert undo(folder, store, "ana").n_left == 0
    assert contents(folder) == states[0]
    with pytest.raises(StarsError) as caught:
        undo(folder, store, "ana")
    assert str(caught.value) == (
        f"nothing was written into sidecars of {folder} that could be taken back; name the folder that was "
        "given to --write-xmp"
    )


def test_what_another_program_wrote_since_stays(tmp_path, sidecar, store, exiftool):
    folder = tmp_path / "photos"
    fill(folder, sidecar)
    carry_out(plan_of(folder), store, "ana")
    exiftool(folder / "1.jpg.xmp", "-XMP-dc:Title=A day")
    exiftool(folder / "0.jpg.xmp", "-XMP-xmp:Rating=5")
    (folder / "3.jpg.xmp").unlink()
    done = undo(folder, store, "ana")
    assert (done.n_taken_out, done.n_gone, done.n_back, done.n_removed) == (2, 1, N // 2 - 2, N // 2 - 1)
    read = exiftool(folder / "1.jpg.xmp")
    assert read["XMP-dc:Title"] == "A day"
    assert read["XMP-xmp:Rating"] == 0
    assert not [name for name in read if name.startswith("XMP-piaa")]
    assert exiftool(folder / "0.jpg.xmp")["XMP-xmp:Rating"] == 5
    # Its star may live on in the program that wrote it, so it stays known as ours; the others are not there.
    digests = {number: hashlib.sha256(b"photo %d" % number).hexdigest() for number in (0, 1, 5)}
    known = store.written(list(digests.values()))
    assert known == {digests[0]: {4}, digests[1]: {4}}


def test_a_sidecar_that_changes_after_the_plan_is_left_alone(tmp_path, sidecar, store):
    folder = tmp_path / "photos"
    fill(folder, sidecar)
    plan = plan_of(folder)
    changed = (folder / "1.jpg.xmp").read_bytes().replace(b"Red", b"Pink")
    (folder / "1.jpg.xmp").write_bytes(changed)
    (folder / "2.jpg.xmp").write_bytes(NEW)
    done = carry_out(plan, store, "ana")
    reason = "another program changed it at this moment; write again"
    assert (done.n, done.skipped) == (N - 2, {"1.jpg.xmp": reason, "2.jpg.xmp": reason})
    assert (folder / "1.jpg.xmp").read_bytes() == changed
    undo(folder, store, "ana")
    assert (folder / "1.jpg.xmp").read_bytes() == changed
    assert (folder / "2.jpg.xmp").read_bytes() == NEW


def test_a_sidecar_that_is_write_protected_is_named_and_the_others_are_written(
    tmp_path, sidecar, store, monkeypatch
):
    folder = tmp_path / "photos"
    fill(folder, sidecar)
    locked, reason = folder / "1.jpg.xmp", f"{folder / '1.jpg.xmp'} is write-protected; allow writing to it"
    before, plan, access = locked.read_bytes(), plan_of(folder), os.access
    # Asked of the system, to whom nothing is protected from root.
    monkeypatch.setattr(os, "access", lambda path, mode: path != locked and access(path, mode))
    assert plan_of(folder).skipped == {"1.jpg": reason}
    done = carry_out(plan, store, "ana")
    assert (done.n, done.skipped) == (N - 1, {"1.jpg.xmp": reason})
    assert locked.read_bytes() == before


def test_links_are_not_followed(tmp_path, sidecar, store):
    folder, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    fill(folder, sidecar)
    elsewhere.mkdir()
    (elsewhere / "hers.xmp").write_bytes(NEW)
    (elsewhere / "a.jpg").write_bytes(b"elsewhere")
    (folder / "0.jpg.xmp").symlink_to(elsewhere / "hers.xmp")
    (folder / "2.jpg.xmp").symlink_to(elsewhere / "none.xmp")
    (folder / "linked").symlink_to(elsewhere)
    plan = plan_of(folder)
    link = "is a link; what it leads to is not changed: put a file in its place"
    assert plan.skipped == {
        "0.jpg": f"{folder / '0.jpg.xmp'} {link}",
        "2.jpg": f"{folder / '2.jpg.xmp'} {link}",
        "linked/a.jpg": f"{folder / 'linked'} is a link out of the folder, where nothing is changed; name "
        "the folder that it leads to",
    }
    carry_out(plan, store, "ana")
    assert (elsewhere / "hers.xmp").read_bytes() == NEW
    assert sorted(path.name for path in elsewhere.iterdir()) == ["a.jpg", "hers.xmp"]


def test_a_link_put_in_the_place_of_a_sidecar_is_not_undone(tmp_path, sidecar, store):
    folder = tmp_path / "photos"
    fill(folder, sidecar)
    carry_out(plan_of(folder), store, "ana")
    shutil.move(folder / "1.jpg.xmp", tmp_path / "moved.xmp")
    (folder / "1.jpg.xmp").symlink_to(tmp_path / "moved.xmp")
    moved = (tmp_path / "moved.xmp").read_bytes()
    done = undo(folder, store, "ana")
    assert list(done.skipped) == ["1.jpg.xmp"]
    assert (tmp_path / "moved.xmp").read_bytes() == moved
    assert len(journals_of(folder)) == 1  # for the one that is left
    (folder / "1.jpg.xmp").unlink()
    shutil.move(tmp_path / "moved.xmp", folder / "1.jpg.xmp")
    assert undo(folder, store, "ana").skipped == {}
    assert journals_of(folder) == []


def test_nobody_takes_back_what_was_written_for_another_person(tmp_path, sidecar, store):
    folder = tmp_path / "photos"
    fill(folder, sidecar)
    carry_out(plan_of(folder), store, "ana")
    with pytest.raises(StarsError) as caught:
        undo(folder, store, "ben")
    assert str(caught.value) == (
        f"what was written last into sidecars of {folder} was for user 'ana', not 'ben'; take that back first"
    )


def test_names_with_line_breaks_and_without_utf_8(tmp_path, store):
    folder = tmp_path / "photos"
    folder.mkdir()
    name = os.fsdecode(b"a\n\xff.jpg")
    (folder / name).write_bytes(b"photo")
    carry_out(plan_of(folder), store, "ana")
    assert parse((folder / f"{name}.xmp").read_bytes(), "a.xmp").value(RATING) == "4"
    assert undo(folder, store, "ana").n_removed == 1
    assert [path.name for path in folder.iterdir()] == [name]


def test_a_full_disk_leaves_every_sidecar_whole(tmpfs, tmp_path, sidecar, store):
    with tmpfs(tmp_path / "photos", "400k") as folder:
        fill(folder, sidecar)
        before = contents(folder)
        plan = plan_of(folder)
        filler = folder / "filler"
        command = ["dd", "if=/dev/zero", f"of={filler}", "bs=4096"]
        subprocess.run(command, check=False, capture_output=True)
        with pytest.raises(OutputError) as caught:
            carry_out(plan, store, "ana")
        assert str(caught.value) == (
            f"cannot write '{folder / '.piaa-xmp-1.json'}': the disk is full; free some space or name a file "
            "in another folder"
        )
        filler.unlink()
        assert contents(folder) == before
        # Room for the journal and some sidecars.
        subprocess.run(
            ["fallocate", "-l", str(shutil.disk_usage(folder).free - 60_000), str(filler)], check=True
        )
        with pytest.raises(
            OutputError, match=r"the disk is full; .* \(\d+ of 24 sidecars are written; take "
        ):
            carry_out(plan, store, "ana")
        filler.unlink()
        new = {path.path.name: path.after for path in plan.wishes}
        now = contents(folder)
        written = [name for name, content in now.items() if content == new.get(name)]
        assert 0 < len(written) < N
        # A star that reached no file is not ours: she may give the same one.
        digests = {one.path.name: one.photos[0].identity for one in plan.wishes}
        assert store.written(list(digests.values())).keys() == {digests[name] for name in written}
        assert all(content in (before.get(name), new.get(name)) for name, content in now.items())
        undo(folder, store, "ana")
        assert contents(folder) == before


PROGRAM = """
import pickle, sys
from pathlib import Path
from piaa.stars.write import carry_out, undo
from piaa.store.store import Store
plan = pickle.loads(Path(sys.argv[1]).read_bytes())
store = Store(Path(sys.argv[2]))
print("now", flush=True)
undo(plan.root, store, "ana") if sys.argv[3] == "undo" else carry_out(plan, store, "ana")
"""


@pytest.mark.parametrize("n", [5, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", ["write", "undo"])
def test_kills_leave_every_sidecar_old_or_new(kill, user_folders, tmp_path, sidecar, store, what, n):
    folder, base = tmp_path / "photos", tmp_path / "base"
    fill(folder, sidecar)
    before = contents(folder)
    plan = plan_of(folder)
    (tmp_path / "plan").write_bytes(pickle.dumps(plan))
    if what == "undo":
        carry_out(plan, store, "ana")
    shutil.copytree(folder, base)
    new = {wish.path.name: wish.after for wish in plan.wishes}

    def prepare() -> None:
        shutil.rmtree(folder)
        shutil.copytree(base, folder)

    program = kill.snippet(PROGRAM, tmp_path / "plan", store.name, what)
    n_killed = 0
    for one in kill.kills(program, n, folder=tmp_path, name=what, prepare=prepare, from_first_line=True):
        n_killed += one.killed
        now = {name: some for name, some in contents(folder).items() if not name.startswith(".piaa-")}
        assert all(some in (before.get(name), new.get(name)) for name, some in now.items())
        assert set(before) <= set(now)
        if journals_of(folder):
            assert undo(folder, store, "ana").skipped == {}
        now = {name: some for name, some in contents(folder).items() if not name.startswith(".piaa-")}
        assert now == before
    assert n_killed > n // 4  # fewer where the measured run was slowed down by something else
