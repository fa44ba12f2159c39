"""Commands on photos: fit-user, score, demo. Heavy imports live inside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from generic.photos.find import printable
from piaa.commands.terminal import (
    AsJson,
    CacheOption,
    MaxPixels,
    ModelOption,
    NoCache,
    StoreOption,
    User,
    cache_folder,
    note,
    print_json,
    progress_bar,
    report_skipped,
    reporting,
)

if TYPE_CHECKING:
    from piaa.people.model import Model
    from piaa.people.person import Person
    from piaa.people.score_table import ScoreTable


def open_model(model: str, cache: Path | None, no_cache: bool, max_pixels: int | None) -> Model:
    """The model of the command's options."""
    import piaa

    folder = cache_folder(cache, no_cache)
    return piaa.load_model(model, cache=False if folder is None else folder, max_pixels=max_pixels)


@reporting
def fit_user(
    user: User,
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
    model: ModelOption = "piaa-lite",
    store: StoreOption = None,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_pixels: MaxPixels = None,
    as_json: AsJson = False,
) -> None:
    """Learn a person from rated photos, or from photos compared, and keep her in the store."""
    _check_ways(ratings, pairs, add=add, scale=scale, adapter=adapter, meta=meta)
    if duplicates not in ("error", "last", "mean"):
        raise typer.BadParameter(f"--duplicates takes 'error', 'last' or 'mean', not {duplicates!r}")
    from piaa.ratings.comparisons import read_pairs
    from piaa.ratings.scale import Scale
    from piaa.ratings.table import read_ratings

    before = open_model(model, cache, no_cache, max_pixels).load(user, store=store) if add else None
    span = before.scale if before else Scale(*(scale or (1, 5)))
    if pairs is not None:
        compared = read_pairs(pairs)
        chosen = open_model(model, cache, no_cache, max_pixels)
        with progress_bar("reading photos", len({name for pair in compared for name in pair})) as advance:
            person = chosen.fit_pairs(compared, images=images, scale=span, user=user, progress=advance)
        report_fit(person, person.save(store), store, as_json=as_json)
        return
    table = read_ratings(cast("Path", ratings), scale=span, user=user, duplicates=duplicates).for_user(user)  # type: ignore[arg-type]
    with progress_bar("reading photos", len(table)) as advance:
        if before is not None:
            person = before.add(table, images=images, duplicates=duplicates, progress=advance)  # type: ignore[arg-type]
        else:
            person = open_model(model, cache, no_cache, max_pixels).fit_user(
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
    typer.echo(f"expected ranking: {describe_estimate(person)}")
    typer.echo(f"stored: {path}, version {version}")


def describe_estimate(person: Person) -> str:
    """The cross-validated estimate in words, or why there is none."""
    from piaa.people.estimate import ENOUGH, refits_of

    k, estimate = len(person.ratings), person.estimate
    if person.pairs:
        return "comparisons give no scores to check it with; rate some photos to get an estimate"
    if estimate:
        return (
            f"SRCC {estimate.srcc:.2f} ± {estimate.error:.2f} with your own ratings "
            f"(cross-validated on {k}; without learning {estimate.generic:.2f})"
        )
    if len({rating.score for rating in person.ratings}) == 1 and k > 1:
        return f"all {k} ratings are equal and say nothing of what you prefer; rate some higher or lower"
    if k >= ENOUGH:
        return (
            f"not estimated, as {person.adapter.name} would be fitted {refits_of(k)} more times; "
            "piaa evaluate tells"
        )
    return f"too early to tell from {k} rating{'s' * (k != 1)}; from {ENOUGH} on an estimate is printed"


@reporting
def score(
    photos: Annotated[Path, typer.Argument(help="A folder (searched with its subfolders) or one photo.")],
    user: User,
    top: Annotated[int | None, typer.Option(min=1, help="Only the best N.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the table here: .csv, .json or .parquet.")] = None,
    model: ModelOption = "piaa-lite",
    store: StoreOption = None,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_pixels: MaxPixels = None,
    as_json: AsJson = False,
) -> None:
    """Rank photos for a person, best first."""
    from generic.photos.find import find_images
    from piaa.people.score_table import check_format

    if out is not None:
        check_format(out)
    person = open_model(model, cache, no_cache, max_pixels).load(user, store=store)
    paths = find_images(photos)
    root = photos if photos.is_dir() else photos.parent
    with progress_bar("scoring", len(paths)) as advance:
        table = person.score_paths(
            paths, [path.relative_to(root).as_posix() for path in paths], progress=advance
        )
    facts = {"user": user, "model": person.model.generic.name, "scale": person.scale.to_json()}
    if out is not None:
        table.write(out, top, **facts)
    if as_json:
        typer.echo(table.to_json(top, **facts))
        return
    report_skipped(table.skipped, len(paths), "photos")
    if out is None:
        print_scores(table, top)
    else:
        shown = len(table) if top is None else min(top, len(table))
        typer.echo(f"{shown} of {len(table)} photos ranked for {user}: {out}")


def print_scores(table: ScoreTable, top: int | None) -> None:
    """The ranking as aligned text."""
    rows = [{**row, "image": printable(row["image"])} for row in table.rows(top)]
    width = max(len("image"), *(len(row["image"]) for row in rows))
    typer.echo(f"{'rank':>4}  {'image':<{width}}  score  80 % interval  generic")
    for rank, row in enumerate(rows, 1):
        typer.echo(
            f"{rank:>4}  {row['image']:<{width}}  {row['score']:5.2f}  "
            f"{row['low']:5.2f} … {row['high']:<5.2f}  {row['generic']:7.2f}"
        )


@reporting
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("piaa-demo"),
    photos: Annotated[
        Path | None, typer.Option(help="Your own photos: the demo asks you for ten ratings.")
    ] = None,
    person: Annotated[str, typer.Option(help="The simulated person: Ana, Ben or Chiyo.")] = "Chiyo",
    seed: Annotated[int, typer.Option(help="Another seed renders another album.")] = 0,
    as_json: AsJson = False,
) -> None:
    """The main job from nothing: an album, ten ratings, a personal ranking, a contact sheet."""
    from generic.photos.find import find_images
    from piaa.demo import run

    if photos is None:
        with progress_bar("rendering and reading", run.N_STEPS) as advance:
            made = run.simulated(out, person=person, seed=seed, progress=advance)
    else:
        with progress_bar("reading photos", len(find_images(photos))) as advance:
            choice = run.choose(out, photos, progress=advance)
        note(f"Rate the photos numbered in {choice.sheet}: 1 is dislike, 5 is love.")
        made = run.own_photos(choice, ask_rating)
    if as_json:
        print_json(made.facts())
        return
    for line in made.lines():
        typer.echo(line)


def ask_rating(number: int, name: str) -> int | None:
    """One rating from the terminal; None leaves the photo out."""
    while True:
        answer: str = typer.prompt(
            f"{number:>2}. {name}  [1-5, empty to leave out]", default="", show_default=False
        )
        if answer.strip() in ("", "1", "2", "3", "4", "5"):
            return int(answer) if answer.strip() else None
        note("please type 1 (dislike) to 5 (love), or nothing")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    example = "Example: piaa fit-user --user ana --ratings r.csv --images photos/ --scale 1 5"
    app.command("fit-user", epilog=example)(fit_user)
    app.command("score", epilog="Example: piaa score photos/ --user ana --top 20 --out scores.csv")(score)
    app.command("demo", epilog="Example: piaa demo --photos ~/Pictures/summer")(demo)
