"""``piaa users``: the people in the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from piaa.commands.options import AsJson, ModelOption, StoreOption
from piaa.commands.terminal import print_json, reporting

if TYPE_CHECKING:
    from piaa.store.records import VersionSummary

users_app = typer.Typer(help="The people in the store.", no_args_is_help=True)
Name = Annotated[str, typer.Argument()]


@users_app.command("list")
@reporting
def users_list(store: StoreOption = None, as_json: AsJson = False) -> None:
    """Everybody in the store."""
    from piaa.store.adapter_store import AdapterStore

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
def users_show(user: Name, store: StoreOption = None, as_json: AsJson = False) -> None:
    """One person: every version, and the ratings of the newest."""
    from piaa.store.adapter_store import AdapterStore

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
    user: Name,
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a person with every version and rating."""
    from piaa.store.adapter_store import AdapterStore

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
    user: Name,
    images: Annotated[list[str], typer.Argument(help="Photos by the names under which they were rated.")],
    model: ModelOption = "piaa-lite",
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw ratings: learn again without them, and delete every version that was learned with them."""
    import piaa
    from piaa.commands.fit_user import report_fit
    from piaa.people.learning import ratings_of
    from piaa.store.adapter_store import AdapterStore

    # In all versions: an older one may be fitted on a rating that the newest does not know.
    keeper = AdapterStore(store)
    newest = keeper.load(user)  # first, so that nothing is deleted if somebody stores another one meanwhile
    gone = ratings_of(user, images, keeper.rated(user))
    known = [rating.image for rating in newest.ratings if rating in gone]
    compared = {name for pair in newest.extra.get("pairs", ()) for name in pair}
    # A person of whose comparisons it is part falls to forget, which refuses.
    if not known and compared.isdisjoint(rating.image for rating in gone):
        deleted = keeper.withdraw(user, gone, after=newest.version)
        _report_older(user, deleted, newest.version, keeper.path, as_json=as_json)
        return
    fewer = piaa.load_model(model).load(user, store=store, version=newest.version).forget(known)
    report_fit(fewer, fewer.save(store, withdrawn=gone), store, as_json=as_json)


def _report_older(user: str, deleted: list[int], newest: int, path: Path, *, as_json: bool) -> None:
    """Say that only versions beside the active one were fitted on what was withdrawn."""
    if as_json:
        print_json({"user": user, "version": newest, "deleted_versions": deleted, "store": str(path)})
        return
    many = len(deleted) != 1
    typer.echo(
        f"{user}: deleted version{'s' * many} {', '.join(map(str, deleted))}, learned with what is withdrawn"
    )
    typer.echo(f"stored: {path}, version {newest}, which was learned without it and stays as it is")


@users_app.command("export")
@reporting
def users_export(
    user: Name,
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    store: StoreOption = None,
    all_versions: Annotated[bool, typer.Option("--all", help="All versions, not only the newest.")] = False,
) -> None:
    """Write a person to a file that another store can import."""
    from piaa.store.adapter_store import AdapterStore

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
    from piaa.store.adapter_store import AdapterStore

    summary = AdapterStore(store).import_(file, user=user, replace=replace)
    typer.echo(f"imported {summary.user}: {summary.n_versions} version{'s' * (summary.n_versions != 1)}")
