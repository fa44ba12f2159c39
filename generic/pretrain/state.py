"""What a stopped run goes on from: one safetensors file, replaced whole or not at all.

Order of photos, augmentation, dropout and rates are functions of the step, so weights, the optimiser's
moments and the step are all there is.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from generic.atomic import atomic_path
from generic.errors import TrainingError
from generic.photos.find import printable

_KEY = "piaa-training"


@dataclass(kw_only=True)
class Progressed:
    """How far a run is; plain values."""

    step: int = 0
    """Steps done."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """One row an epoch."""
    best: float | None = None
    """Highest validation SRCC; None before the first."""
    best_epoch: int = 0
    """Where it was reached, counted from 1; 0 before the first."""
    loss_sum: float = 0.0
    """Sum over the steps of the epoch that is running."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Photos that could not be read, and why."""
    scaler: dict[str, Any] = field(default_factory=dict)
    """State of float16's loss scaling."""


def save_state(
    path: Path, progressed: Progressed, networks: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer
) -> None:
    """Write the state, whole or not at all.

    Args:
        path: the file.
        progressed: how far the run is.
        networks: by name, such as ``network`` and ``ema``.
        optimiser: its moments are kept.

    Raises:
        OutputError: the file cannot be written; the old one is untouched.
    """
    tensors: dict[str, Tensor] = {}
    for name, network in networks.items():
        tensors |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{key}": value for key, value in moments.items()}
    plain = {key: value.detach().contiguous() for key, value in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(plain, temporary, metadata={_KEY: json.dumps(asdict(progressed))})
        except SafetensorError as error:  # What the system says is only in its text.
            raise _system_error(error) from error


def _system_error(error: SafetensorError) -> OSError:
    found = re.search(r"os error (\d+)", str(error))
    number = int(found[1]) if found else errno.EIO
    return OSError(number, os.strerror(number))


def load_state(path: Path, networks: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer) -> Progressed:
    """Put a saved state into networks and optimiser.

    Raises:
        TrainingError: the file is damaged, or is of another network.
    """
    shown = printable(str(path))
    try:
        with safe_open(path, framework="pt") as file:
            content = json.loads((file.metadata() or {})[_KEY])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        progressed = Progressed(**content)
        for name, network in networks.items():
            network.load_state_dict(_below(tensors, f"{name}."))
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in _below(tensors, "optimiser.").items():
            index, _, what = key.partition(".")
            moments.setdefault(int(index), {})[what] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": moments, "param_groups": groups})
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"the saved state {shown} cannot be used ({reason}); begin again in another folder with --out"
        ) from error
    return progressed


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
