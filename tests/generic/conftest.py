"""Weights under the released names, random and recorded; and paths that nobody may read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from safetensors import safe_open

from generic.errors import CheckpointError

if TYPE_CHECKING:
    import torch

SIDE = 32
CONFIG = {
    "img_size": SIDE,
    "patch_size": 2,
    "num_classes": 10,
    "expansion": 2,
    "dim_stem": 4,
    "dims": [4, 8, 16, 32],
    "depths": [2, 2, 2, 2],
    "stage_spec": [["L", "S"], ["L", "S"], ["L", "D"], ["L", "D"]],
    "heads": [1, 2, 4, 8],
    "window_sizes": [4, 2, 2, 2],
    "groups": [-1, -1, 2, 4],
    "strides": [-1, -1, 1, 1],
    "offset_range_factor": [-1, -1, 2, 2],
    "use_pes": [False, False, True, True],
    "dwc_pes": [False] * 4,
    "fixed_pes": [False] * 4,
    "no_offs": [False] * 4,
    "use_dwc_mlps": [False] * 4,
    "use_conv_patches": False,
}
"""A small configuration of the released network: maps of 16, 8, 4 and 2 positions a side."""

DAT = {
    "img_size": 224,
    "patch_size": 4,
    "num_classes": 1000,
    "expansion": 4,
    "depths": [2, 2, 18, 2],
    "stage_spec": [["L", "S"], ["L", "S"], ["L", "D"] * 9, ["L", "D"]],
    "window_sizes": [7] * 4,
    "strides": [-1, -1, 1, 1],
    "offset_range_factor": [-1, -1, 2, 2],
    "use_pes": [False, False, True, True],
    "dwc_pes": [False] * 4,
    "fixed_pes": [False] * 4,
    "no_offs": [False] * 4,
    "use_dwc_mlps": [False] * 4,
    "use_conv_patches": False,
}
NARROW = {"dim_stem": 96, "dims": [96, 192, 384, 768], "heads": [3, 6, 12, 24], "groups": [-1, -1, 3, 6]}
WIDE = {"dim_stem": 128, "dims": [128, 256, 512, 1024], "heads": [4, 8, 16, 32], "groups": [-1, -1, 4, 8]}
SIZES = {
    "tiny": {
        **DAT,
        **NARROW,
        "depths": [2, 2, 6, 2],
        "stage_spec": [["L", "S"], ["L", "S"], ["L", "D"] * 3, ["L", "D"]],
    },
    "small": {**DAT, **NARROW},
    "base": {**DAT, **WIDE},
}
"""The three published DAT, from the training files beside their code."""


@pytest.fixture(scope="session")
def config() -> dict[str, Any]:
    """A small configuration of the released network, for 32 pixels; do not change."""
    return CONFIG


@pytest.fixture(scope="session")
def published_dat() -> dict[str, dict[str, Any]]:
    """Configurations of the three published DAT by size; do not change."""
    return SIZES


@pytest.fixture(scope="session")
def shaped() -> Callable:
    """``shaped(config, interest=True)``: a state dict of shapes without numbers."""
    return _shaped


@pytest.fixture(scope="session")
def weights() -> Callable:
    """``weights(config, interest=True, scale=0.3)``: a state dict of random numbers, the same each time."""
    return _weights


@pytest.fixture(scope="session")
def refused() -> Callable:
    """``refused(call, *args, error=CheckpointError)``: the one line that the call is refused with."""
    return _refused


@pytest.fixture
def golden_networks(golden_files) -> list[tuple[dict[str, torch.Tensor], dict[str, Any]]]:
    """Weights and configuration of every network that was recorded."""
    return [_read_golden(path) for path in golden_files]


def shapes(config, *, interest):
    """Name and shape of every tensor of a released network; with EAT's interest points, or DAT's."""
    patch, dims, stem, overlap = (
        config[key] for key in ("patch_size", "dims", "dim_stem", "use_conv_patches")
    )
    kernel = 7 if overlap else patch
    found = affine("patch_proj.0", stem, 3, kernel, kernel) | affine("patch_proj.1.norm", stem)
    if stem != dims[0]:
        found |= affine("stages.0.proj", dims[0], stem, 1, 1)
    for number, (a, b) in enumerate(pairwise(dims)):
        found[f"down_projs.{number}.0.weight"] = (b, a, *((3, 3) if overlap else (2, 2)))
        found |= affine(f"down_projs.{number}.1.norm", b)
    for stage, dim in enumerate(dims):
        for block, letter in enumerate(config["stage_spec"][stage]):
            for number in (2 * block, 2 * block + 1):
                found |= affine(f"stages.{stage}.layer_norms.{number}.norm", dim)
            found |= mlp(config, stage, f"stages.{stage}.mlps.{block}")
            part = f"stages.{stage}.attns.{block}"
            if letter == "D":
                found |= deformable(config, stage, part, interest=interest)
            else:
                found |= window(config, stage, part, shifted=letter == "S")
    return found | affine("cls_norm.norm", dims[-1]) | affine("cls_head", config["num_classes"], dims[-1])


def affine(name, *shape):
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def mlp(config, stage, part):
    dim = config["dims"][stage]
    hidden = int(dim * config["expansion"])
    if not config["use_dwc_mlps"][stage]:
        return affine(f"{part}.chunk.linear1", hidden, dim) | affine(f"{part}.chunk.linear2", dim, hidden)
    return (
        affine(f"{part}.linear1", hidden, dim, 1, 1)
        | affine(f"{part}.linear2", dim, hidden, 1, 1)
        | affine(f"{part}.dwc", hidden, 1, 3, 3)
    )


def side_of(config, stage):
    return config["img_size"] // config["patch_size"] // 2**stage


def window(config, stage, part, *, shifted):
    dim, side = config["dims"][stage], config["window_sizes"][stage]
    found = affine(f"{part}.proj_qkv", 3 * dim, dim) | affine(f"{part}.proj_out", dim, dim)
    found[f"{part}.relative_position_bias_table"] = ((2 * side - 1) ** 2, config["heads"][stage])
    found[f"{part}.relative_position_index"] = (side**2, side**2)
    if shifted:
        found[f"{part}.attn_mask"] = ((side_of(config, stage) // side) ** 2, side**2, side**2)
    return found


def deformable(config, stage, part, *, interest):
    dim, heads, side = config["dims"][stage], config["heads"][stage], side_of(config, stage)
    width, kernel = dim // config["groups"][stage], (9, 7, 5, 3)[stage]
    found = affine(f"{part}.conv_offset.0", width, 1, kernel, kernel)
    found |= affine(f"{part}.conv_offset.1.norm", width)
    found[f"{part}.conv_offset.3.weight"] = (2, width, 1, 1)
    for name in ("q", "k", "v", "out"):
        found |= affine(f"{part}.proj_{name}", dim, dim, 1, 1)
    if interest:
        found |= affine(f"{part}.ref_point14", 2, dim, 1, 1)
    if config["dwc_pes"][stage]:
        found |= affine(f"{part}.rpe_table", dim, 1, 3, 3)
    elif config["use_pes"][stage]:
        rows = side**2 if config["fixed_pes"][stage] else 2 * side - 1
        found[f"{part}.rpe_table"] = (heads, rows, rows)
    return found


def _shaped(config, *, interest=True):
    """Shapes without numbers."""
    torch = pytest.importorskip("torch")
    return {
        name: torch.empty(shape, device="meta") for name, shape in shapes(config, interest=interest).items()
    }


def _weights(config, *, interest=True, scale=0.3):
    """Random weights, large enough that images and places differ."""
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=generator) * (scale if len(shape) > 1 else 1.0)
        for name, shape in shapes(config, interest=interest).items()
    }


def _refused(call, *args, error=CheckpointError, **kwargs) -> str:
    with pytest.raises(error) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _read_golden(path):
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"])
        names = [name for name in file.keys() if name.startswith("state.")]  # noqa: SIM118
        return {name.removeprefix("state."): file.get_tensor(name) for name in names}, config


@contextmanager
def _without_rights(path: Path) -> Iterator[None]:
    """Nobody may read path; an administrator, who may read everything, becomes nobody meanwhile."""
    mode = path.stat().st_mode
    path.chmod(0)
    root = os.geteuid() == 0
    parents = [(p, p.stat().st_mode) for p in path.parents if root and not p.stat().st_mode & 0o001]
    for parent, _ in parents:
        parent.chmod(0o755)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(mode)
        for parent, parent_mode in parents:
            parent.chmod(parent_mode)


@pytest.fixture
def without_rights() -> Callable[[Path], AbstractContextManager[None]]:
    """A context in which nobody may read a path."""
    return _without_rights
