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
import json
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
from generic.errors import OutputError, TrainingError
from generic.folder_lock import FolderLock
from generic.photos.find import printable

CONFIG, ENVIRONMENT, STATE, BEST = "config.json", "environment.json", "state.safetensors", "best.safetensors"
HISTORY, RESULT = "history.csv", "result.json"
_FREE = ("workers", "save_every")
"""Settings that a run may go on with changed."""
_PACKAGES = ("torch", "timm", "accelerate", "numpy", "pillow", "safetensors")


_PATIENCE_S = 15.0
"""How long to wait for another training in the folder: a killed one's workers outlive it by some seconds."""


class TrainingFolder:
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

    def __init__(self, path: Path, config: Mapping[str, Any], *, write: bool = True) -> None:
        self.path, self.write = path, write
        asked = json.loads(json.dumps(config))
        if write:
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"the run folder {printable(str(path))} cannot be made: {error.strerror}; name a folder "
                    f"that you may write to with --out"
                ) from error
        self._lock = FolderLock(path) if write else None
        try:
            if self._lock is not None and not self._lock.claim(_PATIENCE_S):
                raise TrainingError(
                    f"another training is going on in the run folder {printable(str(path))}; wait for its "
                    f"end, or name another folder with --out"
                )
            self._begin(asked)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the folder to others; closing twice does no harm."""
        if self._lock is not None:
            self._lock.close()

    def _begin(self, asked: dict[str, Any]) -> None:
        known = self._known() if (self.path / CONFIG).exists() else None
        learned = any((self.path / name).exists() for name in (STATE, BEST))
        if known is not None and learned:
            self._compare(known, asked)
        elif self.write:  # Nothing was learned with what stood there, such as a batch too large for the GPU.
            self._json(CONFIG, asked)
        if self.write:
            for half_written in self.path.glob(".piaa-*"):  # what a killed training left
                half_written.unlink()
            self._json(ENVIRONMENT, environment())

    def _known(self) -> dict[str, Any]:
        try:
            known = json.loads((self.path / CONFIG).read_bytes())
        except (OSError, ValueError):
            known = None
        if not isinstance(known, dict) or "settings" not in known:
            raise TrainingError(
                f"the run folder {printable(str(self.path))} has a {CONFIG} that is damaged or not of a "
                f"training; name another folder with --out"
            )
        return known

    def _compare(self, known: dict[str, Any], asked: dict[str, Any]) -> None:
        shown = printable(str(self.path))
        different = _first_difference(_decisive(known), _decisive(asked))
        if different is not None:
            key, before, now = different
            raise TrainingError(
                f"the run folder {shown} holds another run: its {key} is {_cut(before)}, asked for is "
                f"{_cut(now)}; name another folder with --out"
            )

    def _json(self, name: str, content: object) -> None:
        write_bytes(self.path / name, (json.dumps(content, indent=1) + "\n").encode())

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
        self._json(RESULT, content)

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


def _first_difference(known: object, asked: object, at: str = "") -> tuple[str, object, object] | None:
    if isinstance(known, dict) and isinstance(asked, dict):
        for key in {**asked, **known}:
            found = _first_difference(known.get(key), asked.get(key), f"{at}.{key}" if at else key)
            if found is not None:
                return found
        return None
    return None if known == asked else (at, known, asked)


def _cut(value: object) -> str:
    text = "not there" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
