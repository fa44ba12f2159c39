"""Which files are one photo, and which sidecars belong to it.

A raw photo and what the camera made of it (JPEG, HEIC) under the same name are one photo. A sidecar is
called like its file with ``.xmp`` behind it (``IMG.CR2.xmp``), or has ``.xmp`` in the place of the suffix
(``IMG.xmp``), in any case of the letters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from generic.photos.find import JPEG_SUFFIXES, RAW_SUFFIXES, SUFFIXES, printable, unreadable

_FROM_CAMERAS = (*JPEG_SUFFIXES, *RAW_SUFFIXES, ".heic", ".heif")
"""Of files that are one photo if all but the suffix is the same; the first of them is looked at."""
SIDECAR = ".xmp"


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One photo."""

    files: tuple[Path, ...]
    """The file that is looked at, then others of the same photo."""
    sidecars: tuple[Path, ...] = ()
    """Those that are there, the most binding first."""

    new_sidecar: Path
    """Where a sidecar goes if there is none."""

    @property
    def main(self) -> Path:
        """The file that is looked at."""
        return self.files[0]

    @property
    def raws_first(self) -> list[Path]:
        """Its files in the order in which what they say counts."""
        return _raws_first(self.files)


def shots_of(paths: Sequence[Path]) -> tuple[list[Shot], dict[Path, str]]:
    """Photos in the order of their first files; and sidecars that nobody can tell whose they are, with why.

    Args:
        paths: photo files, as :func:`generic.photos.find.find_images` gives them, which names no raw photo
            beside a JPEG: those are found here.

    Raises:
        ImageError: a folder cannot be listed.
    """
    listed = {folder: _listed(folder) for folder in dict.fromkeys(path.parent for path in paths)}
    beside = {folder: _sidecars(files) for folder, files in listed.items()}
    groups = _grouped(sorted({*paths, *_raws_beside(paths, listed)}))
    owners = _owners(groups)
    unclear: dict[Path, str] = {}
    shots = []
    for group in groups:
        names = beside[group[0].parent]
        files = _raws_first(group)
        found = [one for path in files for one in _called(names, path.name)]
        short = _called(names, group[0].stem)
        several = owners[_key(group[0])]
        if group is several[0] and (len(several) == 1 or _has_raw(group)):
            found += short
        elif short and not _has_raw(several[0]):
            shown = " and ".join(one[0].name for one in several[:2])
            unclear |= dict.fromkeys(short, f"it could belong to {shown}; call it like one of them with .xmp")
        new = _new_sidecar(files[0], names)
        shots.append(Shot(files=tuple(group), sidecars=tuple(found), new_sidecar=new))
    return shots, unclear


def _raws_first(files: Sequence[Path]) -> list[Path]:
    return sorted(files, key=lambda path: path.suffix.lower() not in RAW_SUFFIXES)


def _new_sidecar(path: Path, names: Mapping[str, list[Path]]) -> Path:
    """``IMG.xmp`` for a raw photo, as Adobe's programs want it, unless the folder's sidecars name suffixes.

    Of other photos ``IMG.xmp`` would be nobody's in most programs, and of two photos at once in some.
    """
    whole = any(Path(name).suffix in SUFFIXES for name in names)
    is_raw = path.suffix.lower() in RAW_SUFFIXES
    return path.with_suffix(SIDECAR) if is_raw and not whole else path.with_name(path.name + SIDECAR)


def _key(path: Path) -> tuple[Path, str]:
    return path.parent, path.stem.casefold()


def _has_raw(group: Sequence[Path]) -> bool:
    return any(path.suffix.lower() in RAW_SUFFIXES for path in group)


def _grouped(paths: Sequence[Path]) -> list[list[Path]]:
    by_stem: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in paths:
        by_stem[_key(path)].append(path)
    groups = []
    for some in by_stem.values():
        made = [path for path in some if path.suffix.lower() in _FROM_CAMERAS] if _has_raw(some) else []
        groups += [sorted(made, key=lambda path: _FROM_CAMERAS.index(path.suffix.lower()))] if made else []
        groups += [[path] for path in some if path not in made]
    return groups


def _owners(groups: Sequence[list[Path]]) -> dict[tuple[Path, str], list[list[Path]]]:
    """The photos of each name, the raw one first."""
    owners: dict[tuple[Path, str], list[list[Path]]] = defaultdict(list)
    for group in groups:
        owners[_key(group[0])].append(group)
    return {key: sorted(some, key=lambda group: not _has_raw(group)) for key, some in owners.items()}


def _listed(folder: Path) -> list[Path]:
    """The files and folders of a folder by name, without hidden ones."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise unreadable(printable(str(folder)), error) from None


def _raws_beside(paths: Sequence[Path], listed: Mapping[Path, Sequence[Path]]) -> Iterator[Path]:
    """Raw photos for which a JPEG stands."""
    jpegs = {_key(path) for path in paths if path.suffix.lower() in JPEG_SUFFIXES}
    for files in listed.values():
        yield from (it for it in files if it.suffix.lower() in RAW_SUFFIXES and _key(it) in jpegs)


def _sidecars(files: Sequence[Path]) -> Mapping[str, list[Path]]:
    """Sidecars by what stands before ``.xmp``, in lower case."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        if path.suffix.lower() == SIDECAR:
            found[path.name[: -len(SIDECAR)].casefold()].append(path)
    return found


def _called(names: Mapping[str, list[Path]], name: str) -> list[Path]:
    """Sidecars of a name; where the disk tells letters' cases apart, the one that is spelled alike first."""
    return sorted(names.get(name.casefold(), ()), key=lambda path: path.name[: -len(SIDECAR)] != name)


def raws_beside(photos: Sequence[Path]) -> dict[Path, tuple[Path, ...]]:
    """The raw file of each photo that has one, whose JPEG is what was looked at."""
    raws = {
        shot.main: tuple(file for file in shot.files[1:] if file.suffix.lower() in RAW_SUFFIXES)
        for shot in shots_of(photos)[0]
    }
    return {photo: files for photo, files in raws.items() if files}
