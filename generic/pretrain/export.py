"""The model file of a training: the network with what it was trained on, and what went before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from generic.model.checkpoint import NETWORK, Header, save_checkpoint
from generic.pretrain.config import Settings
from generic.pretrain.start import Start
from generic.pretrain.trained_network import Trainee
from generic.words import counted

MOST_HASHES = 50_000
"""Training photos up to which their SHA-256 stand in the header; of more, one hash over all stands there."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a model comes from."""

    name: str
    """The model's."""
    data: str
    """What it was trained on, in words."""
    preset: str
    scale: tuple[float, float]
    """Scores that unit scores 0 and 1 stand for."""
    start: Start
    settings: Settings
    n_train: int
    n_validation: int
    details: Mapping[str, Any]
    """More of the data: its notes, rule of the split, how photos were counted."""
    images: Mapping[str, str]
    """SHA-256 of each training photo's file, by name; those that chose the epoch are among them."""
    validation: Mapping[str, str] = field(default_factory=dict)
    """Those that chose the epoch, likewise; no weight was trained on them."""


def write_model(
    path: Path, trainee: Trainee, network: nn.Module, provenance: Provenance, figures: Mapping[str, Any]
) -> Header:
    """Write a network as a model file, whole or not at all.

    Args:
        path: the file.
        trainee: what kind of network it is.
        network: the weights to write: the trained ones or their running mean.
        provenance: for the header.
        figures: what was measured.

    Returns:
        the header, with the model's hash.

    Raises:
        OutputError: the file cannot be written.
    """
    how = provenance.settings
    words = (
        f"{provenance.data}: {counted(provenance.n_train, 'photo')}, preset {provenance.preset}, "
        f"{counted(how.epochs, 'epoch')}, loss {how.loss}, seed {how.seed}"
    )
    counts = {"train": provenance.n_train, "validation": provenance.n_validation}
    start = asdict(provenance.start)
    training: dict[str, Any] = {
        "summary": f"{trainee.name} trained on {provenance.data}",
        "history": [*provenance.start.history, words],
        "start": {key: start[key] for key in ("what", "sha256", "taken", "fresh", "left_out")},
        "data": {**provenance.details, **counts},
        "settings": asdict(how),
        **_images(provenance.images),
        **_validation(provenance.images, provenance.validation),
    }
    header = Header(
        name=provenance.name,
        architecture=trainee.architecture(how.fit),
        scale=provenance.scale,
        training=training,
        figures=dict(figures),
    )
    state = trainee.state(network)
    return save_checkpoint(path, header, {NETWORK + k: v.detach().cpu().numpy() for k, v in state.items()})


def _validation(images: Mapping[str, str], validation: Mapping[str, str]) -> dict[str, Any]:
    """The hashes of which a prior learns how far the score errs; none where the others are not there."""
    fits = bool(validation) and len(set(images.values())) <= MOST_HASHES
    return {"validation_sha256": sorted(set(validation.values()))} if fits else {}


def _images(images: Mapping[str, str]) -> dict[str, Any]:
    """The hashes that evaluations look for, or one over all where they would make the header huge."""
    digests = sorted(set(images.values()))
    if len(digests) <= MOST_HASHES:
        return {"images_sha256": digests}
    whole = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    return {"images": f"{len(digests):,} files; SHA-256 over their sorted hashes: {whole}"}
