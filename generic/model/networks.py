"""The network of a model file, whatever its kind; imports torch only when one is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from generic.errors import CheckpointError

if TYPE_CHECKING:
    from torch import nn


def _eat(architecture: Mapping[str, Any], state: Mapping[str, NDArray[Any]]) -> nn.Module:
    from generic.eat.scorer import build

    return build(architecture, state)


def _eat_lite(architecture: Mapping[str, Any], state: Mapping[str, NDArray[Any]]) -> nn.Module:
    from generic.lite.piaa_lite import build

    return build(architecture, state)


def _timm(architecture: Mapping[str, Any], state: Mapping[str, NDArray[Any]]) -> nn.Module:
    from generic.model.timm_scorer import build

    return build(architecture, state)


_LONGEST = 400
"""Characters of a reason."""
_BUILDERS = {"eat": _eat, "eat_lite": _eat_lite, "timm": _timm}
_GRAPHS = ("graph", "stem")
"""Kinds of :mod:`generic.model.graph_file`."""


def build(architecture: Mapping[str, Any], state: Mapping[str, NDArray[Any]]) -> nn.Module:
    """The network of a model file, in evaluation mode, ready to score.

    Args:
        architecture: the header's; ``kind`` names the network's class, the rest are its arguments.
        state: the network's tensors, in any float type.

    Returns:
        a module from images (b, 3, size, size), RGB in [-1, 1], to unit scores (b,) and embeddings (b, d).

    Raises:
        CheckpointError: an unknown kind, or options or tensors that do not fit each other.
    """
    kind = architecture.get("kind")
    if kind in _GRAPHS:
        raise CheckpointError(
            f"a model file of kind {kind!r} is a graph to be run: it holds no network that torch could train "
            f"or take gradients of; use a model that was trained in torch, such as piaa-lite"
        )
    builder = _BUILDERS.get(kind) if isinstance(kind, str) else None
    if builder is None:
        raise CheckpointError(
            f"the model file holds a network of kind {kind!r}; this piaa knows {', '.join(_BUILDERS)}"
        )
    try:
        return builder(architecture, state)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = (
            f"{error.args[0]} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
        )
        # torch names every tensor that does not fit; of a file of another version that is all of them.
        if len(reason) > _LONGEST:
            reason = f"{reason[:_LONGEST]} ..."
        raise CheckpointError(f"the model file's tensors do not fit its architecture: {reason}") from error
