"""``piaa evaluate`` and ``piaa cross-evaluate``: few-shot tests on the users of a dataset, and the report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from piaa.commands.terminal import (
    AsJson,
    CacheOption,
    MaxPixels,
    ModelOption,
    NoCache,
    cache_folder,
    note,
    print_json,
    progress_bar,
    report_skipped,
    reporting,
)
from protocols.commands.options import (
    Adapters,
    DuplicatesChoice,
    Images,
    Jobs,
    LabelRoot,
    MinRatings,
    Nan,
    Out,
    Query,
    RatingsFile,
    Repeats,
    ScaleEnds,
    Seed,
    Shots,
    Skip,
    Users,
    Wide,
    named,
    one_of,
    open_dataset,
    whole_numbers,
    words,
)

if TYPE_CHECKING:
    from generic.model.generic_model import GenericModel
    from protocols.commands.options import AdaptersOf
    from protocols.datasets.dataset import Dataset
    from protocols.fewshot.study import Prepared, Settings
    from protocols.fewshot.summary import NanPolicy
    from protocols.report.table import Report
    from protocols.splits.split import Split

_NAN: tuple[NanPolicy, ...] = ("drop", "zero")
_QUERY: tuple[Literal["rest", "common"], ...] = ("rest", "common")


@reporting
def evaluate(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(help="flickr-aes, aadb, para, real-cur or table (your own).")],
    root: LabelRoot = None,
    ratings: RatingsFile = None,
    images: Images = None,
    users: Users = None,
    scale: ScaleEnds = None,
    duplicates: DuplicatesChoice = None,
    split: Annotated[
        Path | None,
        typer.Option(
            help="Of `piaa data split`; default: the dataset's own; table without --users: everybody."
        ),
    ] = None,
    shots: Shots = "10,100",
    repeats: Repeats = 10,
    seed: Seed = 0,
    query: Query = "rest",
    min_ratings: MinRatings = 0,
    skip: Skip = False,
    nan: Nan = "drop",
    adapter: Adapters = "generic,ridge,auto",
    model: ModelOption = "piaa-lite",
    out: Out = None,
    jobs: Jobs = None,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_pixels: MaxPixels = None,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Test adapters on a dataset's users: learn from k ratings, predict the others; mean±std SRCC."""
    settings = _settings(shots, repeats, seed, query, min_ratings, skip)
    policy, names = one_of("--nan", nan, _NAN), words("--adapter", adapter)
    folder = cache_folder(cache, no_cache)
    data = open_dataset(
        dataset, root, ratings=ratings, images=images, users=users, scale=scale, duplicates=duplicates
    )
    chosen = _open_model(model)
    prepared = _prepare(
        (data.name, data, _split(data, split)),
        (f"the data of {chosen.name}", chosen),
        context.obj,
        names,
        settings,
        folder,
        max_pixels,
    )
    _run([prepared], f"evaluate-{data.name}", out, policy, jobs, wide=wide, as_json=as_json)


@reporting
def cross_evaluate(
    context: typer.Context,
    train: Annotated[
        list[str],
        typer.Option(metavar="NAME=MODEL", help="What a model was trained on, and its file; repeat."),
    ],
    test: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=ROOT",
            help="A dataset and the folder of its label files; repeat. Under a name of your own: "
            "NAME=DATASET:ROOT, such as mine=table:DIR, where DIR holds ratings.csv and images/.",
        ),
    ],
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="A test's split, of `piaa data split`; repeat."),
    ] = None,
    images: Annotated[
        list[str] | None, typer.Option(metavar="NAME=DIR", help="A test's folder of images; repeat.")
    ] = None,
    scale: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=LOW..HIGH", help="A table's scale, default 1..5; repeat."),
    ] = None,
    shots: Shots = "10,100",
    repeats: Repeats = 10,
    seed: Seed = 0,
    query: Query = "rest",
    min_ratings: MinRatings = 0,
    skip: Skip = False,
    nan: Nan = "drop",
    adapter: Adapters = "generic,ridge,auto",
    out: Out = None,
    jobs: Jobs = None,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_pixels: MaxPixels = None,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Test models trained on some datasets on the users of others: every --train on every --test."""
    settings = _settings(shots, repeats, seed, query, min_ratings, skip)
    policy, names = one_of("--nan", nan, _NAN), words("--adapter", adapter)
    folder = cache_folder(cache, no_cache)
    models, roots = named("--train", train), named("--test", test)
    splits, folders, scales = (
        named(option, given or (), known=list(roots))
        for option, given in (("--split", split), ("--images", images), ("--scale", scale))
    )
    sides = []
    for name, root in roots.items():
        data = _open_test(name, root, images=folders.get(name), scale=scales.get(name))
        sides.append((name, data, _split(data, Path(splits[name]) if name in splits else None)))
    opened = [(name, _open_model(file)) for name, file in models.items()]
    prepared = [
        _prepare(side, trained, context.obj, names, settings, folder, max_pixels)
        for trained in opened
        for side in sides
    ]
    _run(prepared, "cross-evaluate", out, policy, jobs, wide=wide, as_json=as_json)


def _settings(shots: str, repeats: int, seed: int, query: str, min_ratings: int, skip: bool) -> Settings:
    from protocols.fewshot.study import Settings

    return Settings(
        shots=whole_numbers("--shots", shots),
        repeats=repeats,
        seed=seed,
        query=one_of("--query", query, _QUERY),
        min_ratings=min_ratings,
        skip=skip,
    )


def _open_model(name: str) -> GenericModel:
    from generic.model.generic_model import GenericModel
    from generic.model.registry import find_model

    return GenericModel(find_model(name))


def _open_test(name: str, text: str, *, images: str | None, scale: str | None) -> Dataset:
    """The dataset of ``--test NAME=ROOT`` or ``NAME=DATASET:ROOT``."""
    from piaa.ratings.scale import Scale
    from protocols.datasets.load import DATASETS

    before, colon, after = text.partition(":")
    dataset, root = (before, after) if colon and before in DATASETS else (name, text)
    if dataset not in DATASETS:
        raise typer.BadParameter(
            f"--test has {name!r}, which is no dataset; say which it is, such as {name}=table:{text}"
        )
    ends = None if scale is None else Scale.parse(scale)
    return open_dataset(
        dataset,
        Path(root),
        images=None if images is None else Path(images),
        scale=None if ends is None else (ends.low, ends.high),
    )


def _split(dataset: Dataset, file: Path | None) -> Split:
    from protocols.fewshot.study import default_split
    from protocols.splits.split import read_split

    return default_split(dataset) if file is None else read_split(file)


def _prepare(
    side: tuple[str, Dataset, Split],
    trained: tuple[str, GenericModel],
    adapters: AdaptersOf,
    names: Sequence[str],
    settings: Settings,
    cache: Path | None,
    max_pixels: int | None,
) -> Prepared:
    """One model and one test, with a progress bar over its photos."""
    from generic.cache.features import FeatureCache
    from protocols.fewshot.study import prepare, rated_images

    name, dataset, split = side
    train, model = trained
    makers = adapters(model, names)
    n_images = len(rated_images(dataset, split))
    with FeatureCache.open(cache) as kept, progress_bar(f"reading photos of {name}", n_images) as advance:
        return prepare(
            dataset,
            split,
            model,
            makers,
            settings,
            cache=kept,
            train=train,
            name=name,
            max_pixels=max_pixels,
            progress=advance,
        )


def _run(
    tests: Sequence[Prepared],
    name: str,
    out: Path | None,
    nan: NanPolicy,
    jobs: int | None,
    *,
    wide: bool,
    as_json: bool,
) -> None:
    """Run the tests with a progress bar, write the report and print it."""
    from protocols.fewshot.evaluation_folder import RESULTS, run_id
    from protocols.fewshot.study import describe_run, n_units, run
    from protocols.report.build import collect
    from protocols.report.files import write_report

    folder = out or Path("runs") / f"{name}-{run_id(describe_run(tests))}"
    with progress_bar("fitting", n_units(tests)) as advance:
        results = run(tests, folder, nan=nan, jobs=jobs or os.cpu_count() or 1, progress=advance)
    report = collect(results, nan=nan)
    files = [folder / RESULTS, *write_report(report, folder)]
    if as_json:
        print_json(_facts(tests, report, folder, files))
        return
    _notes(tests)
    _print(report, wide=wide)
    typer.echo(f"written: {folder} ({files[0].name}, {files[1].name} and {len(files) - 2} more)")


def _facts(
    tests: Sequence[Prepared], report: Report, folder: Path, files: Sequence[Path]
) -> dict[str, object]:
    """The report for machines: what its tables say, what was left out, where the files lie."""
    from protocols.report.data import rows

    return {
        "folder": str(folder),
        "files": [str(file) for file in files],
        "config": report.results.config,
        "rows": list(rows(report)),
        "notes": {table.test: [*table.notes, *table.cautions] for table in report.tables},
        "tests": [
            {
                "train": test.train,
                "test": test.name,
                "n_users": test.n_users,
                "skipped_users": dict(test.skipped),
                "n_images": test.n_images,
                "unreadable_images": dict(test.unreadable),
                "checked_for_leaks": test.can_see_leaks,
                "notes": list(test.notes),
            }
            for test in tests
        ],
    }


def _notes(tests: Sequence[Prepared]) -> None:
    """What was left out, and what could not be checked, on stderr; once for each dataset and model."""
    for test in {test.name: test for test in tests}.values():
        for line in test.notes:
            note(f"{test.name}: {line}")
        report_skipped(test.unreadable, test.n_images, f"rated photos of {test.name}")
        report_skipped(test.skipped, test.n_users, f"test users of {test.name}")
    for test in {test.train: test for test in tests}.values():
        if not test.can_see_leaks:
            note(
                f"model {test.model.name} does not list its training photos: "
                f"it cannot be checked whether test photos are among them"
            )


def _print(report: Report, *, wide: bool) -> None:
    """The tables: as wide as a terminal, or as they need in a pipe."""
    import sys

    from protocols.report.text import renderables, to_terminal

    if not sys.stdout.isatty():
        typer.echo(to_terminal(report, wide=wide), nl=False)
        return
    from rich.console import Console

    Console().print(*renderables(report, wide=wide), sep="\n")


def add_to(app: typer.Typer, adapters: AdaptersOf) -> None:
    """Register the commands.

    Args:
        app: where.
        adapters: how to make the adapters that a person names.
    """
    given = {"obj": adapters}
    app.command(
        "evaluate",
        epilog="Example: piaa evaluate --dataset flickr-aes --root DIR --adapter generic,bayes",
        context_settings=given,
    )(evaluate)
    app.command(
        "cross-evaluate",
        epilog="Example: piaa cross-evaluate --train flickr-aes=a.safetensors --test flickr-aes=DIR "
        "--test mine=table:DIR --scale mine=1..7",
        context_settings=given,
    )(cross_evaluate)
