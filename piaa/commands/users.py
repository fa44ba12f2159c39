"""``piaa users``: the people in the store."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generic.words import counted
from piaa.commands.layout import sentence
from piaa.commands.options import AsJson, ModelOption, StoreOption
from piaa.commands.terminal import note, print_json, reporting

if TYPE_CHECKING:
    from piaa.people.model import Model
    from piaa.store.records import VersionSummary

users_app = typer.Typer(help="The people in the store.", no_args_is_help=True)
Name = Annotated[str, typer.Argument()]


@users_app.command("list")
@reporting
def users_list(store: StoreOption = None, as_json: AsJson = False) -> None:
    """Everybody in the store."""
    from piaa.store.store import Store

    people = Store(store).users()
    if as_json:
        print_json(
            [
                {
                    "user": one.user,
                    "n_ratings": one.n_ratings,
                    "n_comparisons": one.n_comparisons,
                    "n_versions": one.n_versions,
                    "latest": version_facts(one.latest) if one.latest else None,
                }
                for one in people
            ]
        )
        return
    for one in people:
        said = counted(one.n_ratings, "rating")
        if one.n_comparisons:
            said += f", {counted(one.n_comparisons, 'comparison')}"
        latest = one.latest
        learned = (
            f"{latest.adapter} on {latest.model_name} {latest.model_hash[:8]}, version {latest.version} of "
            f"{latest.created}"
            if latest
            else "nothing learned yet"
        )
        typer.echo(f"{one.user}: {said}, {learned}")


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
    user: Name, model: ModelOption = "piaa-lite", store: StoreOption = None, as_json: AsJson = False
) -> None:
    """One person: all that she said that counts, what was learned from it, and how to undo it."""
    from piaa.commands import show_user
    from piaa.store.store import Store

    keeper = Store(store)
    said, flags, versions = keeper.said(user, ""), keeper.flags(user), keeper.versions(user)
    if as_json:
        facts = {"user": user, "versions": [version_facts(one) for one in versions]}
        print_json({**facts, "active": keeper.active(user), **show_user.said_facts(said, flags)})
        return
    _echo_versions(versions, keeper.active(user))
    show_user.print_moved(user, show_user.learned_by(user, model, store, keeper))
    show_user.print_said(said, flags)
    left = bool(said.ratings or said.comparisons or flags)
    show_user.print_ways_back(user, left, keeper.history(user), len(versions), keeper.database.option())


def _echo_versions(versions: list[VersionSummary], active: int | None) -> None:
    for one in versions:
        counts = "  counts now" if one.version == active else ""
        sentence(
            f"version {one.version} of {one.created}: {counted(one.n_ratings, 'rating')} on "
            f"{one.scale_low:g}..{one.scale_high:g}, {one.adapter} on {one.model_name} {one.model_hash[:8]}, "
            f"{one.n_bytes} bytes{counts}"
        )
    if not versions:
        typer.echo("nothing learned yet")


@users_app.command("versions", epilog="Example: piaa users versions ana")
@reporting
def users_versions(user: Name, store: StoreOption = None, as_json: AsJson = False) -> None:
    """All versions of a person, oldest first, and which one counts."""
    from piaa.store.store import Store

    keeper = Store(store)
    versions, active = keeper.versions(user), keeper.active(user)
    if as_json:
        print_json([{**version_facts(one), "active": one.version == active} for one in versions])
        return
    _echo_versions(versions, active)


@users_app.command("history", epilog="Example: piaa users history ana")
@reporting
def users_history(user: Name, store: StoreOption = None, as_json: AsJson = False) -> None:
    """All changes of what a person said, oldest first, whoever made them."""
    from piaa.store.store import Store

    changes = Store(store).history(user)
    if as_json:
        print_json([one.__dict__ for one in changes])
        return
    for one in changes:
        counts = [f"{n} {word}" for n, word in ((one.n_added, "new"), (one.n_ended, "replaced")) if n]
        counts += [f"{one.n_withdrawn} deleted"] * bool(one.n_withdrawn)
        counts += [f"version {one.version}"] * (one.version is not None)
        typer.echo(
            f"{one.at}  {one.what:<8} {one.source:<7} {', '.join(counts)}{'  (undone)' if one.undone else ''}"
        )


@users_app.command("restore", epilog="Example: piaa users restore ana 3")
@reporting
def users_restore(
    user: Name,
    version: Annotated[int, typer.Argument(help="Its number, see `piaa users versions`.")],
    store: StoreOption = None,
) -> None:
    """Have an earlier version count, with what she had said by then; what came since stays as history."""
    from piaa.store.store import Store

    keeper = Store(store)
    keeper.restore(user, version, source="terminal")
    undo = f"piaa users undo {shlex.quote(user)}{keeper.database.option()}"
    typer.echo(f"{user}: version {version} counts now; `{undo}` takes that back")


@users_app.command("undo", epilog="Example: piaa users undo ana")
@reporting
def users_undo(user: Name, model: ModelOption = "piaa-lite", store: StoreOption = None) -> None:
    """Take back the last change of what a person said, whoever made it."""
    import piaa
    from piaa.people.learn_on import adapter_of_what_is_kept
    from piaa.store.store import Store

    keeper, chosen = Store(store), piaa.load_model(model)  # a model that is not there changes nothing
    change, versions = keeper.undo(user, source="terminal")
    typer.echo(
        f"{user}: took back {change.what} of {change.at} ({change.source}: {change.n_added} new, "
        f"{change.n_ended} replaced)"
    )
    for version in versions:
        typer.echo(f"version {version} counts again")
    if not versions:
        learn_again(user, adapter_of_what_is_kept(keeper, user), chosen, store, as_json=False)


def learn_again(user: str, adapter: str, chosen: Model, store: str | None, *, as_json: bool) -> None:
    """Learn from what is left, if anything is; from comparisons by the adapter for these."""
    from piaa.commands.report_fit import report_fit
    from piaa.people.tell import known_of
    from piaa.store.store import Store

    keeper = Store(store)
    known = known_of(keeper, user, chosen.generic.hash)
    if known is not None:
        person = chosen.refit(user, store=store, adapter=adapter if known.ratings else None)
        report_fit(person, keeper.name, as_json=as_json)
    elif as_json:
        print_json({"user": user, "version": keeper.active(user), "n_ratings": 0, "store": keeper.name})
    else:
        still = f"; version {keeper.active(user)} counts until she rates again" * bool(keeper.active(user))
        typer.echo(f"{user}: nothing is left to learn from{still}")


@users_app.command("delete")
@reporting
def users_delete(
    user: Name,
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a person with every rating and version, and refuse her API keys."""
    from piaa.store.store import Store

    keeper = Store(store)
    keeper.versions(user)
    if not yes:
        typer.confirm(
            f"Delete {user!r} with all versions and ratings from {keeper.name}?", abort=True, err=True
        )
    gone = keeper.delete(user, source="terminal")
    keys = f", {counted(gone.n_keys, 'API key')} revoked" * bool(gone.n_keys)
    typer.echo(f"deleted {user}: {counted(gone.n_versions, 'version')}{keys}")


@users_app.command("forget-rating", epilog="Example: piaa users forget-rating ana photos/beach.jpg")
@reporting
def users_forget_rating(
    user: Name,
    images: Annotated[list[str], typer.Argument(help="Photos by the names under which they were rated.")],
    model: ModelOption = "piaa-lite",
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw ratings: delete them and every version that was learned with them, and learn again."""
    import piaa
    from piaa.people.choose import choose_photos
    from piaa.people.learn_on import adapter_of_what_is_kept
    from piaa.store.store import Store

    keeper, chosen = Store(store), piaa.load_model(model)  # a model that is not there changes nothing
    adapter = adapter_of_what_is_kept(keeper, user)  # before its version goes
    gone = keeper.withdraw(user, images, choose_photos, source="terminal")
    if gone and not as_json:
        typer.echo(f"{user}: deleted {_versions(gone)}, learned with what is withdrawn")
    learn_again(user, adapter, chosen, store, as_json=as_json)


def _versions(numbers: list[int]) -> str:
    return f"version{'s' * (len(numbers) != 1)} {', '.join(map(str, numbers))}"


@users_app.command("export")
@reporting
def users_export(
    user: Name,
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    store: StoreOption = None,
    all_versions: Annotated[
        bool, typer.Option("--all", help="All versions, not only the one that counts.")
    ] = False,
) -> None:
    """Write a person to a file that another store can import."""
    from piaa.store.store import Store

    content = Store(store).export(user, out, all_versions=all_versions)
    for problem in content.skipped:
        note(f"left out: {problem}")
    typer.echo(f"exported {user}: {counted(len(content.versions), 'version')} to {out}")


@users_app.command("import")
@reporting
def users_import(
    file: Annotated[Path, typer.Argument(help="A file that `piaa users export` wrote.")],
    user: Annotated[str | None, typer.Option("--user", help="Import under another name.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a person of this name.")] = False,
    store: StoreOption = None,
) -> None:
    """Read a person from an exported file."""
    from piaa.store.store import Store

    summary = Store(store).import_(file, user=user, replace=replace)
    typer.echo(f"imported {summary.user}: {counted(summary.n_versions, 'version')}")


@users_app.command("import-forms", epilog="Example: piaa users import-forms forms/ --vectors vectors/")
@reporting
def users_import_forms(
    forms: Annotated[str, typer.Argument(help="Folder or URL of piaa fit-users' --out.")],
    vectors: Annotated[str, typer.Option(help="Folder or URL of piaa embed's --out.")],
    model: ModelOption = "piaa-lite",
    replace: Annotated[
        bool, typer.Option("--replace", help="Ratings that the store knows become history.")
    ] = False,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Put the people of piaa fit-users into the store, for piaa serve; who is there already stays."""
    import piaa
    from generic.extras import require
    from generic.photos.find import printable
    from piaa.cluster.folder import Folder
    from piaa.cluster.import_forms import import_forms
    from piaa.commands.progress import listing, stopping
    from piaa.store.store import Store

    require("piaa users import-forms", "pyarrow")
    keeper, opened = Store(store), piaa.load_model(model, cache=False)
    kept = "the people imported so far stay: the same command goes on from there"
    with stopping(kept), listing("people") as advance:
        done = import_forms(Folder(forms), Folder(vectors), keeper, opened, replace=replace, progress=advance)
    if as_json:
        print_json({**done.__dict__, "store": keeper.name})
        return
    for user, why in list(done.refused.items())[:10]:
        note(f"left out: {printable(user)}: {why}")
    if len(done.refused) > 10:
        note(f"and {len(done.refused) - 10:,} more (all with --json)")
    before = f", {done.before:,} there before" if done.before else ""
    typer.echo(f"{counted(done.users, 'person', 'people')} imported{before}: {keeper.name}")
