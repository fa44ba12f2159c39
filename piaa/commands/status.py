"""``piaa status``: how far the vectors of many machines are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from generic.photos.find import printable
from generic.words import counted
from piaa.commands.options import AsJson
from piaa.commands.terminal import print_json, reporting

if TYPE_CHECKING:
    from piaa.cluster.status import Status


@reporting
def status(
    vectors: Annotated[str, typer.Argument(help="Folder or URL of piaa embed's --out.")],
    as_json: AsJson = False,
) -> None:
    """Say how far piaa embed is: done, running and failed shards, photos a second, time left."""
    from generic.extras import require
    from piaa.cluster.folder import Folder
    from piaa.cluster.status import status as status_of

    require("piaa status", "pyarrow")
    found = status_of(Folder(vectors))
    if as_json:
        print_json([_facts(one) for one in found])
        return
    for one in found:
        for line in _lines(one):
            typer.echo(line)


def _facts(one: Status) -> dict[str, Any]:
    facts = {**one.__dict__, "seconds_left": one.seconds_left}
    return facts | {kind: [it.__dict__ for it in facts[kind]] for kind in ("running", "lost", "failed")}


def _lines(one: Status) -> list[str]:
    lines = [
        f"model {one.model[:16]}: {one.done:,} of {counted(one.shards, 'shard')} done, "
        f"{one.photos_done:,} of "
        f"{counted(one.photos, 'photo')}, {one.broken:,} of them broken"
    ]
    if one.per_second and one.seconds_left:
        lines.append(f"  {one.per_second:,.1f} photos a second, {_time(one.seconds_left)} left")
    for what, notes in (("running", one.running), ("silent since", one.lost), ("failed", one.failed)):
        for it in notes[:10]:
            why = f": {printable(it.error)}" if it.error else ""
            done = f"{counted(it.photos, 'photo')} done in {it.seconds:,.0f} s"
            lines.append(f"  {what}: {it.shard} on {printable(it.host)}, process {it.process}, {done}{why}")
        if len(notes) > 10:
            lines.append(f"  and {len(notes) - 10:,} more {what} (all with --json)")
    return lines


def _time(seconds: float) -> str:
    """In words.

    Example:
        >>> _time(90), _time(7200), _time(500000)
        ('2 minutes', '2 hours', '6 days')
    """
    for unit, size in (("day", 86400), ("hour", 3600)):
        if seconds >= 1.5 * size:
            return counted(round(seconds / size), unit)
    return counted(max(1, round(seconds / 60)), "minute")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa status vectors/")(status)
