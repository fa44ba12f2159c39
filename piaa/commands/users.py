"""``piaa users``: the people in the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from piaa.terminal import AsJson, ModelOption, StoreOption, print_json, reporting

if TYPE_CHECKING:
    from piaa.stored import VersionSummary

users_app = typer.Typer(help="The people in the store.", no_args_is_help=True)


@users_app.command("list")
@reporting
def users_list(store: StoreOption = None, as_json: AsJson = False) -> None:
    """Everybody in the store."""
    from piaa.store import AdapterStore

    people = AdapterStore(store).users()
    if as_json:
        print_json(
            [{"user": one.user, "n_versions": one.n_versions, **version_facts(one.latest)} for one in people]
        )
        return
    for one in people:
        latest = one.latest
        typer.echo(
            f"{one.user}: {latest.n_ratings} ratings, {latest.adapter} on {latest.model_name} "
            f"{latest.model_hash[:8]}, version {latest.version} of {latest.created}"
        )


def version_facts(version: VersionSummary) -> dict[str, Any]:
    """A stored version as plain values."""
    return {
        "version": version.version,
        "created": version.created,
        "adapter": version.adapter,
        "model": version.model_name,
        "model_hash": version.model_hash,
        "scale": [version.scale_low, version.scale_high],
        "n_ratings": version.n_ratings,
        "n_bytes": version.n_bytes,
    }


@users_app.command("show")
@reporting
def users_show(
    user: Annotated[str, typer.Argument()], store: StoreOption = None, as_json: AsJson = False
) -> None:
    """One person: every version, and the ratings of the newest."""
    from piaa.store import AdapterStore

    keeper = AdapterStore(store)
    versions, newest = keeper.show(user), keeper.load(user)
    if as_json:
        ratings = [{"image": one.image, "score": one.score, "sha256": one.sha256} for one in newest.ratings]
        print_json({"user": user, "versions": [version_facts(one) for one in versions], "ratings": ratings})
        return
    for one in versions:
        typer.echo(
            f"version {one.version} of {one.created}: {one.n_ratings} ratings on "
            f"{one.scale_low:g}..{one.scale_high:g}, {one.adapter} on {one.model_name} {one.model_hash[:8]}, "
            f"{one.n_bytes} bytes"
        )
    for rating in newest.ratings:
        typer.echo(f"  {rating.score:g}  {rating.image}")


@users_app.command("delete")
@reporting
def users_delete(
    user: Annotated[str, typer.Argument()],
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a person with every version and rating."""
    from piaa.store import AdapterStore

    keeper = AdapterStore(store)
    keeper.show(user)
    if not yes:
        typer.confirm(
            f"Delete {user!r} with all versions and ratings from {keeper.path}?", abort=True, err=True
        )
    n_versions = keeper.delete(user)
    typer.echo(f"deleted {user}: {n_versions} version{'s' * (n_versions != 1)}")


@users_app.command("forget-rating", epilog="Example: piaa users forget-rating ana photos/beach.jpg")
@reporting
def users_forget_rating(
    user: Annotated[str, typer.Argument()],
    images: Annotated[list[str], typer.Argument(help="Photos by the names under which they were rated.")],
    model: ModelOption = "piaa-lite",
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw ratings: learn again without them, and delete every version that was learned with them."""
    import piaa
    from piaa.commands.photos import report_fit

    person = piaa.load_model(model).load(user, store=store)
    fewer = person.forget(images)
    gone = [rating for rating in person.ratings if rating not in fewer.ratings]
    report_fit(fewer, fewer.save(store, withdrawn=gone), store, as_json=as_json)


@users_app.command("export")
@reporting
def users_export(
    user: Annotated[str, typer.Argument()],
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    store: StoreOption = None,
    all_versions: Annotated[bool, typer.Option("--all", help="All versions, not only the newest.")] = False,
) -> None:
    """Write a person to a file that another store can import."""
    from piaa.store import AdapterStore

    n_versions = AdapterStore(store).export(user, out, all_versions=all_versions)
    typer.echo(f"exported {user}: {n_versions} version{'s' * (n_versions != 1)} to {out}")


@users_app.command("import")
@reporting
def users_import(
    file: Annotated[Path, typer.Argument(help="A file that `piaa users export` wrote.")],
    user: Annotated[str | None, typer.Option("--user", help="Import under another name.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a person of this name.")] = False,
    store: StoreOption = None,
) -> None:
    """Read a person from an exported file."""
    from piaa.store import AdapterStore

    summary = AdapterStore(store).import_(file, user=user, replace=replace)
    typer.echo(f"imported {summary.user}: {summary.n_versions} version{'s' * (summary.n_versions != 1)}")
