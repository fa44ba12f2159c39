"""What a file of weights does not say, its configuration, is read off the shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isqrt
from typing import Any

from torch import Tensor

from generic.errors import CheckpointError

UNUSABLE = (IndexError, KeyError, RuntimeError, TypeError, ValueError, ZeroDivisionError)
"""What broken shapes or a broken configuration raise."""


def infer_config(state: Mapping[str, Tensor], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The released constructor's arguments that weights of EAT or DAT belong to.

    No shape shows ``offset_range_factor`` (2 in every released training file) nor ``no_offs``
    (nowhere set). A shifted window is known by its ``attn_mask``; weights that were saved again without
    such buffers count as plain windows, unless ``stage_spec`` is given. Without masks and position
    tables the image size is 224.

    Args:
        state: weights under the released names; shapes are enough.
        given: arguments that are known; they are taken as they stand.

    Raises:
        CheckpointError: these are not the weights of such a network, or the heads of a stage cannot be
            seen and are not given.
    """
    try:
        seen = _infer(state)
    except UNUSABLE as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise CheckpointError(
            f"these are not the weights of EAT or DAT: {reason}; known are the released EAT models and DAT "
            f"of CVPR 2022 (dat_tiny, dat_small, dat_base)"
        ) from error
    config = seen | (given := dict(given or {}))
    if 0 in seen["heads"] and "heads" not in given:
        raise CheckpointError(
            f"the heads of stage {seen['heads'].index(0) + 1} cannot be seen in the weights; give all "
            f'with --config, for example {{"heads": [4, 8, 16, 32]}}'
        )
    return config


def _infer(state: Mapping[str, Tensor]) -> dict[str, Any]:
    stem = state["patch_proj.0.weight"]
    stages = range(_count(state, "stages."))
    dims = [len(state[f"stages.{s}.layer_norms.0.norm.weight"]) for s in stages]
    seen = [_infer_stage(state, s, dim) for s, dim in enumerate(dims)]
    overlap = "down_projs.0.0.weight" in state and state["down_projs.0.0.weight"].shape[-1] == 3
    # The stride of overlapping patches leaves no trace; 4 is the default.
    patch = 4 if overlap else stem.shape[-1]
    size = _img_size(state, seen, patch)
    rows = [0 if (table := _table(state, s)) is None else table.shape[-1] for s in stages]
    linear = "stages.0.mlps.0.{}linear1.weight"
    hidden = len(state[linear.format("chunk." if linear.format("chunk.") in state else "")])
    return {
        **{key: [one[key] for one in seen] for key in seen[0]},
        "img_size": size,
        "patch_size": patch,
        "num_classes": len(state["cls_head.weight"]),
        "expansion": hidden / dims[0] if hidden % dims[0] else hidden // dims[0],
        "dim_stem": len(stem),
        "dims": dims,
        "fixed_pes": [n not in (0, 2 * (size // (patch * 2**s)) - 1) for s, n in enumerate(rows)],
        "use_conv_patches": overlap,
    }


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """How many modules the list ``prefix`` has, by its largest index."""
    return 1 + max(int(name[len(prefix) :].split(".")[0]) for name in state if name.startswith(prefix))


def _infer_stage(state: Mapping[str, Tensor], stage: int, dim: int) -> dict[str, Any]:
    """One stage's arguments; 0 heads where nothing shows them."""
    prefix = f"stages.{stage}.attns."
    letters = [_letter(state, f"{prefix}{block}.") for block in range(_count(state, prefix))]
    heads, window, groups, table = 0, 7, -1, _table(state, stage)
    if table is not None:
        heads = len(table)
    if "D" in letters:
        groups = dim // len(state[f"{prefix}{letters.index('D')}.conv_offset.0.weight"])
    if set(letters) & {"L", "S"}:
        block = next(block for block, letter in enumerate(letters) if letter != "D")
        rows, heads = state[f"{prefix}{block}.relative_position_bias_table"].shape
        window = (isqrt(rows) + 1) // 2
    depthwise = any(name.startswith(prefix) and name.endswith(".rpe_table.weight") for name in state)
    return {
        "depths": len(letters),
        "stage_spec": letters,
        "heads": heads,
        "window_sizes": window,
        "groups": groups,
        "use_pes": table is not None or depthwise,
        "dwc_pes": depthwise,
        "no_offs": False,
        "use_dwc_mlps": f"stages.{stage}.mlps.0.dwc.weight" in state,
        "strides": 1 if "D" in letters else -1,
        "offset_range_factor": 2 if "D" in letters else -1,
    }


def _letter(state: Mapping[str, Tensor], part: str) -> str:
    if part + "conv_offset.0.weight" in state:
        return "D"
    return "S" if part + "attn_mask" in state else "L"


def _table(state: Mapping[str, Tensor], stage: int) -> Tensor | None:
    """A position table of a stage's deformable layers, if they have any."""
    pattern = re.compile(rf"stages\.{stage}\.attns\.\d+\.rpe_table$")
    return next((value for name, value in state.items() if pattern.match(name)), None)


def _img_size(state: Mapping[str, Tensor], seen: list[dict[str, Any]], patch: int) -> int:
    """The image size that masks and position tables agree on; 224 without any."""
    evidence = []
    for stage, one in enumerate(seen):
        if (table := _table(state, stage)) is not None:
            # 2H-1 displacements, or H * H positions.
            rows = table.shape[1]
            sides = (h for h in ((rows + 1) // 2, isqrt(rows)) if rows in (2 * h - 1, h * h))
            evidence.append({h * patch * 2**stage for h in sides})
        for block, letter in enumerate(one["stage_spec"]):
            if letter == "S":
                windows = len(state[f"stages.{stage}.attns.{block}.attn_mask"])
                evidence.append({isqrt(windows) * one["window_sizes"] * patch * 2**stage})
    if evidence and not set.intersection(*evidence):
        raise ValueError("their masks and position tables belong to different image sizes")
    # Where a table can be read in both ways it is one of displacements: the larger map.
    return max(set.intersection(*evidence)) if evidence else 224
