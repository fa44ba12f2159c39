"""Third-party weights become model files: the released EAT's as they score, DAT's as a start for training."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from generic.eat.eat import EAT
from generic.eat.infer import UNUSABLE, infer_config
from generic.eat.layouts import DEPTHS, SIZES
from generic.eat.official import official_options, official_state
from generic.eat.registry import PRESETS
from generic.eat.resize import resize_tables
from generic.eat.scorer import describe
from generic.errors import CheckpointError, PiaaError
from generic.model.checkpoint import NETWORK, Header, save_checkpoint
from generic.model.new_file import check_new
from generic.model.third_party import read_weights
from generic.photos.find import printable
from generic.seeds import stream

_Parts = tuple[dict[str, Any], dict[str, Tensor], dict[str, Any]]  # options, tensors, training
SCALES: Mapping[int, tuple[float, float]] = {1: (0.0, 1.0), 10: (1.0, 10.0)}
"""Score scale of a released EAT by its outputs: a score, or a distribution over AVA's ten bins."""


def convert(
    path: Path,
    out: Path,
    *,
    config: Mapping[str, Any] | None = None,
    name: str | None = None,
    start: str | None = None,
    img_size: int | None = None,
    overwrite: bool = False,
) -> Header:
    """Write a model file from third-party weights, whole or not at all.

    Weights of the released EAT (they have interest points) become a model that scores an image as the
    released network scores it alone, whatever is scored with it. Weights of DAT become a start for
    ``piaa pretrain``, with fresh interest points and a fresh head: no model yet, and refused as one. A
    tensor moves where it finds the same layer. ``dat_<size>_eat_patch4_224`` has DAT's layout, so all
    but the head moves; the paper's ``eat_*`` have no window attention in stages 3 and 4, so half of the
    attention there would be left out.

    Args:
        path: the weights, see :func:`generic.model.third_party.read_weights`.
        out: the model file to write.
        config: the released constructor's arguments, or some of them; the rest is read off the shapes.
        name: the model's name; None: that of the file.
        start: preset for DAT's weights, of :data:`generic.eat.registry.PRESETS`; None: by their size.
        img_size: move position tables to this image size, in pixels.
        overwrite: replace ``out`` if it exists.

    Returns:
        the header. ``training`` says what was ``assumed`` of EAT's weights; of a start, how many tensors
        were ``taken``, and which were ``resized``, left ``fresh``, and ``left_out`` of those in the file.

    Raises:
        CheckpointError: the weights cannot be read, or do not fit ``config`` or ``start``.
        OutputError: ``out`` exists or cannot be written.
        ShapeError: an impossible image size or configuration.
    """
    shown = printable(str(path))
    check_new(out, suffix=".safetensors", overwrite=overwrite, source=path, what="weights")
    state = read_weights(path)
    is_eat = any(".ref_point" in key for key in state)
    options, tensors = _checked(state, infer_config(state, config), interest=is_eat)
    if bad := [key for key, value in tensors.items() if not value.isfinite().all()]:
        raise CheckpointError(f"{shown} holds numbers that are not finite in {bad[0]}; fetch it again")
    if not is_eat:
        options, tensors, training = _start(path, options, tensors, start, img_size)
    elif start is None:
        options, tensors, training = _released(path, options, tensors, img_size)
        training["assumed"] = _assumed(state, config or {})
    else:
        raise CheckpointError(f"{shown} holds weights of EAT, which keep their own layout; leave --start out")
    t = options["num_classes"]
    described = describe(options, bins=range(1, t + 1) if t > 1 else (), softmax=not is_eat)
    with path.open("rb") as file:
        source = {"source": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    header = Header(
        name=name or out.stem,
        architecture=described if is_eat else described | {"head": "fresh"},
        scale=SCALES[t],
        training=training | source,
    )
    return save_checkpoint(out, header, {NETWORK + k: v.float().numpy() for k, v in tensors.items()})


def _released(path: Path, options: dict[str, Any], tensors: dict[str, Tensor], size: int | None) -> _Parts:
    if (t := options["num_classes"]) not in SCALES:
        raise CheckpointError(
            f"{printable(str(path))} has {t} outputs, expected 10 (shares of the scores 1 to 10) or 1 (a "
            f"score from 0 to 1)"
        )
    training: dict[str, Any] = {
        "summary": f"released EAT weights of {path.name}",
        "history": [f"released EAT weights of {path.name}"],
        "compat": "interest points of each image, where the released code takes their mean over the batch: "
        "scores are those of the released network for one image at a time",
    }
    if size is None:
        return options, tensors, training
    training["trained_at"] = f"{options['img_size']} px"
    options = options | {"img_size": size}
    with torch.device("meta"):  # shapes only
        network = EAT(**options)
    return options, resize_tables(tensors, network), training


def _assumed(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> list[str]:
    """What neither the weights nor the configuration say, but scores depend on."""
    assumed = (
        []
        if "offset_range_factor" in config
        else ["offset_range_factor 2, the released value; --config gives another"]
    )
    if "stage_spec" not in config and not any(key.endswith(".attn_mask") for key in state):
        assumed.append(
            "no shifted windows, since the weights hold no attn_mask; stage_spec in --config says so"
        )
    return assumed


def _start(
    path: Path, options: dict[str, Any], tensors: dict[str, Tensor], start: str | None, img_size: int | None
) -> _Parts:
    start = start or _default_start(options)
    if start not in PRESETS:
        raise CheckpointError(f"there is no preset {start!r} to start; choose one of {', '.join(PRESETS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(0, "convert", start).integers(2**31)))
        network = EAT(**PRESETS[start] | ({} if img_size is None else {"img_size": img_size}))
    own = network.state_dict()
    usable = {
        key: value
        for key, value in tensors.items()
        if key in own
        and not key.startswith("head.")
        and _same_sort(key, options["stages"], network.config.stages)
    }
    moved = resize_tables(usable, network)
    for key, value in moved.items():
        if value.shape != own[key].shape:
            raise CheckpointError(
                f"{printable(str(path))} does not fit {start}: {key} has shape {tuple(value.shape)}, "
                f"expected {tuple(own[key].shape)}; choose another --start"
            )
    training = {
        "summary": f"a start for piaa pretrain, not trained on ratings: {start} from {path.name}",
        "history": [f"{'ImageNet-1K' if options['num_classes'] == 1000 else 'DAT'} weights of {path.name}"],
        "start": start,
        "taken": len(moved),
        "resized": [key for key in moved if moved[key].shape != usable[key].shape],
        "fresh": [key for key in own if key not in moved],
        "left_out": [key for key in tensors if key not in moved],
    }
    return network.options, own | moved, training


def _default_start(options: Mapping[str, Any]) -> str:
    dims, depths = options["dims"], tuple(len(letters) for letters in options["stages"])
    for size, widths in SIZES.items():
        if (dims, depths) == (widths["dims"], DEPTHS[size]):
            return f"dat_{size}_eat_patch4_224"
    raise CheckpointError(
        f"no preset has dims {list(dims)} and depths {list(depths)}; DAT's tiny, small and base are known, "
        f"any other needs --start"
    )


def _same_sort(name: str, theirs: Sequence[str], ours: Sequence[str]) -> bool:
    """Whether an attention's tensor comes from windows and goes to windows, or neither; True for others.

    Tables and projections of windows and of deformable layers share names, but not their meaning.
    """
    match = re.match(r"stages\.(\d+)\.blocks\.(\d+)\.attention\.", name)
    return match is None or len({spec[int(match[1])][int(match[2])] in "LS" for spec in (theirs, ours)}) == 1


def _checked(
    state: Mapping[str, Tensor], config: Mapping[str, Any], *, interest: bool
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """EAT's options and tensors under our names; without interest points the released layer is DAT's."""
    try:
        with torch.device("meta"):  # shapes only
            network = EAT(**official_options(config, compat="image") | {"interest": interest})
        return network.options, official_state(state, network)
    except PiaaError:
        raise
    except UNUSABLE as error:
        raise CheckpointError(
            f"the configuration cannot be used ({' '.join(str(error).split())}); give --config arguments of "
            f"the released network, in its types"
        ) from error
