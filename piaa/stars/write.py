"""Sidecars are written, and put back as they were: each one whole, and never a photo itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from generic.atomic import write_bytes
from generic.errors import OutputError, PiaaError, StarsError, UnknownUser
from generic.photos.find import printable
from generic.progress import Progress, no_progress
from piaa.stars.gather import name_of, sidecar_bytes
from piaa.stars.journal import (
    Change,
    Journal,
    change_of,
    digest,
    journals_of,
    read_journal,
    write_journal,
)
from piaa.stars.names import RATING
from piaa.stars.packet import parse
from piaa.stars.plan import Plan, Wish, check_target
from piaa.stars.splice import without_marks
from piaa.store.records import SeenPhoto
from piaa.store.store import Store
from piaa.store.written import WrittenStar


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of a plan."""

    n: int
    """Sidecars that were written."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Sidecars that another program changed meanwhile, or that cannot be written, with the reason."""


def carry_out(plan: Plan, store: Store, user: str, *, progress: Progress = no_progress) -> Written:
    """Write a plan: first the journal, then which stars are ours, then sidecar by sidecar.

    Whatever stops it in between, every sidecar is the old one or the new one, and the journal knows both.

    Args:
        plan: what to write.
        store: where the stars are noted.
        user: for whom they are.
        progress: called with the number of sidecars newly done.

    Raises:
        OutputError: the journal or a sidecar cannot be written; those before it are.
    """
    if not plan.wishes:
        return Written(n=0)
    root = plan.root
    changes = [change_of(one.path.relative_to(root).as_posix(), one.before, one.after) for one in plan.wishes]
    write_journal(root, Journal(user=user, changes=tuple(changes)))
    store.note_written(user, [star for one in plan.wishes for star in _stars_of(one)])
    skipped: dict[str, str] = {}
    waiting = {one.path: one for one in plan.wishes}
    try:
        for one in plan.wishes:
            try:
                check_target(one.path, root)
                if (sidecar_bytes(one.path) if one.path.exists() else None) != one.before:
                    raise StarsError("another program changed it at this moment; write again")
                write_bytes(one.path, one.after)
                del waiting[one.path]
            except StarsError as error:
                skipped[name_of(one.path, root)] = str(error)
            progress(1)
    except OutputError as error:
        n = len(plan.wishes) - len(waiting)
        done = f"{n} of {len(plan.wishes)} sidecars are written; take them back with --undo"
        raise OutputError(f"{error} ({done})") from None
    finally:
        # A star that reached no file is not ours: she may give the same one.
        free = [
            file_name(one.path) for one in waiting.values() if one.star is not None and not _has_star(one)
        ]
        if free:
            store.forget_written(user, free)
    return Written(n=len(plan.wishes) - len(waiting), skipped=skipped)


def _has_star(one: Wish) -> bool:
    """Whether a star was in the sidecar before, which may be one of ours."""
    return one.before is not None and parse(one.before, one.name).value(RATING) not in (None, "0", "-1")


def _stars_of(one: Wish) -> list[WrittenStar]:
    """The star for each picture of the photo: which one is looked at may change."""
    if one.star is None:
        return []
    file = file_name(one.path)
    seen = [SeenPhoto(identity=it.identity, sha256=it.sha256, image=one.name) for it in one.photos]
    return [WrittenStar(photo=photo, file=file, star=one.star) for photo in seen]


def file_name(path: Path) -> str:
    """What the store calls a sidecar."""
    return str(path.absolute()).encode(errors="backslashreplace").decode()


@dataclass(frozen=True, kw_only=True)
class Undone:
    """What became of a journal."""

    n_back: int = 0
    """Sidecars that are again as they were, to the byte."""
    n_removed: int = 0
    """Sidecars that were new, and are gone."""
    n_taken_out: int = 0
    """Sidecars that another program changed since: what is ours was taken out of them."""
    n_gone: int = 0
    """Sidecars that somebody took away since."""
    n_left: int = 0
    """Journals of earlier commands that can still be taken back."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Sidecars that could not be put back, with the reason; the journal stays for them."""


def undo(root: Path, store: Store, user: str) -> Undone:
    """Take back what the last command wrote into the sidecars of a folder.

    Args:
        root: the folder that it was given.
        store: where the stars were noted.
        user: for whom they were written.

    Raises:
        StarsError: there is no journal, it is another person's, or it cannot be used.
    """
    found = journals_of(root)
    if not found:
        raise StarsError(
            f"nothing was written into sidecars of {printable(str(root))} that could be taken back; name the "
            "folder that was given to --write-xmp"
        )
    journal = read_journal(found[-1])
    if journal.user != user:
        raise StarsError(
            f"what was written last into sidecars of {printable(str(root))} was for user {journal.user!r}, "
            f"not {user!r}; take that back first"
        )
    outcomes, skipped, clean = [], {}, []
    for change in journal.changes:
        path = root / change.file
        try:
            outcomes.append(_put_back(path, root, change))
            clean += [file_name(path)] if outcomes[-1] != "taken out" else []
        except (PiaaError, OSError) as error:
            skipped[name_of(path, root)] = str(error)
    # A star that another program took over since is still ours, wherever it carries it.
    with suppress(UnknownUser):  # she was deleted since
        store.forget_written(user, clean)
    if not skipped:
        found[-1].unlink()
    return Undone(
        n_back=outcomes.count("back"),
        n_removed=outcomes.count("removed"),
        n_taken_out=outcomes.count("taken out"),
        n_gone=outcomes.count("gone"),
        n_left=len(found) - 1,
        skipped=skipped,
    )


def _put_back(path: Path, root: Path, change: Change) -> str:
    """Put one sidecar back; what that came to."""
    check_target(path, root)
    if not path.exists():
        return "gone" if change.before else "removed"
    content = sidecar_bytes(path)
    if digest(content) == change.before:
        return "back"
    if digest(content) != change.after:
        clean = without_marks(content, printable(str(path)))
        if clean != content:
            write_bytes(path, clean)
        return "taken out"
    if change.before is None:
        path.unlink()
        return "removed"
    old = change.undone(content)
    if digest(old) != change.before:
        raise StarsError("the journal does not fit what was there; put it back by hand")
    write_bytes(path, old)
    return "back"
