"""The folder of a dataset: where its label files and its images lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from generic.errors import DatasetError
from generic.photos.find import SUFFIXES, printable


class Root:
    """The folder that a person named; a label file may lie in it or one folder deep.

    Args:
        folder: ROOT.
        dataset: the dataset's name, for messages.
        holds: the label file that ROOT must hold, for messages.
        source: where a person gets it, for messages.

    Raises:
        DatasetError: ROOT is not a folder that can be read.
    """

    def __init__(self, folder: Path | str, *, dataset: str, holds: str, source: str) -> None:
        self.path = Path(folder)
        self._dataset, self._source = dataset, source
        try:
            entries = sorted(self.path.iterdir())
        except OSError as error:
            raise DatasetError(
                f"the folder {printable(str(folder))} of {dataset} cannot be read: {error.strerror}; "
                f"pass the folder that holds {holds}"
            ) from None
        hidden = (entry.name.startswith(".") for entry in entries)
        self._inside = [entry for entry, skip in zip(entries, hidden, strict=True) if not skip]
        self._folders = [entry for entry in self._inside if entry.is_dir()]

    def find(self, *names: str) -> Path | None:
        """The first of the names that exists in ROOT or one folder deep; None if none does.

        Raises:
            DatasetError: several folders hold it, and ROOT itself does not.
        """
        for name in names:
            # Not Path.is_file: it raises where a folder may not be entered.
            if os.path.isfile(self.path / name):  # noqa: PTH113
                return self.path / name
            found = [folder / name for folder in self._folders if os.path.isfile(folder / name)]  # noqa: PTH113
            if len(found) > 1:
                shown = ", ".join(path.relative_to(self.path).as_posix() for path in found)
                raise DatasetError(
                    f"{self} holds {name} {len(found)} times: {shown}; "
                    "pass the folder of the one that is meant"
                )
            if found:
                return found[0]
        return None

    def need(self, *names: str) -> Path:
        """As ``find``, but one of the names must exist.

        Raises:
            DatasetError: none does; the message says what ROOT must hold.
        """
        path = self.find(*names)
        if path is None:
            raise DatasetError(
                f"{self} holds no {' or '.join(names)}, neither in it nor one folder deep; "
                f"put the file of {self._dataset} there, it comes from {self._source}"
            )
        return path

    def images(self, names: Sequence[str], chosen: Path | str | None) -> Path | None:
        """The folder of the images.

        Args:
            names: the official folders, the best first; each may lie in ROOT or one folder deep.
            chosen: the folder that a person named; it is the answer.

        Returns:
            the folder: ROOT itself if photos lie directly in it, None if there is none at all.

        Raises:
            DatasetError: the chosen folder does not exist.
        """
        if chosen is not None:
            if not os.path.isdir(chosen):  # noqa: PTH112
                raise DatasetError(
                    f"the images' folder {printable(str(chosen))} does not exist; pass the folder that holds "
                    f"the images of {self._dataset}, or none to use the labels alone"
                )
            return Path(chosen)
        for name in names:
            for folder in (self.path, *self._folders):
                if os.path.isdir(folder / name):  # noqa: PTH112
                    return folder / name
        has_photos = any(entry.suffix.lower() in SUFFIXES for entry in self._inside)
        return self.path if has_photos else None

    def __str__(self) -> str:
        return printable(str(self.path))


def labels_only(images: Path | None) -> tuple[str, ...]:
    """The note of a dataset without images."""
    if images is not None:
        return ()
    return ("labels only: no folder of images was found, name it with --images",)
