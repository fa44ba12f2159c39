"""``piaa score --write-xmp`` and ``--undo``: scores go into sidecars, and out of them again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from generic.words import counted
from piaa.commands.progress import progress_bar, stopping
from piaa.commands.terminal import note, print_json, report_skipped

if TYPE_CHECKING:
    from piaa.people.person import Person
    from piaa.people.score_table import ScoreTable
    from piaa.stars.plan import Plan, Wishes

STOPPED = (
    "each sidecar is as before or wholly written: the same command goes on, --undo takes back what is written"
)
"""Said to whoever stops the writing; a journal knows every sidecar before the first is written."""


@dataclass(frozen=True)
class Sidecars:
    """What was asked of XMP sidecars."""

    write: bool
    stars: bool
    label: str | None
    keyword: str | None
    dry_run: bool
    undo: bool

    def check(self, photos: Sequence[Path], user: str | None, others_write: bool) -> None:
        """Refuse options that contradict one another, as a usage error.

        Args:
            photos: what is scored.
            user: for whom.
            others_write: whether other options write, too.
        """
        further = self.stars or self.dry_run or self.label is not None or self.keyword is not None
        if further and not self.write:
            raise typer.BadParameter(
                "--write-stars, --xmp-label, --xmp-keyword, --dry-run go with --write-xmp"
            )
        if self.undo and self.write:
            raise typer.BadParameter("--undo and --write-xmp contradict each other; give one of them")
        if (self.dry_run or self.undo) and others_write:
            raise typer.BadParameter(
                "--copy-top, --link-top and --html write; leave out --dry-run and --undo"
            )
        if self.write or self.undo:
            _check_one(photos, user)

    def written(
        self, person: Person, table: ScoreTable, photos: Path, top: int | None, store: str | None
    ) -> dict[str, Any]:
        """As :func:`write_scores`."""
        from piaa.stars.plan import Wishes

        wishes = Wishes(stars=self.stars, label=self.label, keyword=self.keyword)
        return write_scores(person, table, photos, wishes, top=top, store=store, dry_run=self.dry_run)

    def take_back(self, photos: Sequence[Path], user: str | None, store: str | None, as_json: bool) -> None:
        """Undo the last writing, and say what came of it."""
        undone = take_back(photos[0], str(user), store)
        print_json(undone) if as_json else report_undone(undone)


def _check_one(photos: Sequence[Path], user: str | None) -> None:
    """A usage error unless there is one folder or photo, and a person."""
    if user is None:
        raise typer.BadParameter("--write-xmp and --undo write a person's scores; name her with --user")
    if len(photos) > 1:
        raise typer.BadParameter(
            f"--write-xmp and --undo take one folder or photo, got {len(photos)}; run them one by one"
        )


def write_scores(
    person: Person,
    table: ScoreTable,
    photos: Path,
    wishes: Wishes,
    *,
    top: int | None,
    store: str | None,
    dry_run: bool,
) -> dict[str, Any]:
    """Say what would be written, ask on a terminal, and write it; what came of it, for machines.

    Raises:
        OutputError: a sidecar or the journal cannot be written.
    """
    from piaa.stars.scores import plan_scores
    from piaa.stars.write import Written, carry_out
    from piaa.store.store import Store

    keeper = Store(store)
    plan = plan_scores(person, table, photos, keeper, wishes, top=top)
    note(summary(plan, person.user, wishes))
    done = Written(n=0)
    if not dry_run and plan.wishes:
        if sys.stdin.isatty() and not typer.confirm("Write them?", default=False, err=True):
            raise typer.Abort
        with stopping(STOPPED), progress_bar("writing sidecars", len(plan.wishes)) as advance:
            done = carry_out(plan, keeper, person.user, progress=advance)
    keeper.close()
    return {
        "n_sidecars": len(plan.wishes),
        "n_new": plan.n_new,
        "n_stars": plan.n_stars,
        "n_same": plan.n_same,
        "n_written": done.n,
        "skipped": {**plan.skipped, **done.skipped},
    }


def summary(plan: Plan, user: str, wishes: Wishes) -> str:
    """What would be written, in a line."""
    new = f", {plan.n_new:,} of them new" if plan.n_new else ""
    line = f"scores of {user} for {len(plan.wishes):,} sidecar{'s' * (len(plan.wishes) != 1)}{new}"
    if wishes.stars:
        line += f"; stars in {plan.n_stars:,}, none where {plan.n_rated:,} photos were rated or rejected"
    return line + (f"; {plan.n_same:,} say so already" if plan.n_same else "")


def report_written(found: dict[str, Any], user: str, *, dry_run: bool) -> None:
    """Say what became of it."""
    report_skipped(found["skipped"], found["n_sidecars"] + found["n_same"], "sidecar")
    if dry_run:
        typer.echo(f"{counted(found['n_sidecars'], 'sidecar')} to write; nothing was written")
        return
    typer.echo(f"{counted(found['n_written'], 'sidecar')} written for {user}; take it back with --undo")


def take_back(photos: Path, user: str, store: str | None) -> dict[str, Any]:
    """Undo the last writing; what came of it, for machines.

    Raises:
        StarsError: there is nothing that could be taken back.
    """
    from generic.photos.find import printable, status
    from piaa.stars.write import undo
    from piaa.store.store import Store

    status(photos, printable(str(photos)))
    keeper = Store(store)
    done = undo(photos if photos.is_dir() else photos.parent, keeper, user)
    keeper.close()
    return dict(done.__dict__)


def report_undone(found: dict[str, Any]) -> None:
    """Say what became of it."""
    report_skipped(found["skipped"], len(found["skipped"]), "sidecar")
    parts = [
        f"{counted(found['n_back'], 'sidecar')} as before, {found['n_removed']:,} removed that piaa made"
    ]
    if found["n_taken_out"]:
        parts.append(f"{found['n_taken_out']:,} that changed since keep all but what piaa wrote")
    parts += [f"{found['n_gone']:,} gone since"] if found["n_gone"] else []
    parts += [f"{found['n_left']:,} earlier writing(s) can still be taken back"] if found["n_left"] else []
    typer.echo("; ".join(parts))
