"""A folder to make mistakes in, and what the rows of the golden files need beside text files."""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from piaa.store.adapter_store import AdapterStore
from safetensors.numpy import load, save
from safetensors.torch import save_file

from generic.model.checkpoint import load_checkpoint, read_header, save_checkpoint
from piaa.adapters.prior import PREFIX
from piaa.meta import learner
from piaa.meta.head import Standard
from piaa.meta.start import Choices, Start

RATINGS = "image,score\nphoto-01.jpg,5\nphoto-02.jpg,1\nphoto-03.jpg,4\n"


@pytest.fixture
def place(user_folders, album, tiny_model, warm_cache, monkeypatch) -> Iterator[Path]:
    """The current folder, all in order: the album as ``photos``, ``model.safetensors``, ``ratings.csv``."""
    # Open to everybody: some rows need an ordinary user, whom pytest's own folders keep out.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o777)
        shutil.copytree(album, folder / "photos")
        shutil.copytree(warm_cache, folder / "cache")
        os.link(tiny_model, folder / "model.safetensors")
        (folder / "ratings.csv").write_text(RATINGS)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("PIAA_STORE", str(folder / "piaa.db"))
        monkeypatch.setenv("PIAA_CACHE_DIR", str(folder / "cache"))
        yield folder


# ---- photos ----


@pytest.fixture
def locked_photos(place):
    (place / "photos").chmod(0o000)
    yield
    (place / "photos").chmod(0o755)


@pytest.fixture
def truncated_photo(place):
    (place / "photos/extra.jpg").write_bytes((place / "photos/photo-01.jpg").read_bytes()[:900])


@pytest.fixture
def huge_photo(place):
    """A PNG that promises 50,000 x 50,000 pixels in a few bytes."""
    content = bytearray((place / "photos/photo-04.png").read_bytes())
    content[16:24] = struct.pack(">II", 50_000, 50_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (place / "photos/extra.jpg").write_bytes(content)


@pytest.fixture
def empty_photos(place):
    for path in (place / "photos").glob("*.jpg"):
        path.write_bytes(b"")


@pytest.fixture
def two_photos(place):
    """Of twelve, two can be read."""
    for path in (place / "photos").rglob("*.*"):
        if path.name not in ("photo-01.jpg", "photo-02.jpg"):
            path.write_bytes(b"")


def copy_two_photos(place: Path, folder: str) -> None:
    (place / folder).mkdir()
    for name in ("photo-01.jpg", "photo-02.jpg"):
        shutil.copy(place / "photos" / name, place / folder)


@pytest.fixture
def few_photos(place):
    copy_two_photos(place, "few")


@pytest.fixture
def two_photos_shown(place):
    copy_two_photos(place, "shown")


# ---- folders and disks ----


@pytest.fixture
def locked_folder(place):
    (place / "locked").mkdir(mode=0o555)


@pytest.fixture
def full_disk(place, tmpfs, piaa):
    """The folder ``disk``, without a free byte, copies of the store and of scores.csv on it."""
    with tmpfs(place / "disk", "256k") as disk:
        for path in (place / "piaa.db", place / "scores.csv"):
            if path.exists():
                shutil.copy(path, disk)
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
        # The store can still be read, full as the disk is.
        listed = json.loads(piaa("users", "list", "--json", "--store", disk / "piaa.db").stdout)
        assert [row["user"] for row in listed] == ["ana"]


# ---- models and people ----


@pytest.fixture
def other_model(place):
    """Without a network it is enough of a model to be another one."""
    header, tensors = load_checkpoint(place / "model.safetensors")
    few = {name: tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    save_checkpoint(place / "other.safetensors", header, few)


@pytest.fixture
def model_of_a_test_photo(place):
    header, tensors = load_checkpoint(place / "model.safetensors")
    digest = hashlib.sha256((place / "photos/photo-01.jpg").read_bytes()).hexdigest()
    trained = dataclasses.replace(header, training={**header.training, "images_sha256": [digest]})
    save_checkpoint(place / "other.safetensors", trained, tensors)


@pytest.fixture
def untrained_start(place):
    header, tensors = load_checkpoint(place / "model.safetensors")
    start = dataclasses.replace(header, architecture={**header.architecture, "head": "fresh"})
    save_checkpoint(place / "start.safetensors", start, tensors)


@pytest.fixture
def damaged_model(place):
    content = bytearray((place / "model.safetensors").read_bytes())
    content[-5_000_000] ^= 255
    (place / "damaged.safetensors").write_bytes(content)


@pytest.fixture
def older_state(place):
    keeper = AdapterStore(place / "piaa.db")
    stored = keeper.load("ana")
    state = load(stored.state)
    del state["format"]
    keeper.save("ana", dataclasses.replace(stored, state=save(state)))


# ---- weights to convert ----

WEIGHTS = {"layer.weight": torch.zeros(2, 2)}


@pytest.fixture
def other_weights(place):
    torch.save(WEIGHTS, place / "eat.pth")


@pytest.fixture
def other_weights_in_safetensors(place):
    save_file(WEIGHTS, place / "eat.safetensors")


@pytest.fixture
def no_weights(place):
    torch.save({"epoch": 3}, place / "empty.pth")


class Dropper:
    """An object whose unpickling makes a folder."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.fixture
def weights_with_code(place):
    torch.save({"model": WEIGHTS, "args": Dropper(place / "made-by-the-file")}, place / "evil.pth")


# ---- meta-learned starts ----


def save_start(place: Path, model_hash: str, width: int = 9, units: int = 2) -> None:
    """A start for anil in start.safetensors."""
    one = np.ones(1)
    Start(
        algorithm="anil",
        model_hash=model_hash,
        weights={
            "body.weight": np.zeros((units, width)),
            "body.bias": np.zeros(units),
            "last.weight": np.zeros((1, units + 1)),
            "last.bias": np.zeros(1),
        },
        rates={"last.weight": one, "last.bias": one},
        standard=Standard(mean=np.zeros(width), deviation=np.ones(width)),
        choices=Choices(k=one, steps=one, caution=one, query=one, support=one),
    ).save(place / "start.safetensors")


@pytest.fixture
def start(place):
    save_start(place, read_header(place / "model.safetensors").hash)


@pytest.fixture
def start_for_another_model(place):
    save_start(place, "ab" * 32)


@pytest.fixture
def damaged_start(place):
    save_start(place, read_header(place / "model.safetensors").hash)
    path = place / "start.safetensors"
    path.write_bytes(path.read_bytes()[:-40])


@pytest.fixture
def learn2learn(monkeypatch):
    """What these rows tell does not depend on whether the extra is installed."""
    monkeypatch.setattr(learner, "load_learn2learn", lambda: None)


@pytest.fixture
def no_learn2learn(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("learn2learn"):
            raise ImportError("No module named 'learn2learn'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


# ---- studies ----


@pytest.fixture
def no_study(place):
    shutil.rmtree(place / "mine")


def split_off(place: Path, piaa: Callable, user: str) -> None:
    """A split of mine/ratings.csv in split.json."""
    (place / "users.txt").write_text(f"{user}\n")
    made = piaa("data", "split", "table", "mine", "--test-users", "users.txt", "--out", "split.json")
    assert made.exit_code == 0


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


@pytest.fixture
def changed_split(place, piaa):
    split_off(place, piaa, "ben")
    edit(place / "split.json", '"ben"', '"ana"')


@pytest.fixture
def split_of_other_data(place, piaa):
    table = place / "mine/ratings.csv"
    table.write_text(table.read_text() + "cy,photo-01.jpg,5\n")
    split_off(place, piaa, "cy")
    edit(table, "cy,", "cyrus,")


@pytest.fixture
def cut_unit(place):
    (unit,) = (place / "study/units").iterdir()
    unit.write_bytes(unit.read_bytes()[:50])
