"""``piaa users refit``: people of a store, learned anew on another model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generic.errors import PiaaError
from generic.words import counted
from piaa.commands import options
from piaa.commands.progress import progress_bar, stopping
from piaa.commands.terminal import note, print_json, reporting

if TYPE_CHECKING:
    from piaa.people.refit import Refitted
    from piaa.people.vector_map import Loss

KEPT = "who was learned anew so far is kept: the same command goes on from there"


@reporting
def users_refit(
    user: Annotated[str | None, typer.Argument(help="Whom; or --all.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Everybody in the store.")] = False,
    images: Annotated[
        Path | None,
        typer.Option(help="A folder that holds the photos that they judged, under whatever names."),
    ] = None,
    gone: Annotated[
        bool,
        typer.Option(
            "--map",
            help="Work out vectors of photos that are gone from the model before's, and tell the loss.",
        ),
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Learn from the ratings whose photos have a vector.")
    ] = False,
    model: options.ModelOption = "piaa-lite",
    store: options.StoreOption = None,
    cache: options.CacheOption = None,
    no_cache: options.NoCache = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
) -> None:
    """Learn people anew on a model, from all that they said and the photos at hand.

    Whoever cannot be learned anew stays as she is: the version of the model before goes on answering.
    """
    from piaa.people.refit import map_gone, refit_people
    from piaa.store.store import Store

    if everybody == (user is not None):
        raise typer.BadParameter("name one person, or pass --all; not both")
    keeper = Store(store)
    users = [one.user for one in keeper.users()] if user is None else [user]
    chosen = options.open_model(model, cache, no_cache, max_pixels)
    with stopping(KEPT), progress_bar("learning people", len(users)) as advance:
        # With a map first whoever needs none: they teach it.
        first = partial and not gone
        found = list(refit_people(chosen, keeper, users, images, partial=first, progress=advance))
    left = [one.user for one in found if one.reason]
    if gone and left:
        if (mapped := map_gone(chosen, keeper, left)) is not None:
            _tell_loss(*mapped)
        again = {one.user: one for one in refit_people(chosen, keeper, left, images, partial=partial)}
        found = [again.get(one.user, one) for one in found]
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
    elif user is not None and found[0].reason:
        raise PiaaError(found[0].reason)
    else:
        _say(found, f"{chosen.generic.name} {chosen.generic.hash[:8]}")


def _tell_loss(n_photos: int, loss: Loss) -> None:
    photos, people = counted(n_photos, "photo"), counted(loss.n_people, "person", "people")
    note(
        f"vectors of {photos} that are gone were worked out from the model before, by a map learned from "
        f"{loss.n_photos} photos ({loss.explained:.0%} of the variance)"
    )
    note(
        f"learned from such vectors people are ranked with an SRCC of {loss.mapped:.3f}, from the model's "
        f"own with {loss.own:.3f}: {loss.mapped - loss.own:+.3f}, standard error {loss.error:.3f} ({people})"
    )


def _say(found: list[Refitted], model: str) -> None:
    for one in found:
        if one.reason:
            note(f"{one.user}: as before; {one.reason}")
        elif one.version is None:
            typer.echo(f"{one.user}: known to {model} already, with all that counts")
        else:
            typer.echo(
                f"{one.user}: version {one.version}, learned from {_given(one)} ({one.adapter} on {model})"
            )
    if len(found) > 1:
        anew, before = sum(one.version is not None for one in found), sum(bool(one.reason) for one in found)
        typer.echo(f"{anew} of {counted(len(found), 'person', 'people')} learned anew, {before} as before")


def _given(one: Refitted) -> str:
    counts = ((one.n_ratings, "rating"), (one.n_comparisons, "comparison"))
    given = " and ".join(counted(n, word) for n, word in counts if n)
    mapped = f", {counted(one.n_mapped, 'photo')} of them mapped" if one.n_mapped else ""
    return given + mapped + (f", {one.n_left_out} left out" if one.n_left_out else "")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("refit", epilog="Example: piaa users refit ana --images photos/")(users_refit)
