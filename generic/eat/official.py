"""The released EAT network's configuration and weights, under our names.

The released code is one network of windows (L), shifted windows (S) and a deformable layer that it
calls D; that layer is EAT's, so it becomes our E. DAT's own checkpoints have the same names without
interest points.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from generic.eat.layouts import RELEASED
from generic.errors import CheckpointError

_DERIVED = re.compile(r"\.(relative_position_index|attn_mask|q_grid|reference)$")
"""Buffers that follow from the configuration."""

_NAMES = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^patch_proj\.(\d+)(?:\.norm)?\.", r"stem.\1."),
        (r"^stages\.0\.proj\.", r"stages.0.widen."),
        (r"\.attns\.(\d+)\.", r".blocks.\1.attention."),
        (r"\.mlps\.(\d+)\.(?:chunk\.)?linear1\.", r".blocks.\1.mlp.expand."),
        (r"\.mlps\.(\d+)\.(?:chunk\.)?linear2\.", r".blocks.\1.mlp.reduce."),
        (r"\.mlps\.(\d+)\.dwc\.", r".blocks.\1.mlp.depthwise."),
        (r"\.proj_(qkv|q|k|v|out)\.", r".\1."),
        (r"\.conv_offset\.0\.", ".offset.depthwise."),
        (r"\.conv_offset\.1\.norm\.", ".offset.norm."),
        (r"\.conv_offset\.3\.", ".offset.out."),
        (r"\.ref_point\d*\.", ".interest.conv."),
        (r"\.rpe_table\.", ".bias_conv."),
        (r"\.(rpe_table|relative_position_bias_table)$", ".bias_table"),
        (r"^cls_norm\.norm\.", "norm."),
        (r"^cls_head\.", "head."),
    )
)


def our_name(name: str) -> str:
    """Our name of a released weight.

    Example:
        >>> our_name("stages.2.layer_norms.3.norm.weight")
        'stages.2.blocks.1.norm2.weight'
        >>> our_name("down_projs.0.1.norm.bias")
        'stages.1.enter.1.bias'
    """
    if match := re.match(r"down_projs\.(\d+)\.(\d+)(?:\.norm)?\.(.*)", name):
        return f"stages.{int(match[1]) + 1}.enter.{match[2]}.{match[3]}"
    if match := re.match(r"(stages\.\d+)\.layer_norms\.(\d+)\.norm\.(.*)", name):
        block, second = divmod(int(match[2]), 2)
        return f"{match[1]}.blocks.{block}.norm{second + 1}.{match[3]}"
    for pattern, ours in _NAMES:
        name = pattern.sub(ours, name)
    return name


def _reshaped(name: str, value: Tensor) -> Tensor:
    """Our layout: (x, y) pairs, tables (heads, rows, columns), linear layers as 1x1 convolutions.

    The released layers count rows first.
    """
    if name.endswith("bias_table") and value.ndim == 2:
        side = round(len(value) ** 0.5)
        return value.T.reshape(-1, side, side)
    if re.search(r"\.(interest\.conv|offset\.out)\.", name):
        return value.flip(0)
    if re.search(r"\.(qkv|out|expand|reduce)\.weight$", name) and value.ndim == 2:
        return value[:, :, None, None]
    return value


def renamed(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Released weights under our names and in our layout, without buffers that follow from the rest."""
    return {
        our_name(name): _reshaped(our_name(name), value)
        for name, value in state_dict.items()
        if not _DERIVED.search(name)
    }


def official_state(state_dict: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Released weights for ``network``, complete.

    Raises:
        CheckpointError: weights are missing, unknown or of another shape.
    """
    state, own = renamed(state_dict), network.state_dict()
    # A network without offsets has no use for the released layer's offset convolutions.
    state = {name: value for name, value in state.items() if name in own or ".offset." not in name}
    problems = [f"{name} is missing" for name in own if name not in state]
    problems += [f"{name} is unknown" for name in state if name not in own]
    problems += [
        f"{name} has shape {tuple(state[name].shape)}, expected {tuple(value.shape)}"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise CheckpointError(
            f"the released weights do not fit their configuration: {'; '.join(problems[:3])}{more}; "
            f"give the configuration that the weights were trained with"
        )
    return state


def official_options(config: Mapping[str, Any], *, compat: str = "official") -> dict[str, Any]:
    """Keyword arguments of :class:`generic.eat.eat.EAT` from the released constructor's arguments.

    Arguments that the released code ignores are ignored; those left out have the released defaults.

    Raises:
        CheckpointError: an option that the released code itself cannot run, or an unknown ``compat``.
    """
    if compat not in ("official", "image"):
        raise CheckpointError(f"compat {compat!r} is unknown; choose 'official' or 'image'")
    full = {**_DEFAULTS, **config}
    _check_lengths(full)
    depths = full["depths"]
    letters = tuple("".join(spec[:depth]) for spec, depth in zip(full["stage_spec"], depths, strict=True))
    _check_letters(full, letters)
    factors = full["offset_range_factor"]
    return {
        **RELEASED,
        "img_size": full["img_size"],
        "patch_size": full["patch_size"],
        "num_classes": full["num_classes"],
        "dims": tuple(full["dims"]),
        "stem_dim": full["dim_stem"],
        "stages": tuple(spec.replace("D", "E") for spec in letters),
        "heads": tuple(full["heads"]),
        "groups": tuple(full["groups"]),
        "windows": tuple(full["window_sizes"]),
        "mlp_ratio": float(full["expansion"]),
        "depthwise_mlp": tuple(full["use_dwc_mlps"]),
        "conv_patches": full["use_conv_patches"],
        "over_batch": compat == "official",
        "offsets": tuple(not off for off in full["no_offs"]),
        # A factor of 0 or less leaves offsets unbounded; a negative one bounds positions instead.
        "offset_range": tuple(float(factor) if factor > 0 else None for factor in factors),
        "final": tuple("tanh" if factor < 0 else "none" for factor in factors),
        "bias": tuple(_biases(full)),
        "drop_rate": full["drop_rate"],
        "attn_drop_rate": full["attn_drop_rate"],
        "drop_path_rate": full["drop_path_rate"],
    }


_DEFAULTS: Mapping[str, Any] = {
    "img_size": 224,
    "patch_size": 4,
    "num_classes": 1000,
    "expansion": 4,
    "dim_stem": 96,
    "dims": [96, 192, 384, 768],
    "depths": [2, 2, 6, 2],
    "heads": [3, 6, 12, 24],
    "window_sizes": [7, 7, 7, 7],
    "drop_rate": 0.0,
    "attn_drop_rate": 0.0,
    "drop_path_rate": 0.0,
    "strides": [1, 1, 1, 1],
    "offset_range_factor": [1, 2, 3, 4],
    "stage_spec": [["L", "D"], ["L", "D"], ["L", "D"] * 3, ["L", "D"]],
    "groups": [1, 1, 3, 6],
    "use_pes": [False] * 4,
    "dwc_pes": [False] * 4,
    "fixed_pes": [False] * 4,
    "no_offs": [False] * 4,
    "use_dwc_mlps": [False] * 4,
    "use_conv_patches": False,
}


def _biases(full: Mapping[str, Any]) -> Iterator[str]:
    for used, depthwise, fixed in zip(full["use_pes"], full["dwc_pes"], full["fixed_pes"], strict=True):
        if not used:
            # Half-shifted grids matter to the table alone.
            yield "none"
        elif depthwise:
            yield "depthwise"
        else:
            yield "pairs" if fixed else "edges"


def _check_lengths(full: Mapping[str, Any]) -> None:
    n = len(full["dims"])
    for name, default in _DEFAULTS.items():
        if isinstance(default, list) and len(full[name]) != n:
            raise CheckpointError(
                f"{name} has {len(full[name])} values for the {n} stages of dims; "
                f"give one for each stage, as the weights were trained with"
            )


def _check_letters(full: Mapping[str, Any], letters: tuple[str, ...]) -> None:
    for stage, (spec, depth) in enumerate(zip(letters, full["depths"], strict=True)):
        if len(spec) != depth or set(spec) - set("LSD"):
            raise CheckpointError(
                f"stage_spec of stage {stage + 1} is {spec!r}, expected {depth} letters out of L, S and D"
            )
        if "D" in spec and full["strides"][stage] != 1:
            raise CheckpointError(
                f"strides of stage {stage + 1} is {full['strides'][stage]}; the released layer has as many "
                f"points as positions, so only 1 can run"
            )
