"""Stems: the feature maps of any timm model, and how large they are.

Notation: b images, c channels, h, w size of a map.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from textwrap import shorten
from typing import Any, cast

import timm
import torch
from timm.models import load_pretrained
from torch import Tensor, nn

from generic.errors import CheckpointError, ShapeError

REFUSALS = (AssertionError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
"""What timm's models raise when they cannot do what was asked of them."""


@dataclass(frozen=True, kw_only=True)
class Stem:
    """An open stem."""

    network: nn.Module
    """From images to a list of maps, see :func:`nchw`."""
    channels: tuple[int, ...]
    """Channels of each map, the finest first."""
    sizes: tuple[tuple[int, int], ...]
    """(h, w) of each map."""
    reduction: int
    """How many pixels one position of the coarsest map stands for, along a side."""
    preprocessing: Mapping[str, Any]
    """``mean`` and ``std`` of the images that the stem's published weights expect, in [0, 1]."""


def nchw(network: nn.Module, x: Tensor) -> list[Tensor]:
    """Maps of a stem, each of shape (b, c, h, w), whatever order the stem itself gives them in."""
    maps = list(network(x))
    if getattr(network, "output_fmt", None) == "NHWC":
        maps = [features.permute(0, 3, 1, 2) for features in maps]
    return maps


def open_stem(
    name: str,
    n_maps: int,
    size: tuple[int, int],
    *,
    in_chans: int = 3,
    pretrained: bool = False,
    weights: Path | None = None,
) -> Stem:
    """A timm model as a stem, measured once by a forward pass over zeros.

    Args:
        name: of any timm model with ``features_only``.
        n_maps: how many maps, from the coarsest.
        size: (h, w) of the images in pixels.
        in_chans: channels of the images.
        pretrained: fetch timm's published weights from its hub, unless ``weights`` is given.
        weights: a file of the whole classification model's weights, as timm publishes them (safetensors,
            or a pickle of tensors alone); position tables are resized to ``size`` where timm can do it.

    Raises:
        ShapeError: an unknown name, a model without that many maps, or images that it cannot take.
        CheckpointError: weights that cannot be had, or do not fit.
    """
    if not timm.is_model(name):
        nearest = ", ".join(get_close_matches(name, timm.list_models(), n=3, cutoff=0))
        raise ShapeError(
            f"timm knows no stem {name!r}; the nearest names are {nearest}; timm.list_models() lists all"
        )
    errors: list[Exception] = []
    # Models with position tables need the size; others refuse to be given one, or err with it. A square
    # is given as one number, which every model that takes a size understands.
    given = size[0] if size[0] == size[1] else size
    for sized in ({"img_size": given}, {}):
        options = {"in_chans": in_chans, **sized}
        try:
            network = _build(name, n_maps, **options)
            shapes = _measure(network, in_chans, size)
        except REFUSALS as error:
            errors.append(error)
            continue
        if weights is not None:
            _load(network, name, weights, options)
        elif pretrained:
            network = _fetch(name, n_maps, options)
        cfg = cast("Mapping[str, Any]", network.pretrained_cfg)
        return Stem(
            network=network,
            channels=tuple(c for c, _, _ in shapes),
            sizes=tuple((h, w) for _, h, w in shapes),
            reduction=max(cast("Any", network).feature_info.reduction()),
            preprocessing={"mean": cfg["mean"], "std": cfg["std"]},
        )
    raise ShapeError(f"stem {name!r} {_why_not(name, n_maps, size, errors)}")


def _build(name: str, n_maps: int, **options: Any) -> nn.Module:
    taps = tuple(range(-n_maps, 0))
    network: nn.Module = timm.create_model(name, features_only=True, out_indices=taps, **options)
    return network


def _measure(network: nn.Module, in_chans: int, size: tuple[int, int]) -> list[tuple[int, int, int]]:
    """(c, h, w) of each map."""
    like = next(network.parameters())
    network.eval()
    with torch.no_grad():
        maps = nchw(network, like.new_zeros(1, in_chans, *size))
    network.train()
    return [cast("tuple[int, int, int]", tuple(features.shape[1:])) for features in maps]


def _why_not(name: str, n_maps: int, size: tuple[int, int], errors: list[Exception]) -> str:
    # A TypeError is a model that refuses to be given a size, which says nothing.
    reason = _line(next((error for error in errors if not isinstance(error, TypeError)), errors[-1]))
    try:
        available = len(cast("Any", _build(name, 1)).feature_info.info)
    except REFUSALS:
        return (
            f"cannot give its maps ({reason}); choose a timm model that supports features_only, "
            f"such as 'mobilenetv3_small_050'"
        )
    if available < n_maps:
        return f"has {available} maps, fewer than the {n_maps} asked for; give layers fewer entries"
    return f"cannot take images of {size[0]}x{size[1]} pixels ({reason}); choose another img_size"


def _line(error: Exception) -> str:
    # Shortened, because a load that fails names every tensor.
    return shorten(str(error), 300) or type(error).__name__


def _fetch(name: str, n_maps: int, options: Mapping[str, Any]) -> nn.Module:
    try:
        return _build(name, n_maps, pretrained=True, **options)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"published weights of stem {name!r} cannot be had ({_line(error)}); give a file of them as "
            f"stem_weights, or leave pretrained_stem out"
        ) from error


def _load(network: nn.Module, name: str, path: Path, options: Mapping[str, Any]) -> None:
    """Copy the weights of a whole model's file into a stem; every tensor of the stem must be there."""
    if not path.is_file():
        raise CheckpointError(f"stem weights {path} do not exist; give a file of timm's {name!r}")
    try:
        # The whole model first: timm translates and resizes what older files hold, and a strict load
        # leaves nothing of the random start.
        whole = cast("Any", timm.create_model(name, **options))
        load_pretrained(
            whole,
            {**whole.pretrained_cfg, "file": str(path), "custom_load": path.suffix == ".npz"},
            num_classes=whole.num_classes,
            in_chans=options["in_chans"],
            filter_fn=getattr(sys.modules[type(whole).__module__], "checkpoint_filter_fn", None),
        )
        network.load_state_dict(_stem_state(network, whole.state_dict()))
    except Exception as error:  # each reader of each format has its own
        raise CheckpointError(
            f"stem weights {path} do not fit timm's {name!r} ({_line(error)}); give a file of that whole "
            f"model, its classifier included"
        ) from error


def _stem_state(network: nn.Module, whole: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The whole model's tensors under the stem's names.

    timm's stems write ``stages.0`` as ``stages_0``, or keep the model under one more name in front.
    """
    flat = {name.replace(".", "_"): tensor for name, tensor in whole.items()}
    found = {}
    for name in network.state_dict():
        plain, inner = (part.replace(".", "_") for part in (name, name.partition(".")[2]))
        if plain in flat or inner in flat:
            found[name] = flat[plain if plain in flat else inner]
    return found
