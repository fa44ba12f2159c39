"""What ``piaa evaluate`` and ``piaa cross-evaluate`` share: few-shot tests, their run and their report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from piaa.commands.progress import progress_bar, read_photos, stopping
from piaa.commands.terminal import note, print_json, report_skipped
from protocols.commands.options import (
    one_of,
    whole_numbers,
)

if TYPE_CHECKING:
    from generic.model.generic_model import GenericModel
    from protocols.commands.options import AdaptersOf
    from protocols.datasets.dataset import Dataset
    from protocols.fewshot.study import Prepared, Settings
    from protocols.fewshot.summary import NanPolicy
    from protocols.report.table import Report
    from protocols.splits.split import Split

NAN: tuple[NanPolicy, ...] = ("drop", "zero")
_QUERY: tuple[Literal["rest", "common"], ...] = ("rest", "common")


def settings_of(shots: str, repeats: int, seed: int, query: str, min_ratings: int, skip: bool) -> Settings:
    """The protocol's settings of the command's options."""
    from protocols.fewshot.study import Settings

    return Settings(
        shots=whole_numbers("--shots", shots),
        repeats=repeats,
        seed=seed,
        query=one_of("--query", query, _QUERY),
        min_ratings=min_ratings,
        skip=skip,
    )


def open_model(name: str) -> GenericModel:
    """The generic model of a name or a file."""
    from generic.model.generic_model import GenericModel
    from generic.model.registry import find_model

    return GenericModel(find_model(name))


def open_split(dataset: Dataset, file: Path | None) -> Split:
    """The split of a file; without one, the dataset's own."""
    from protocols.fewshot.study import default_split
    from protocols.splits.split import read_split

    return default_split(dataset) if file is None else read_split(file)


def prepare_test(
    side: tuple[str, Dataset, Split],
    trained: tuple[str, GenericModel],
    adapters: AdaptersOf,
    names: Sequence[str],
    settings: Settings,
    cache: Path | None,
    max_pixels: int | None,
    *,
    crowd: bool,
) -> Prepared:
    """One model and one test, with a progress bar over its photos."""
    from generic.cache.features import FeatureCache
    from protocols.fewshot.study import prepare, rated_images

    name, dataset, split = side
    train, model = trained
    makers = adapters(model, names)
    n_images = len(rated_images(dataset, split))
    with (
        stopping(read_photos(remembered=cache is not None)),
        FeatureCache.open(cache) as kept,
        progress_bar(f"reading photos of {name}", n_images) as advance,
    ):
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
            crowd=crowd,
            progress=advance,
        )


def run_tests(
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
    kept = f"what was finished is kept in {folder}: the same command goes on from there"
    with stopping(kept), progress_bar("fitting", n_units(tests)) as advance:
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
    from protocols.report.data import facts

    return {
        "folder": str(folder),
        "files": [str(file) for file in files],
        "config": report.results.config,
        **facts(report),
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
        report_skipped(test.unreadable, test.n_images, "rated photo", of=test.name)
        report_skipped(test.skipped, test.n_users, "test user", of=test.name)
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
