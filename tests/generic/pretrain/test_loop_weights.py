"""What a training does to the weights, step by step: the running mean, and what is frozen."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from generic.model.checkpoint import NETWORK
from generic.pretrain.config import NetworkSpec, Settings
from generic.pretrain.job import Job, run_job
from generic.pretrain.loop import Trainer
from generic.pretrain.objective import Targets
from generic.pretrain.photos import FolderSource, Photos
from generic.progress import no_progress

N = 8


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(1)
    names = [f"{number}.png" for number in range(N)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / name)
    source = FolderSource({name: tmp_path / name for name in names})
    return Photos(names=names, source=source, targets=Targets(scores=torch.linspace(0, 1, N)))


@pytest.fixture
def steps(photos, tmp_path, monkeypatch):
    """``steps(network, ema=0.9)``: the parameters before the first step and after each; the run's folder."""
    seen: list[dict[str, torch.Tensor]] = []
    step = Trainer._step

    def keep(self, *args):
        def now():
            return {name: value.detach().clone() for name, value in self.network.named_parameters()}

        if not seen:
            seen.append(now())
        loss = step(self, *args)
        seen.append(now())
        return loss

    monkeypatch.setattr(Trainer, "_step", keep)

    def run(network: str, **options):
        settings = Settings(loss="mse", batch=4, workers=0, rate=0.01, warmup=0, flip=False, **options)
        words = {"name": "x", "preset": "x", "data": "x", "details": {}, "fingerprint": ""}
        job = Job(
            **words,
            network=NetworkSpec(name=network, size=32),
            settings=settings,
            start=None,
            train=photos,
            validation=photos,
            scale=(0.0, 1.0),
            threshold=0.5,
        )
        told = {"tell": lambda *_: None, "on_epoch": lambda *_: None}
        run_job(job, tmp_path / "run", bar=lambda *_: nullcontext(no_progress), **told)
        return seen, tmp_path / "run"

    return run


def test_the_running_mean_is_its_closed_form(steps):
    seen, folder = steps("test_vit", ema=0.3, epochs=3, decay=0.3)
    n = len(seen) - 1
    assert n == 6
    state = load_file(folder / "state.safetensors")
    for name, start in seen[0].items():
        # w0 and the sum of w_i (1 - d_i), times all later decays; d_i = min(d, (1 + i) / (10 + i)), i from 0.
        decays = [min(0.3, (1 + i) / (10 + i)) for i in range(n)]
        expected = start.double() * np.prod(decays)
        for number, weights in enumerate(seen[1:]):
            expected += (1 - decays[number]) * np.prod(decays[number + 1 :]) * weights[name].double()
        torch.testing.assert_close(state[f"ema.{name}"].double(), expected, rtol=1e-5, atol=1e-6)
        assert torch.equal(state[f"network.{name}"], seen[-1][name])


def test_the_running_mean_is_what_the_model_file_holds(steps):
    _, folder = steps("test_vit", ema=0.8, epochs=1)
    state, model = (load_file(folder / name) for name in ("state.safetensors", "best.safetensors"))
    names = [key.removeprefix("ema.") for key in state if key.startswith("ema.")]
    assert [name for name in names if not torch.equal(model[NETWORK + name], state[f"ema.{name}"])] == []
    assert not torch.equal(state["ema.head.weight"], state["network.head.weight"])


def test_frozen_layers_wait_for_their_epoch(steps):
    seen, _ = steps("test_resnet", epochs=3, freeze=((0, 1.0), (1, 0.0), (2, 1.0)), decay=0.3)
    start, frozen, free, frozen_again = seen[0], seen[2], seen[4], seen[6]
    body = [name for name in start if not name.startswith("fc.")]
    assert all(torch.equal(start[name], frozen[name]) for name in body)
    assert not any(torch.equal(frozen[name], free[name]) for name in body if "conv" in name)
    assert all(torch.equal(free[name], frozen_again[name]) for name in body)
    heads = [weights["fc.weight"] for weights in (start, frozen, free, frozen_again)]
    assert not any(torch.equal(a, b) for a, b in pairwise(heads))
