"""The command line: parse, call one function, print. Heavy imports live inside the commands.

Results go to stdout, everything else to stderr; an error of ours becomes one line and exit code 1.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import typer

from generic.errors import PiaaError
from generic.folder import printable
from generic.progress import Progress, no_progress

if TYPE_CHECKING:
    from piaa.person import Model, Person
    from piaa.stored import VersionSummary
    from piaa.tables import ScoreTable

P = ParamSpec("P")
R = TypeVar("R")

HELP = "Learn one person's taste in photographs from 10 to 100 ratings; rank any photos for that person."
app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
users_app = typer.Typer(help="The people in the store.", no_args_is_help=True)
models_app = typer.Typer(help="The generic models.", no_args_is_help=True)
cache_app = typer.Typer(help="The cache of photo features.", no_args_is_help=True)
app.add_typer(users_app, name="users")
app.add_typer(models_app, name="models")
app.add_typer(cache_app, name="cache")

User = Annotated[str, typer.Option("--user", "-u", help="The person's name.")]
ModelOption = Annotated[str, typer.Option("--model", help="An embedded model's name, or a model file.")]
StoreOption = Annotated[
    Path | None, typer.Option("--store", help="The store file; default: one in your user data folder.")
]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Folder of the feature cache; default: your user cache folder.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the feature cache.")]
MaxPixels = Annotated[
    int | None,
    typer.Option("--max-pixels", min=1, help="Refuse photos with more pixels (default 200000000)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def reporting(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our errors into one line on stderr (with --json: one object on stdout) and exit code 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except PiaaError as error:
            if kwargs.get("as_json"):
                problems = [problem.__dict__ for problem in getattr(error, "problems", ())]
                print_json({"error": str(error), "kind": type(error).__name__, "problems": problems})
            else:
                typer.echo(f"piaa: {error}", err=True)
            raise typer.Exit(1) from error

    return run


def print_json(content: object) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """A line for the person, on stderr."""
    typer.echo(text, err=True)


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Progress]:
    """A bar on a terminal, nothing in a pipe; call it with the number newly done."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)


def open_model(model: str, cache: Path | None, no_cache: bool, max_pixels: int | None) -> Model:
    """The model of the command's options."""
    import piaa

    if cache is not None and no_cache:
        raise typer.BadParameter("--cache and --no-cache contradict each other; give one of them")
    return piaa.load_model(model, cache=False if no_cache else cache or True, max_pixels=max_pixels)


@app.command(
    "fit-user", epilog="Example: piaa fit-user --user ana --ratings r.csv --images photos/ --scale 1 5"
)
@reporting
def fit_user(
    user: User,
    ratings: Annotated[
        Path, typer.Option(help="Table image,score (user,image,score): CSV, TSV, JSONL, Parquet.")
    ],
    images: Annotated[Path, typer.Option(help="Folder that the image names are relative to.")],
    scale: Annotated[tuple[float, float], typer.Option(help="Lowest and highest score.")] = (1, 5),
    duplicates: Annotated[
        str, typer.Option(help="A photo rated twice: 'error', or keep the 'last', or the 'mean'.")
    ] = "error",
    adapter: Annotated[str, typer.Option(help="How to learn: bayes, ridge or generic.")] = "bayes",
    model: ModelOption = "piaa-lite",
    store: StoreOption = None,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_pixels: MaxPixels = None,
    as_json: AsJson = False,
) -> None:
    """Learn a person from rated photos and keep her in the store."""
    from piaa.ratings import read_ratings
    from piaa.scale import Scale

    if duplicates not in ("error", "last", "mean"):
        raise typer.BadParameter(f"--duplicates takes 'error', 'last' or 'mean', not {duplicates!r}")
    table = read_ratings(ratings, scale=Scale(*scale), user=user, duplicates=duplicates)  # type: ignore[arg-type]
    table = table.for_user(user)
    chosen = open_model(model, cache, no_cache, max_pixels)
    with progress_bar("reading photos", len(table)) as advance:
        person = chosen.fit_user(
            table, images=images, scale=table.scale, user=user, adapter=adapter, progress=advance
        )
    version = person.save(store)
    report_fit(person, version, store, as_json=as_json)


def report_fit(person: Person, version: int, store: Path | None, *, as_json: bool) -> None:
    """Say what was learned and where it lies."""
    from piaa.store import AdapterStore

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
                "estimate": estimate.__dict__ if estimate else None,
                "store": str(path),
                "skipped": dict(person.skipped),
            }
        )
        return
    report_skipped(person.skipped, len(person.ratings) + len(person.skipped), "rated photos")
    typer.echo(
        f"{person.user}: learned from {len(person.ratings)} ratings "
        f"({person.adapter.name} on {generic.name} {generic.hash[:8]})"
    )
    typer.echo(f"expected ranking: {describe_estimate(person)}")
    typer.echo(f"stored: {path}, version {version}")


def describe_estimate(person: Person) -> str:
    """The cross-validated estimate in words, or why there is none."""
    from piaa.estimate import ENOUGH

    k, estimate = len(person.ratings), person.estimate
    if estimate:
        return (
            f"SRCC {estimate.srcc:.2f} ± {estimate.error:.2f} with your own ratings "
            f"(cross-validated on {k}; without learning {estimate.generic:.2f})"
        )
    if len({rating.score for rating in person.ratings}) == 1 and k > 1:
        return f"all {k} ratings are equal and say nothing of what you prefer; rate some higher or lower"
    return f"too early to tell from {k} rating{'s' * (k != 1)}; from {ENOUGH} on an estimate is printed"


def report_skipped(skipped: Mapping[str, str], n: int, what: str) -> None:
    """Count and name what was left out of n, on stderr."""
    if skipped:
        note(f"skipped {len(skipped)} of {n} {what}:")
        for name, reason in list(skipped.items())[:10]:
            note(f"  {printable(name)}: {reason}")
        if len(skipped) > 10:
            note(f"  and {len(skipped) - 10} more (all with --json)")


@app.command(epilog="Example: piaa score photos/ --user ana --top 20 --out scores.csv")
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
    from generic.folder import find_images
    from piaa.tables import check_format

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


@app.command(epilog="Example: piaa demo --photos ~/Pictures/summer")
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
    from generic.folder import find_images
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


@models_app.command("list")
@reporting
def models_list(as_json: AsJson = False) -> None:
    """The models in the package; any other is used by its file."""
    from generic.checkpoint import read_header
    from generic.registry import embedded_models

    headers = {name: read_header(path) for name, path in embedded_models().items()}
    if as_json:
        print_json([{"name": name, "hash": header.hash} for name, header in headers.items()])
        return
    for name, header in headers.items():
        typer.echo(f"{name}  {header.hash[:8]}  {header.training.get('summary', '')}")


@models_app.command("info")
@reporting
def models_info(
    model: Annotated[str, typer.Argument(help="An embedded model's name, or a model file.")] = "piaa-lite",
    as_json: AsJson = False,
) -> None:
    """A model's header: architecture, score scale, training data, measured figures."""
    from dataclasses import asdict

    from generic.checkpoint import read_header
    from generic.registry import find_model

    path = find_model(model)
    header = asdict(read_header(path))
    if as_json:
        print_json({**header, "file": str(path), "n_bytes": path.stat().st_size})
        return
    typer.echo(f"file: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    for key, value in header.items():
        if not isinstance(value, dict):
            typer.echo(
                f"{key}: {value if isinstance(value, str) else '..'.join(f'{end:g}' for end in value)}"
            )
            continue
        typer.echo(f"{key}:")
        for name, content in value.items():
            typer.echo(f"  {name}: {content if isinstance(content, str) else json.dumps(content)}")


@cache_app.command("info")
@reporting
def cache_info(cache: CacheOption = None, as_json: AsJson = False) -> None:
    """Where the cache lies and what it holds."""
    from generic.cache import FeatureCache, default_cache_folder

    info = FeatureCache(cache or default_cache_folder()).info()
    if as_json:
        facts = {"path": str(info.path), "n_bytes": info.n_bytes, "n_entries": info.n_entries}
        print_json({**facts, "models": info.models})
        return
    typer.echo(f"{info.path}: {info.n_entries} photos, {info.n_bytes / 1e6:.1f} MB")
    for model, n_entries in info.models.items():
        typer.echo(f"  model {model[:8]}: {n_entries} photos")


@cache_app.command("clear")
@reporting
def cache_clear(
    cache: CacheOption = None,
    model: Annotated[str | None, typer.Option("--model", help="Only features of this model.")] = None,
) -> None:
    """Forget the features; they are computed again when needed."""
    from generic.cache import FeatureCache, default_cache_folder
    from generic.checkpoint import read_header
    from generic.registry import find_model

    chosen = None if model is None else read_header(find_model(model)).hash
    removed = FeatureCache(cache or default_cache_folder()).clear(chosen)
    typer.echo(f"removed the features of {removed} photos")


if __name__ == "__main__":
    app()
