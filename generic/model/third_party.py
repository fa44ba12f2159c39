"""Third-party weights and configurations, from files that others wrote; nothing in them is ever run."""

from __future__ import annotations

import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from generic.errors import CheckpointError
from generic.photos.find import printable


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch or safetensors file by name, on the CPU; runs no code of the file.

    A state dict inside of ``{"model": ...}`` or ``{"state_dict": ...}`` is taken out, and the prefix
    ``module.`` of a parallel training is dropped.

    Raises:
        CheckpointError: the file is missing, is neither, would have to run code, or holds no tensors.
    """
    shown = printable(str(path))
    if not path.is_file():
        raise CheckpointError(f"there is no weights file {shown}; check the path")
    content = _load(path, shown)
    for key in ("model", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    named = content.items() if isinstance(content, Mapping) else ()
    state = {name: value for name, value in named if isinstance(name, str) and isinstance(value, Tensor)}
    if not state:
        raise CheckpointError(
            f"{shown} holds no tensors by name, expected a state dict; save one with torch.save or as "
            f".safetensors"
        )
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def _load(path: Path, shown: str) -> Any:  # noqa: ANN401
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # doubts about the format; what is wrong raises
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken pickle can raise anything
        named = re.search(r"GLOBAL (\S+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and (named or zipfile.is_zipfile(path)):
            what = named[1] if named else "instructions not known to be safe"
            raise CheckpointError(
                f"{shown} holds more than tensors ({what}): loading it may run code, so it was not loaded; "
                f"where you trust it, save its plain state dict again, with torch.save or as .safetensors"
            ) from error
        raise CheckpointError(
            f"{shown} is no weights file or is damaged ({type(error).__name__}); expected a state dict saved "
            f"with torch.save, or a .safetensors file"
        ) from error


def read_config(path: Path) -> dict[str, Any]:
    """A released configuration, or a part of one, from a JSON file.

    Raises:
        CheckpointError: the file cannot be read or holds no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("not an object")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(
            f"configuration {printable(str(path))} cannot be used ({reason}); expected a JSON object such as "
            f'{{"heads": [4, 8, 16, 32]}}'
        ) from error
    return content
