"""``piaa fit-user``: learn a person from rated or compared photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from piaa.commands import options
from piaa.commands.terminal import print_json, progress_bar, report_skipped, reporting

if TYPE_CHECKING:
    from piaa.people.person import Person


@reporting
def fit_user(
    user: options.User,
    images: Annotated[Path, typer.Option(help="Folder that the image names are relative to.")],
    ratings: Annotated[
        Path | None, typer.Option(help="Table image,score (user,image,score): CSV, TSV, JSONL, Parquet.")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Instead of ratings: a CSV table better,worse of photos compared.")
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="Add the ratings to those that the person has given before.")
    ] = False,
    scale: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="Lowest and highest score; default 1 5, with --add the person's.", show_default=False
        ),
    ] = None,
    duplicates: Annotated[
        str, typer.Option(help="A photo rated twice: 'error', or keep the 'last', or the 'mean'.")
    ] = "error",
    adapter: Annotated[
        str | None,
        typer.Option(
            help="How to learn, see docs/adapters.md; default auto, with --add the person's.",
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
    """Learn a person from rated photos, or from photos compared, and keep her in the store."""
    _check_ways(ratings, pairs, add=add, scale=scale, adapter=adapter, meta=meta)
    if duplicates not in ("error", "last", "mean"):
        raise typer.BadParameter(f"--duplicates takes 'error', 'last' or 'mean', not {duplicates!r}")
    from piaa.ratings.comparisons import read_pairs
    from piaa.ratings.scale import Scale
    from piaa.ratings.table import read_ratings

    before = options.open_model(model, cache, no_cache, max_pixels).load(user, store=store) if add else None
    span = before.scale if before else Scale(*(scale or (1, 5)))
    if pairs is not None:
        compared = read_pairs(pairs)
        chosen = options.open_model(model, cache, no_cache, max_pixels)
        with progress_bar("reading photos", len({name for pair in compared for name in pair})) as advance:
            person = chosen.fit_pairs(compared, images=images, scale=span, user=user, progress=advance)
        report_fit(person, person.save(store), store, as_json=as_json)
        return
    table = read_ratings(cast("Path", ratings), scale=span, user=user, duplicates=duplicates).for_user(user)  # type: ignore[arg-type]
    with progress_bar("reading photos", len(table)) as advance:
        if before is not None:
            person = before.add(table, images=images, duplicates=duplicates, progress=advance)  # type: ignore[arg-type]
        else:
            person = options.open_model(model, cache, no_cache, max_pixels).fit_user(
                table,
                images=images,
                scale=span,
                user=user,
                adapter=adapter or "auto",
                meta=meta,
                progress=advance,
            )
    report_fit(person, person.save(store), store, as_json=as_json)


def _check_ways(
    ratings: Path | None,
    pairs: Path | None,
    *,
    add: bool,
    scale: object,
    adapter: str | None,
    meta: Path | None,
) -> None:
    """Refuse options that contradict one another, as a usage error."""
    if (ratings is None) == (pairs is None):
        raise typer.BadParameter("give either --ratings FILE or --pairs FILE")
    if pairs is not None and (add or adapter not in (None, "pairs")):
        raise typer.BadParameter("--pairs is learned by the adapter pairs, from the whole table at once")
    if add and (scale is not None or adapter is not None):
        raise typer.BadParameter("with --add, scale and adapter are the person's; leave them out")
    if meta is not None and (add or pairs is not None):
        raise typer.BadParameter("--meta is for a fit with --ratings and --adapter anil, maml or meta-sgd")


def report_fit(person: Person, version: int, store: Path | None, *, as_json: bool) -> None:
    """Say what was learned and where it lies."""
    from piaa.people.estimate import describe_estimate
    from piaa.store.adapter_store import AdapterStore

    path, estimate, generic = AdapterStore(store).path, person.estimate, person.model.generic
    if as_json:
        print_json(
            {
                "user": person.user,
                "version": version,
                "adapter": person.adapter.name,
                "model": generic.name,
                "model_hash": generic.hash,
                "scale": person.scale.to_json(),
                "n_ratings": len(person.ratings),
                **({"n_pairs": len(person.pairs)} if person.pairs else {}),
                "estimate": estimate.__dict__ if estimate else None,
                "store": str(path),
                "skipped": dict(person.skipped),
            }
        )
        return
    if person.pairs:
        n_photos = len({name for pair in person.pairs for name in pair}) + len(person.skipped)
        report_skipped(person.skipped, n_photos, "compared photos")
        given = f"{len(person.pairs)} comparison{'s' * (len(person.pairs) != 1)}"
    else:
        report_skipped(person.skipped, len(person.ratings) + len(person.skipped), "rated photos")
        given = f"{len(person.ratings)} ratings"
    typer.echo(
        f"{person.user}: learned from {given} ({person.adapter.name} on {generic.name} {generic.hash[:8]})"
    )
    scores = [rating.score for rating in person.ratings]
    told = describe_estimate(estimate, scores, person.adapter.name, compared=bool(person.pairs))
    typer.echo(f"expected ranking: {told}")
    typer.echo(f"stored: {path}, version {version}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    example = "Example: piaa fit-user --user ana --ratings r.csv --images photos/ --scale 1 5"
    app.command("fit-user", epilog=example)(fit_user)
