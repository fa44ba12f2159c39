"""An album of any size that a page may be opened on: small photos, most of them as if read before.

Photos are copies of a few rendered scenes, each a picture of its own; of nine in ten the cache remembers
vectors, drawn around those of the scenes, so that nothing needs the network twenty thousand times. Made once
and kept, for :mod:`page_latency`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from album import copies

from generic.cache.features import FeatureCache
from piaa import load_model
from piaa.demo.scenes import draw_scenes, render
from piaa.people.model import Model
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store

N_SCENES, N_KNOWN = 24, 100
"""Scenes that the copies are made of; ratings that are in the store from before."""
USER = "me"
_CHUNK = 1000


def make(work: Path, n: int) -> None:
    """An album under ``work``, unless it is there: ``photos``, ``cache`` and ``piaa.db``.

    Args:
        work: its folder, created.
        n: how many photos, at least 200.
    """
    if (work / "ready").exists():
        return
    sources = work / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    scenes = []
    for number, scene in enumerate(draw_scenes(N_SCENES, 0)):
        scenes.append(sources / f"{number:02d}.jpg")
        render(scene, (240, 180)).save(scenes[-1], quality=80)
    photos = work / "photos"
    paths = sorted(photos.iterdir()) if photos.exists() else []
    if len(paths) != n:
        for path in paths:
            path.unlink()
        if photos.exists():
            photos.rmdir()
        paths = copies(scenes, n, photos)
    model = load_model(cache=work / "cache")
    _remember(model, scenes, paths, work / "cache")
    _rate(model, paths, work)
    (work / "ready").touch()


def _remember(model: Model, scenes: list[Path], paths: list[Path], cache: Path) -> None:
    rng = np.random.default_rng(0)
    with FeatureCache.open(cache) as features:
        seen = np.stack([one.vector for one in model.generic.embed(scenes, cache=features)])  # type: ignore[misc]
        spread = seen.std(axis=0)
        for start in range(0, len(paths), _CHUNK):
            some = paths[start : start + _CHUNK]
            contents, _ = features.digest_many(some)
            drawn = seen[rng.integers(0, len(seen), len(some))]
            drawn = drawn + rng.normal(size=drawn.shape) * spread
            drawn[:, 0] = np.clip(drawn[:, 0], 0, 1)
            known = range(min(len(some), len(paths) - len(paths) // 10 - start))
            vectors = {contents[some[at]].key: drawn[at].astype(np.float32) for at in known}
            features.put_many(vectors, model.generic.network_hash)


def _rate(model: Model, paths: list[Path], work: Path) -> None:
    say_ratings(Store(work / "piaa.db"), model, paths[:N_KNOWN], work / "cache")


def say_ratings(store: Store, model: Model, paths: list[Path], cache: Path) -> None:
    """Stars of somebody, drawn, for photos that the cache remembers."""
    rng = np.random.default_rng(1)
    with FeatureCache.open(cache) as features:
        read = list(model.generic.embed(paths, cache=features))
    ratings = [
        (
            SeenPhoto(identity=one.identity, sha256=one.digest, image=one.path.name, vector=one.vector),
            float(rng.integers(1, 6)),
        )
        for one in read
    ]
    saying = Saying(ratings=ratings, model_hash=model.generic.hash, source="table", scale=(1.0, 5.0))
    store.say(USER, saying)
