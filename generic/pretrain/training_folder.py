"""A training run's folder.

``config.json``          what was asked; a run goes on only with the same
``environment.json``     versions and device of the last start
``state.safetensors``    what a stopped run goes on from
``best.safetensors``     the model file of the epoch with the highest validation SRCC
``history.csv``          one row an epoch
``events.out.tfevents*`` the same for TensorBoard, where it is installed
``result.json``          written at the end
"""

from __future__ import annotations

import csv
import io
import platform
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from generic.atomic import write_bytes
from generic.errors import TrainingError
from generic.folder_lock import FolderLock
from generic.photos.find import printable
from generic.run_folder import CONFIG, RunFolder, as_read_back, differences

ENVIRONMENT, STATE, BEST = "environment.json", "state.safetensors", "best.safetensors"
HISTORY, RESULT = "history.csv", "result.json"
_FREE = ("workers", "save_every")
"""Settings that a run may go on with changed."""
_PACKAGES = ("torch", "timm", "accelerate", "numpy", "pillow", "safetensors")


_PATIENCE_S = 15.0
"""How long to wait for another training in the folder: a killed one's workers outlive it by some seconds."""


class TrainingFolder(RunFolder):
    """The folder of one run; made if it is not there, and used by one training at a time.

    Args:
        path: the folder.
        config: everything that the weights depend on, as JSON holds it.
        write: False on all processes but the first, which leave the folder alone.

    Raises:
        TrainingError: the folder holds another run, and the message names what differs; or another training
            is going on in it.
        OutputError: the folder cannot be written.
    """

    error = TrainingError
    damaged = "damaged or not of a training"

    def __init__(self, path: Path, config: Mapping[str, Any], *, write: bool = True) -> None:
        super().__init__(path)
        self.write = write
        if write:
            self.make()
        self._lock = FolderLock(path) if write else None
        try:
            if self._lock is not None and not self._lock.claim(_PATIENCE_S):
                raise TrainingError(
                    f"another training is going on in the run folder {printable(str(path))}; wait for its "
                    f"end, or name another folder with --out"
                )
            self._begin(as_read_back(config))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the folder to others; closing twice does no harm."""
        if self._lock is not None:
            self._lock.close()

    def _begin(self, asked: dict[str, Any]) -> None:
        known = self.known()
        learned = any((self.path / name).exists() for name in (STATE, BEST))
        if known is not None and learned:
            different = differences(_decisive(known), _decisive(asked))
            if different:
                raise self.another_run(different[0])
        elif self.write:  # Nothing was learned with what stood there, such as a batch too large for the GPU.
            self.write_json(CONFIG, asked)
        if self.write:
            for half_written in self.path.glob(".piaa-*"):  # what a killed training left
                half_written.unlink()
            self.write_json(ENVIRONMENT, environment())

    def is_ours(self, known: Mapping[str, Any]) -> bool:
        """Whether a request is a training's."""
        return "settings" in known

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all epochs as CSV, whole or not at all."""
        text = io.StringIO()
        columns = list(dict.fromkeys(key for row in rows for key in row))
        table = csv.DictWriter(text, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        write_bytes(self.path / HISTORY, text.getvalue().encode())

    def write_result(self, content: Mapping[str, Any]) -> None:
        """Write what the run came to."""
        self.write_json(RESULT, content)

    def tensorboard(self, from_step: int) -> Any:  # noqa: ANN401 - an optional package's class
        """TensorBoard's writer, which hides what an earlier start logged beyond a step; None without it."""
        if not self.write or find_spec("tensorboard") is None:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own dependencies' deprecations
            from torch.utils.tensorboard import SummaryWriter

            return SummaryWriter(str(self.path), purge_step=from_step)


def device_name() -> str:
    """The GPU's name, or CPU."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def environment() -> dict[str, Any]:
    """What a run's speed and its last bits depend on."""
    return {
        "python": platform.python_version(),
        "platform": sys.platform,
        "device": device_name(),
        "threads": torch.get_num_threads(),
        "processes": torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1,
        **{name: version(name) for name in _PACKAGES},
    }


def _decisive(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without what no weight depends on."""
    settings = config.get("settings")
    if not isinstance(settings, dict):
        return config
    return {**config, "settings": {k: v for k, v in settings.items() if k not in _FREE}}
