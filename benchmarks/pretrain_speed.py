"""How busy ``piaa pretrain`` keeps the device: its loop against the bare step, and the loader alone.

    uv run python benchmarks/pretrain_speed.py                    eat_tiny at 224 on the CPU
    uv run python benchmarks/pretrain_speed.py --device cuda      eat_base in bf16 beside timm's swin_base

Photos are generated JPEG files of 1024 x 768 pixels. The loop is the very one of ``piaa pretrain``, with its
loss, gradient clipping, running mean and worker processes; its first epoch warms up, and validation and
writing between epochs are left out. The bare step has the same network, loss and optimiser, on tensors that
lie on the device. Each round has both in turn; figures are medians, ratios those of medians. Processor
seconds are those of the training process without its workers: what the loop adds, also where other programs
take the cores. About five minutes on two cores that do nothing else; on a GPU also the loop's peak memory and
utilisation.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any

import numpy as np
import torch
from PIL import Image
from record import table, tell, write_result
from torch import nn

from generic.pretrain.batches import PhotoReader, Plan, loader
from generic.pretrain.config import NetworkSpec, Settings
from generic.pretrain.loop import Listeners, Trainer
from generic.pretrain.objective import Targets, loss_of
from generic.pretrain.photos import FolderSource, Photos
from generic.pretrain.processes import make_accelerator
from generic.pretrain.schedule import make_optimiser
from generic.pretrain.trained_network import build_network
from generic.pretrain.training_folder import TrainingFolder
from generic.progress import no_progress

PHOTO = (1024, 768)
LOADER_EPOCHS = 12
BINS = tuple(float(score) for score in range(1, 11))
NETWORKS = {
    "cpu": ("eat_tiny_patch4_224",),
    "cuda": ("eat_base_patch4_224", "swin_base_patch4_window7_224"),
}


def make_photos(folder: Path, n: int) -> Photos:
    """Photos of smooth noise, as large and as compressible as real ones, with random distributions."""
    rng = np.random.default_rng(0)
    names = [f"{number:04d}.jpg" for number in range(n)]
    for name in names:
        coarse = Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8))
        coarse.resize(PHOTO, Image.Resampling.BICUBIC).save(folder / name, quality=90)
    shares = torch.from_numpy(rng.dirichlet(np.ones(10), n)).float()
    units = (shares @ torch.tensor(BINS) - 1) / 9
    source = FolderSource({name: folder / name for name in names})
    return Photos(names=names, source=source, targets=Targets(scores=units, shares=shares))


def settings_of(device: str, batch: int, epochs: int, workers: int) -> Settings:
    """As the preset of EAT has them."""
    precision = "bf16" if device == "cuda" else "fp32"
    return Settings(
        batch=batch, epochs=epochs, workers=workers, precision=precision, layer_decay=0.8, ema=0.9998
    )


class TimedTrainer(Trainer):
    """Notes images a second, and processor seconds an image, of each epoch without its validation."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.seen: list[tuple[float, float]] = []
        self.begun = time.process_time()

    def _finish_epoch(self, epoch: int, rate: float, speed: float) -> None:
        images = self.steps_per_epoch * self.settings.batch
        self.seen.append((speed, (time.process_time() - self.begun) / images))
        super()._finish_epoch(epoch, rate, speed)
        self.begun = time.process_time()


def loop_speed(network: str, photos: Photos, settings: Settings, folder: Path) -> list[tuple[float, float]]:
    """Images a second, processor seconds an image of each epoch of `piaa pretrain`'s loop but the first."""
    with closing(TrainingFolder(folder, {})) as run:
        trainer = TimedTrainer(
            build_network(NetworkSpec(name=network), bins=BINS),
            settings,
            photos,
            photos.take(range(2)),
            threshold=0.5,
            folder=run,
            accelerator=make_accelerator(settings),
            listeners=Listeners(progress=no_progress, epoch=lambda _: None, best=lambda *_: None),
        )
        trainer.run()
    return trainer.seen[1:]


def bare_speed(network: str, settings: Settings, steps: int) -> tuple[float, float]:
    """Images a second, processor seconds an image of the step alone, after one that warms up."""
    device = make_accelerator(settings).device
    trainee = build_network(NetworkSpec(name=network), bins=BINS)
    model: nn.Module = trainee.network.to(device).train()
    optimiser = make_optimiser(model, settings)
    n = settings.batch
    x = torch.randn(n, 3, trainee.size, trainee.size, device=device)
    targets = Targets(scores=torch.rand(n), shares=torch.full((n, 10), 0.1)).to(device)
    bins = torch.tensor(BINS, device=device)
    for step in range(steps + 1):
        if step == 1:
            _wait(device)
            started, begun = time.perf_counter(), time.process_time()
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
            outputs = model(x)
        loss_of(outputs.float(), targets, bins, settings.loss).backward()
        optimiser.step()
        optimiser.zero_grad()
    _wait(device)
    images = steps * n
    return images / (time.perf_counter() - started), (time.process_time() - begun) / images


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def loader_speed(photos: Photos, settings: Settings, size: int = 224) -> float:
    """Images a second of the loader alone, when what it read ahead at the start is used up."""
    reader, plan = PhotoReader(photos, size, settings), Plan(len(photos), settings)
    ahead = 8 * max(settings.workers, 1)
    started, n = 0.0, 0
    for number, batch in enumerate(loader(reader, plan, workers=settings.workers, pin=False)):
        if number == ahead:
            started, n = time.perf_counter(), 0
        n += len(batch.rows)
    return (n - settings.batch) / (time.perf_counter() - started)


@contextmanager
def watch_gpu() -> Iterator[list[float]]:
    """Utilisation of the GPU in percent, twice a second, as its driver says; nothing on a CPU."""
    seen: list[float] = []
    done = Event()

    def look() -> None:
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not done.wait(0.5):
            seen.append(float(subprocess.run(command, capture_output=True, text=True).stdout.split()[0]))

    watcher = Thread(target=look, daemon=True) if torch.cuda.is_available() else None
    if watcher is not None:
        watcher.start()
    yield seen
    done.set()
    if watcher is not None:
        watcher.join()


def measure(network: str, photos: Photos, settings: Settings, rounds: int) -> dict[str, Any]:
    """Loop and bare step in turn."""
    loops: list[tuple[float, ...]] = []
    bares: list[tuple[float, ...]] = []
    used: list[float] = []
    peak = None
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder, watch_gpu() as seen:
            epochs = loop_speed(network, photos, settings, Path(folder) / "run")
        loops.append(tuple(median(of) for of in zip(*epochs, strict=True)))
        used += seen
        if torch.cuda.is_available():
            peak = torch.cuda.max_memory_allocated() / 2**30
        steps = len(photos) // settings.batch * (settings.epochs - 1)
        bares.append(bare_speed(network, settings, steps))
        tell(f"{network}, round {number + 1}: loop {loops[-1][0]:.2f}, bare step {bares[-1][0]:.2f} images/s")
    (loop, loop_cpu), (bare, bare_cpu) = (
        [median(of) for of in zip(*runs, strict=True)] for runs in (loops, bares)
    )
    return {
        **{"loop": loop, "bare": bare, "ratio": loop / bare},
        **{"loop_cpu_s": loop_cpu, "bare_cpu_s": bare_cpu, "cpu_ratio": bare_cpu / loop_cpu},
        **{"loops": loops, "bares": bares},
        **{"peak_gib": peak, "utilisation": median(used) if used else None},
    }


def report(networks: dict[str, dict[str, Any]], alone: float) -> str:
    """One table; memory and utilisation where there is a GPU."""
    on_gpu = any(found["peak_gib"] is not None for found in networks.values())
    header = ["images a second", "`piaa pretrain`'s loop", "bare step", "loop / bare", "loader alone"]
    header += ["CPU s an image: loop", "bare step", "bare / loop"]
    rows = []
    for name, found in networks.items():
        speeds = (found["loop"], found["bare"])
        rows.append([f"`{name}`", *(f"{one:.2f}" for one in speeds), f"{found['ratio']:.2f}", f"{alone:.0f}"])
        rows[-1] += [f"{found[key]:.3f}" for key in ("loop_cpu_s", "bare_cpu_s")]
        rows[-1].append(f"{found['cpu_ratio']:.2f}")
        if on_gpu:
            rows[-1] += [f"{found['peak_gib']:.1f}", f"{found['utilisation']:.0f} %"]
    return table([*header, "peak GiB", "utilisation"] if on_gpu else header, rows)


def main() -> None:
    """Measure everything; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=NETWORKS)
    parser.add_argument("--photos", type=int, default=48)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    if (arguments.device == "cuda") != torch.cuda.is_available():
        parser.error("the loop takes a GPU where there is one: give --device cuda there, and only there")
    settings = settings_of(arguments.device, arguments.batch, arguments.epochs, arguments.workers)
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photos(Path(folder), arguments.photos)
        alone = loader_speed(photos, replace(settings, epochs=LOADER_EPOCHS))
        tell(f"the loader alone: {alone:.0f} images/s")
        networks = {
            name: measure(name, photos, settings, arguments.rounds) for name in NETWORKS[arguments.device]
        }
    text = report(networks, alone)
    print(text)
    name = "pretrain_speed" if arguments.device == "cpu" else "pretrain_speed_gpu"
    options = " ".join(f"--{key} {value}" for key, value in vars(arguments).items())
    found = {"threads": torch.get_num_threads(), "loader": alone, "networks": networks, "markdown": text}
    write_result(name, f"python benchmarks/pretrain_speed.py {options}", found)


if __name__ == "__main__":
    main()
