"""The files behind the image names of a table, found inside one folder and nowhere else."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from generic.errors import ImageError
from generic.photos.find import SUFFIXES, shown_by, without_pairs
from piaa.ratings.spelling import SPELLINGS, Spelling, unescaped

_SHOWN_PATHS = 3


class MissingImage(NamedTuple):
    """An image name without a file."""

    name: str
    reason: str


class AmbiguousImage(MissingImage):
    """An image name that may be any of several files; the reason names them."""


class _MissingError(Exception):
    """A name has no file; the argument is the reason."""

    kind: type[MissingImage] = MissingImage


class _AmbiguousError(_MissingError):
    """Several files could be meant."""

    kind = AmbiguousImage


def locate_images(
    names: Iterable[str], root: Path, *, exact: bool = False
) -> tuple[dict[str, Path], list[MissingImage]]:
    r"""Find the file of each image name below a folder.

    A name is first a path relative to the folder, with ``/`` or ``\`` between its parts. If there
    is no such file, it is the only file of that name anywhere below the folder; for a name
    without a suffix, the only image of that stem. Hidden folders are not searched. Tables made
    on another machine hold absolute paths that mean nothing here: outside of the folder only
    the file name at their end counts, and the folders right above it where several files have
    that name. A path that climbs out of the folder by ``..`` is refused. A raw photo beside a JPEG
    of the same name is that photo, and the JPEG is its file.

    Last, it may be another spelling of a file's name: accents as a Mac or a PC writes them, upper or lower
    case, ``%20`` for a space, ``\udc..`` for a byte that is no UTF-8. The closest spelling that any file has
    counts, if one file has it.

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
            missing.append(error.kind(name, str(error)))
    return found, missing


def respelled(found: Mapping[str, Path]) -> tuple[str, ...]:
    """What to say of photos whose files have another spelling of their names: one line, if there are any.

    Args:
        found: what :func:`locate_images` found.
    """
    others = [(name, path) for name, path in found.items() if not _spells(name, path)]
    if not others:
        return ()
    name, path = others[0]
    return (
        f"found {len(others)} of {len(found)} photos under another spelling of their names (accents, upper "
        f"and lower case, %20), the first {name!r} as {path.name!r}",
    )


def _spells(name: str, path: Path) -> bool:
    file_name = PurePosixPath(_file_name(name))
    # Another suffix is that of a raw photo whose JPEG was found.
    same_stem = file_name.stem == path.stem and file_name.suffix.lower() != path.suffix.lower()
    return same_stem or str(file_name) in (path.name, path.stem) or name.endswith(path.name)


def _slashed(name: str) -> str:
    return name.replace("\\", "/")


def _file_name(name: str) -> str:
    return _slashed(name).rpartition("/")[2]


def _under_the_same(paths: list[Path], root: Path, by: Spelling, name: str) -> list[Path]:
    """Of files of one name those that have the most folders above them in common with the name in a table."""
    above = [by(part) for part in reversed(name.split("/")[:-1])]

    def shared(path: Path) -> int:
        parts = (by(part) for part in reversed(path.relative_to(root).parts[:-1]))
        return len([*takewhile(lambda pair: pair[0] == pair[1], zip(above, parts, strict=False))])

    most = max(map(shared, paths))
    return [path for path in paths if shared(path) == most]


class _Folder:
    """One folder, its tree listed at most once and only if a name needs it."""

    def __init__(self, root: Path, *, exact: bool) -> None:
        self._root, self._exact = root, exact
        self._paths: list[Path] | None = None
        self._indices: dict[Spelling, dict[tuple[str, str], list[Path]]] = {}

    def find(self, name: str) -> Path:
        """The one file that the name means; raises _MissingError with the reason."""
        relative = self._relative(name)
        for path in self._spelled(name, relative):
            if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises on names that are too long.
                return path
        if self._exact:
            raise _MissingError(f"no file {name!r} in {self._root}")
        candidates = self._candidates(name)
        if len(candidates) == 1:
            return candidates[0]
        if not candidates:
            raise _MissingError(f"no file {_file_name(name)!r} in {self._root} or below it")
        shown = ", ".join(str(path.relative_to(self._root)) for path in candidates[:_SHOWN_PATHS])
        more = f" and {len(candidates) - _SHOWN_PATHS} more" if len(candidates) > _SHOWN_PATHS else ""
        raise _AmbiguousError(
            f"{len(candidates)} files could be meant: {shown}{more}; give the path below {self._root}"
        )

    def _spelled(self, name: str, relative: PurePosixPath | None) -> Iterator[Path]:
        """The paths below the folder that the name spells."""
        if os.sep == "/":
            # A file's own name may hold a backslash, or begin like a drive.
            for spelled in dict.fromkeys((name, unescaped(name))):
                if not spelled.startswith("/") and ".." not in spelled.split("/"):
                    yield self._root / spelled
        if relative is not None:
            yield self._root / relative

    def _candidates(self, name: str) -> list[Path]:
        """The files that the name may mean: of the closest spelling that any file has."""
        for by, read in SPELLINGS:
            for spelled in dict.fromkeys((name, unescaped(name))):
                found = self._below(by, read(spelled))
                if found:
                    return found
        return []

    def _below(self, by: Spelling, name: str) -> list[Path]:
        """Files of that path; else of that name anywhere; for one without a suffix, images of that stem."""
        index, path, file_name = self._index(by), _slashed(name), _file_name(name)
        keys = [("path", by(posixpath.normpath(path))), ("name", by(name)), ("name", by(file_name))]
        if not PurePosixPath(file_name.strip()).suffix:
            keys += [("stem", by(name)), ("stem", by(file_name))]
        found: list[Path] = without_pairs(next((index[key] for key in keys if key in index), []))
        return found if len(found) < 2 else _under_the_same(found, self._root, by, path)

    def _index(self, by: Spelling) -> dict[tuple[str, str], list[Path]]:
        """The files of the tree by path and by name, and images by stem."""
        if by not in self._indices:
            index: dict[tuple[str, str], list[Path]] = {}
            for path in self._tree():
                index.setdefault(("path", by(path.relative_to(self._root).as_posix())), []).append(path)
                index.setdefault(("name", by(path.name)), []).append(path)
                # "a" may stand for a.jpg, but not for its sidecar a.xmp.
                if path.suffix.lower() in SUFFIXES:
                    index.setdefault(("stem", by(path.stem)), []).append(path)
            self._indices[by] = index
        return self._indices[by]

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

    def _tree(self) -> list[Path]:
        if self._paths is None:
            self._paths = []
            for directory, folders, files in os.walk(self._root):
                # Sorted: messages must not depend on the file system. A ".thumbnails" would make names
                # ambiguous.
                folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
                self._paths += [Path(directory) / file_name for file_name in sorted(files)]
        return self._paths
