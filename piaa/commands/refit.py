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

KEPT = "who was learned anew so far is kept: the same command goes on from there"


@reporting
def users_refit(
    user: Annotated[str | None, typer.Argument(help="Whom; or --all.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Everybody in the store.")] = False,
    images: Annotated[
        Path | None,
        typer.Option(help="A folder that holds the photos that they judged, under whatever names."),
    ] = None,
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
    from piaa.people.refit import refit_people
    from piaa.store.store import Store

    if everybody == (user is not None):
        raise typer.BadParameter("name one person, or pass --all; not both")
    keeper = Store(store)
    users = [one.user for one in keeper.users()] if user is None else [user]
    chosen = options.open_model(model, cache, no_cache, max_pixels)
    with stopping(KEPT), progress_bar("learning people", len(users)) as advance:
        found = list(refit_people(chosen, keeper, users, images, progress=advance))
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
    elif user is not None and found[0].reason:
        raise PiaaError(found[0].reason)
    else:
        _say(found, f"{chosen.generic.name} {chosen.generic.hash[:8]}")


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
    return " and ".join(counted(n, word) for n, word in counts if n)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("refit", epilog="Example: piaa users refit ana --images photos/")(users_refit)
