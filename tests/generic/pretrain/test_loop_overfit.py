"""Each family of networks learns 64 photos by heart: whatever is wrong in the loop keeps one from it."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from generic.pretrain.config import NetworkSpec, Settings
from generic.pretrain.job import Job, run_job
from generic.pretrain.objective import Targets
from generic.pretrain.photos import FolderSource, Photos
from generic.progress import no_progress
from piaa.demo.scenes import draw_scenes, render

N, SIZE = 64, 64
BINS = (1.0, 2.0, 3.0, 4.0, 5.0)
EAT = {
    "dims": [16, 32, 32, 64],
    "heads": [1, 2, 2, 4],
    "groups": [1, 1, 2, 2],
    "windows": 2,
    "k_in": [8, 4, 2, 1],
    "stages": ["L", "S", "E", "E"],
    "drop_path_rate": 0.0,
}
FAMILIES = {
    "EAT": (NetworkSpec(name="eat_tiny_patch4_224", size=SIZE, options=EAT), "emd+mse"),
    "convolutions": (NetworkSpec(name="test_resnet", size=SIZE), "mse"),
    "EAT on a stem": (
        NetworkSpec(name="eat_lite", size=SIZE, options={"stem": "test_efficientnet", "layers": [1, 1]}),
        "mse",
    ),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """64 scenes with scores that nothing in them explains, evenly over the scale, in random order."""
    folder = tmp_path_factory.mktemp("scenes")
    names = [f"{number:02d}.png" for number in range(N)]
    for name, scene in zip(names, draw_scenes(N, 5), strict=True):
        render(scene, (SIZE, SIZE)).save(folder / name)
    units = np.random.default_rng(2).permutation(np.linspace(0, 1, N))
    # The two bins beside a score share it, so that its distribution has that mean.
    shares = np.maximum(0, 1 - np.abs(units[:, None] * 4 - np.arange(5)))
    return Photos(
        names=names,
        source=FolderSource({name: folder / name for name in names}),
        targets=Targets(scores=torch.tensor(units).float(), shares=torch.tensor(shares).float()),
    )


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_64_photos_are_learned_by_heart(family, photos, tmp_path):
    network, loss = FAMILIES[family]
    settings = Settings(
        loss=loss, epochs=45, batch=16, rate=3e-3, decay=0.0, ema=0.9, flip=False, workers=0, save_every=10**6
    )
    job = Job(
        name="by-heart",
        preset=family,
        network=network,
        settings=settings,
        start=None,
        data="scenes",
        details={},
        fingerprint="",
        train=photos,
        validation=photos,  # the very photos: what is asked is whether they are known
        bins=BINS if settings.has_bins else (),
        scale=(1.0, 5.0),
        threshold=0.5,
    )
    done = run_job(
        job,
        tmp_path / "run",
        bar=lambda *_: nullcontext(no_progress),
        tell=lambda *_: None,
        on_epoch=lambda *_: None,
    )
    assert max(row["srcc"] for row in done.history) > 0.99
    assert done.history[-1]["mse"] < 0.05 * done.history[0]["mse"]
