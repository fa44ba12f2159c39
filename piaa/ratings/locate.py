"""The files behind the image names of a table, found inside one folder and nowhere else."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from generic.errors import ImageError
from generic.photos.find import SUFFIXES, shown_by, without_pairs

_SHOWN_PATHS = 3


class MissingImage(NamedTuple):
    """An image name without a file."""

    name: str
    reason: str


class _MissingError(Exception):
    """A name has no file; the argument is the reason."""


def locate_images(
    names: Iterable[str], root: Path, *, exact: bool = False
) -> tuple[dict[str, Path], list[MissingImage]]:
    r"""Find the file of each image name below a folder.

    A name is first a path relative to the folder, with ``/`` or ``\`` between its parts. If there
    is no such file, it is the only file of that name anywhere below the folder; for a name
    without a suffix, the only image of that stem. Hidden folders are not searched. Tables made
    on another machine hold absolute paths that mean nothing here: outside of the folder only
    the file name at their end counts. A path that climbs out of the folder by ``..`` is refused.
    A raw photo beside a JPEG of the same name is that photo, and the JPEG is its file.

    Args:
        names: image names as a table gives them; repeated names count once.
        root: the folder.
        exact: a name is its path and nothing else: where the folders tell photos of one file name apart,
            another folder's photo must not stand in for one that is absent.

    Returns:
        the files found, by name, and the names without a file, each with the reason; both in
        the order of ``names``. Paths begin with ``root`` as it was given.

    Raises:
        ImageError: the folder does not exist or is not a folder.
    """
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise ImageError(f"the images' folder {root} {what}; pass the folder that holds the rated images")
    folder = _Folder(root, exact=exact)
    found: dict[str, Path] = {}
    missing: list[MissingImage] = []
    for name in dict.fromkeys(names):
        try:
            found[name] = shown_by(folder.find(name))
        except _MissingError as error:
            missing.append(MissingImage(name, str(error)))
    return found, missing


class _Folder:
    """One folder, its tree listed at most once and only if a name needs it."""

    def __init__(self, root: Path, *, exact: bool) -> None:
        self._root, self._exact = root, exact
        self._by_name: dict[str, list[Path]] | None = None
        self._by_stem: dict[str, list[Path]] = {}

    def find(self, name: str) -> Path:
        """The one file that the name means; raises _MissingError with the reason."""
        relative = self._relative(name)
        if relative is not None and os.path.isfile(self._root / relative):  # noqa: PTH113 - Path.is_file raises on names that are too long.
            return self._root / relative
        if self._exact:
            raise _MissingError(f"no file {name!r} in {self._root}")
        file_name = name.replace("\\", "/").rpartition("/")[2]
        # The whole name first: outside of Windows a file's own name may hold a backslash.
        candidates = self._below(name) or self._below(file_name)
        if len(candidates) == 1:
            return candidates[0]
        if not candidates:
            raise _MissingError(f"no file {file_name!r} in {self._root} or below it")
        shown = ", ".join(str(path.relative_to(self._root)) for path in candidates[:_SHOWN_PATHS])
        more = f" and {len(candidates) - _SHOWN_PATHS} more" if len(candidates) > _SHOWN_PATHS else ""
        raise _MissingError(
            f"{len(candidates)} files could be meant: {shown}{more}; give the path below {self._root}"
        )

    def _relative(self, name: str) -> PurePosixPath | None:
        """The path below the folder that the name spells; None for an absolute path elsewhere."""
        spelled = name.replace("\\", "/")
        if spelled.startswith("/") or PureWindowsPath(name).drive:
            # abspath and not resolve: a link inside the folder may lead out of it, its owner put it there.
            absolute = Path(os.path.abspath(name))  # noqa: PTH100 - resolves ".." by spelling alone.
            for root in (Path(os.path.abspath(self._root)), self._root.resolve()):  # noqa: PTH100
                if absolute.is_relative_to(root):
                    return PurePosixPath(absolute.relative_to(root).as_posix())
            return None
        normal = posixpath.normpath(spelled)
        if normal.split("/")[0] == "..":
            raise _MissingError(f"the path climbs out of {self._root}; give the path below it")
        return PurePosixPath(normal)

    def _below(self, file_name: str) -> list[Path]:
        """Every file of that name in the tree; for a name without a suffix, every image of that stem."""
        if self._by_name is None:
            self._by_name = self._list_tree()
        exact = self._by_name.get(file_name, [])
        if exact or PurePosixPath(file_name).suffix:
            return exact
        return without_pairs(self._by_stem.get(file_name, []))

    def _list_tree(self) -> dict[str, list[Path]]:
        by_name: dict[str, list[Path]] = {}
        for directory, folders, files in os.walk(self._root):
            # Sorted: messages must not depend on the file system. A ".thumbnails" would make names ambiguous.
            folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
            for file_name in sorted(files):
                path = Path(directory) / file_name
                by_name.setdefault(file_name, []).append(path)
                # "a" may stand for a.jpg, but not for its sidecar a.xmp.
                if path.suffix.lower() in SUFFIXES:
                    self._by_stem.setdefault(path.stem, []).append(path)
        return by_name
