"""One meta-training as a command asks for it: what cannot run is refused before any photo is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import OutputError
from generic.model.generic_model import GenericModel
from generic.photos.find import printable
from generic.progress import Progress, no_progress
from piaa.meta.config import MetaConfig

People = Sequence[tuple[str, NDArray[np.intp], NDArray[Any]]]
"""Each training user's name, photos (rows of the vectors) and unit scores."""


@dataclass(frozen=True, kw_only=True)
class MetaRun:
    """Settings and the file to be.

    Args:
        config: settings.
        out: the file to write.
        overwrite: replace ``out`` if it exists.

    Raises:
        OutputError: ``out`` is no name of a start, or exists.
        MissingPackage: learn2learn is not installed.
    """

    config: MetaConfig
    out: Path
    overwrite: bool = False

    def __post_init__(self) -> None:
        shown = printable(str(self.out))
        if self.out.suffix != ".safetensors":
            raise OutputError(f"cannot write {shown}: meta-learned starts end in .safetensors; name it so")
        if self.out.exists() and not self.overwrite:
            raise OutputError(f"cannot write {shown}: it exists; name another or pass --overwrite")
        if not self.out.absolute().parent.is_dir():
            raise OutputError(
                f"cannot write {shown}: the folder {printable(str(self.out.absolute().parent))} does not "
                f"exist; create it first"
            )
        from piaa.meta.learner import load_learn2learn

        load_learn2learn()

    def check(self, n_ratings: Mapping[str, int]) -> None:
        """There are enough users, with enough ratings each.

        Raises:
            TooFewRatings: there are not.
        """
        from piaa.meta.episodes import check_shots

        check_shots(n_ratings, self.config.shots)

    def learn(
        self,
        vectors: NDArray[Any],
        people: People,
        model: GenericModel,
        *,
        origin: Mapping[str, Any],
        progress: Progress = no_progress,
    ) -> dict[str, Any]:
        """Train, and write the file.

        Args:
            vectors: model vectors of the training photos, shape (n, 1 + d).
            people: the training users.
            model: whose vectors they are.
            origin: what the file will say of its data.
            progress: called with the number of epochs newly done, of ``config.epochs``.

        Returns:
            what a person may want to know, as JSON can hold it.

        Raises:
            TooFewRatings: a user has too few, or there are too few users.
            CheckpointError: there is progress of another run, or it is damaged.
            OutputError: a file cannot be written.
        """
        from piaa.meta.train import MetaTraining

        run = MetaTraining(vectors, people, self.config, model_hash=model.hash, origin=origin)
        start = run.run(self.out, progress=progress)
        return {
            "file": str(self.out),
            "hash": start.hash,
            "algorithm": start.algorithm,
            "model": model.name,
            "model_hash": model.hash,
            "n_users": start.training["n_users"],
            "epoch": start.training["epoch"],
            "figures": next(iter(start.figures.values())),
        }
