"""``piaa fit-user``: learn a person from rated or compared photos, or again from all that she said."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from generic.errors import PiaaError
from piaa.commands import options
from piaa.commands.progress import progress_bar, read_photos, stopping
from piaa.commands.report_fit import report_fit, report_replaced
from piaa.commands.terminal import note, reporting

if TYPE_CHECKING:
    from piaa.people.model import Model
    from piaa.people.rated import RatedPhotos
    from piaa.ratings.comparisons import Comparisons
    from piaa.ratings.table import Duplicates
    from piaa.store.said import Said
    from piaa.store.store import Store


@reporting
def fit_user(
    user: options.User,
    images: Annotated[
        Path | None, typer.Option(help="Folder that the image names are relative to.", show_default=False)
    ] = None,
    ratings: Annotated[
        Path | None,
        typer.Option(help="Table image,score (user,image,score): CSV, TSV, JSON, Excel, Parquet."),
    ] = None,
    pairs: Annotated[Path | None, typer.Option(help="A table better,worse of photos compared.")] = None,
    add: Annotated[
        bool,
        typer.Option(
            "--add", help="Add to what the store knows of the person; of a photo the newest counts."
        ),
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Put these in the place of what it knows, which stays as history."),
    ] = False,
    scale: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="Lowest and highest score; default 1 5, with --add the person's.", show_default=False
        ),
    ] = None,
    duplicates: Annotated[
        str,
        typer.Option(help="A photo rated twice in the table: 'error', or keep the 'last', or the 'mean'."),
    ] = "error",
    adapter: Annotated[
        str | None,
        typer.Option(
            help="How to learn, see docs/adapters.md; default auto, or that of the person's last version.",
            show_default=False,
        ),
    ] = None,
    meta: Annotated[
        Path | None, typer.Option(help="anil, maml, meta-sgd: the file that `piaa meta-train` wrote.")
    ] = None,
    model: options.ModelOption = "piaa-lite",
    store: options.StoreOption = None,
    cache: options.CacheOption = None,
    no_cache: options.NoCache = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
) -> None:
    """Learn a person from rated or compared photos, or again from all that the store knows of her."""
    _check_ways(ratings, pairs, images, add=add, replace=replace, duplicates=duplicates)
    from piaa.adapters.registry import DEFAULT
    from piaa.people.learn_on import last_adapter
    from piaa.people.tell import known_of
    from piaa.store.store import Store

    chosen = options.open_model(model, cache, no_cache, max_pixels)
    keeper = Store(store)
    known = known_of(keeper, user, chosen.generic.hash)
    told = None
    if ratings is not None or pairs is not None:
        usual = DEFAULT if known is None else last_adapter(keeper, user)
        chosen.maker(adapter or usual, meta)  # a wrong name or model shows before any photo is read
        if known is not None and not (add or replace):
            replace = _ask(user, known, keeper.name)
        with stopping(f"nothing of {user} changed, and {read_photos(remembered=not no_cache)}"):
            told = _tell(
                chosen, keeper, user, ratings, pairs, cast("Path", images), scale, duplicates, replace, known
            )
    files = _files(chosen, keeper, user, images, told)
    keeper.close()
    again = f"piaa fit-user --user {shlex.quote(user)}{keeper.database.option()}"
    try:
        with stopping(f"all that {user} said is kept, but not learned from yet: {again}"):
            person = chosen.refit(user, store=store, adapter=adapter, meta=meta, files=files)
    except PiaaError as error:
        if told is not None:
            error.args = (f"{error} (what the table says is kept)",)
        raise
    if known is not None and replace and not as_json and (ratings is None or pairs is None):
        what, left = ("rating", known.comparisons) if pairs is None else ("comparison", known.ratings)
        report_replaced(user, what, len(left))
    report_fit(person, keeper.name, told, as_json=as_json)


def _check_ways(
    ratings: Path | None,
    pairs: Path | None,
    images: Path | None,
    *,
    add: bool,
    replace: bool,
    duplicates: str,
) -> None:
    """Refuse options that contradict one another, as a usage error."""
    if duplicates not in ("error", "last", "mean"):
        raise typer.BadParameter(f"--duplicates takes 'error', 'last' or 'mean', not {duplicates!r}")
    table = ratings is not None or pairs is not None
    if table and images is None:
        raise typer.BadParameter("a table names photos; give the folder that holds them with --images DIR")
    if add and replace:
        raise typer.BadParameter("--add and --replace contradict each other; give one of them")
    if (add or replace) and not table:
        raise typer.BadParameter("--add and --replace go with --ratings FILE or --pairs FILE")


def _ask(user: str, known: Said, store: str) -> bool:
    """Whether what is new takes the place of what is known; asked on a terminal alone.

    Raises:
        StoreError: this is no terminal.
    """
    from piaa.people.learn import count_of
    from piaa.people.save import refusal

    if not sys.stdin.isatty():
        raise refusal(store, user, known)
    note(f"The store knows {count_of(known)} of {user}.")
    while True:
        question = "Add to them, replace them (they stay in the history), or stop?"
        choice = str(typer.prompt(question, default="add", err=True)).strip().lower()
        if choice == "stop":
            raise typer.Abort
        if choice in ("add", "replace"):
            return choice == "replace"
        note("please type add, replace or stop")


def _tell(
    model: Model,
    store: Store,
    user: str,
    ratings: Path | None,
    pairs: Path | None,
    images: Path,
    scale: tuple[float, float] | None,
    duplicates: str,
    replace: bool,
    known: Said | None,
) -> RatedPhotos:
    """Read the tables and their photos, and keep what they say."""
    from piaa.ratings.comparisons import read_pairs

    compared = None if pairs is None else read_pairs(pairs)  # before anything of the other table is kept
    told = []
    if ratings is not None:
        told.append(_tell_ratings(model, store, user, ratings, images, scale, duplicates, replace, known))
    if compared is not None:
        told.append(_tell_pairs(model, store, user, compared, images, replace))
    return told[0] if len(told) == 1 else told[0].and_those(told[1])


def _tell_pairs(
    model: Model, store: Store, user: str, compared: Comparisons, images: Path, replace: bool
) -> RatedPhotos:
    from piaa.people.tell import tell_pairs

    names = {name for pair in compared.pairs for name in pair}
    with progress_bar("reading photos", len(names)) as advance:
        read = tell_pairs(
            model, store, user, compared.pairs, images=images, replace=replace, progress=advance
        )
    return dataclasses.replace(read, notes=(*compared.notes, *read.notes))


def _tell_ratings(
    model: Model,
    store: Store,
    user: str,
    ratings: Path,
    images: Path,
    scale: tuple[float, float] | None,
    duplicates: str,
    replace: bool,
    known: Said | None,
) -> RatedPhotos:
    from piaa.people.rated import same_files
    from piaa.people.tell import tell_ratings
    from piaa.ratings.scale import Scale
    from piaa.ratings.table import read_ratings

    rated_before = known is not None and known.ratings and not replace
    span = Scale(*(scale or (known.scale if known and rated_before else (1, 5))))
    table = read_ratings(
        ratings,
        scale=span,
        user=user,
        duplicates=cast("Duplicates", duplicates),
        same=same_files(images),
    ).for_user(user)
    with progress_bar("reading photos", len(table)) as advance:
        return tell_ratings(
            model,
            store,
            user,
            table,
            images=images,
            duplicates=cast("Duplicates", duplicates),
            replace=replace,
            progress=advance,
        )


def _files(
    model: Model, store: Store, user: str, images: Path | None, told: RatedPhotos | None
) -> Mapping[str, Path]:
    """The files of her photos, as far as they are at hand: for an adapter that learns from them."""
    from piaa.people.tell import files_of

    files = dict(told.files) if told else {}
    if images is not None:
        files = {**files_of(model, store.said(user, model.generic.hash), images), **files}
    return files


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    example = "Example: piaa fit-user --user ana --ratings r.csv --images photos/ --scale 1 5"
    app.command("fit-user", epilog=example)(fit_user)
