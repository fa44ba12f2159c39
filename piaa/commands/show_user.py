"""``piaa users show``: what a person said, what was learned from it, and how to undo it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import typer

from generic.errors import ModelMismatch
from generic.photos.find import printable
from piaa.commands.layout import sentence
from piaa.commands.terminal import note

if TYPE_CHECKING:
    from piaa.people.moved import Moved, MovedPhoto
    from piaa.store.changes import Change
    from piaa.store.place import Place
    from piaa.store.records import StoredFlag
    from piaa.store.said import Said
    from piaa.store.store import Store


def learned_by(user: str, model: str, place: Place, store: Store) -> Moved | None:
    """What was learned of a person, if anything was, on this model."""
    import piaa
    from piaa.people.moved import moved

    if store.active(user) is None:
        return None
    try:
        return moved(piaa.load_model(model).load(user, store=place))
    except ModelMismatch as error:
        note(f"what was learned is told by its own model, with --model: {error}")
        return None


def said_facts(said: Said, flags: list[StoredFlag]) -> dict[str, Any]:
    """What a person said that counts, as plain values."""
    ratings = ("image", "score", "sha256", "photo", "given", "source")
    comparisons = ("a", "b", "outcome", "given", "source")
    return {
        "ratings": [{key: getattr(one, key) for key in ratings} for one in said.ratings],
        "comparisons": [{key: getattr(one, key) for key in comparisons} for one in said.comparisons],
        "flags": [{"image": one.image, "flag": one.flag, "given": one.given} for one in flags],
    }


def print_said(said: Said, flags: list[StoredFlag]) -> None:
    """A line for each thing that a person said."""
    for rating in said.ratings:
        typer.echo(f"  {rating.score:g}  {printable(rating.image)}")
    for one in said.comparisons:
        sign = "=" if one.outcome == "equal" else ">"
        typer.echo(f"  {printable(one.pair[0])} {sign} {printable(one.pair[1])}")
    for flag in flags:
        typer.echo(f"  {flag.flag}  {printable(flag.image)}")


def print_moved(user: str, found: Moved | None) -> None:
    """What was learned, in words."""
    if found is None:
        return
    if abs(found.level) < 0.005:
        sentence(f"learned: {user} gives as much as the crowd, on average over the photos rated")
    else:
        way = "more" if found.level > 0 else "less"
        sentence(f"learned: {user} gives {abs(found.level):.2f} {way} than the crowd, on average")
    for word, photos in (("more", found.raised), ("less", found.lowered)):
        if photos:
            sentence(f"relatively {word} to {'; '.join(map(_told, photos))}")


def _told(photo: MovedPhoto) -> str:
    return f"{printable(photo.image)} (crowd {photo.generic:.2f}, now {photo.score:.2f})"


def print_ways_back(user: str, said: bool, changes: list[Change], versions: int, option: str) -> None:
    """How to undo what was said and learned.

    Args:
        user: her name.
        said: whether anything that she said counts.
        changes: her history.
        versions: how many versions there are.
        option: what a command needs to reach the store.
    """
    typer.echo("to undo:")
    name, left = shlex.quote(user), [one for one in changes if not one.undone and one.what != "undo"]
    if left and left[-1].what != "withdraw":
        change = f"{left[-1].what} of {left[-1].at[:19]}"
        typer.echo(f"  piaa users undo {name}{option}  (takes back the last change, {change})")
    if versions > 1:
        typer.echo(f"  piaa users restore {name} NUMBER{option}  (has an earlier version count)")
    if said:
        typer.echo(f"  piaa users forget-rating {name} PHOTO{option}  (deletes all that was said of a photo)")
    typer.echo(f"  piaa users delete {name}{option}  (deletes everything)")
