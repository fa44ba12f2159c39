"""What the commands of the protocols share: options of a dataset and of a test, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from generic.model.generic_model import GenericModel
    from protocols.datasets.dataset import Dataset
    from protocols.fewshot.evaluate import MakeAdapter

    AdaptersOf = Callable[[GenericModel, Sequence[str]], Mapping[str, MakeAdapter]]
    """How to make each of the named adapters on a model; handed in, so that no adapter is favoured here."""

Choice = TypeVar("Choice", bound=str)

LabelRoot = Annotated[
    Path | None,
    typer.Option("--root", help="Folder of its label files; table: default that of --ratings."),
]
SplitFile = Annotated[
    Path | None, typer.Option("--split", help="Of `piaa data split`; default: the dataset's own.")
]
Images = Annotated[
    Path | None, typer.Option("--images", help="Folder of the images, if not the official one.")
]
RatingsFile = Annotated[
    Path | None, typer.Option("--ratings", help="table: the file of ratings; default: ROOT/ratings.csv.")
]
Users = Annotated[Path | None, typer.Option("--users", help="table: a file with the test users, one a line.")]
ScaleEnds = Annotated[
    tuple[float, float] | None, typer.Option("--scale", help="table: lowest and highest score; default: 1 5.")
]
DuplicatesChoice = Annotated[
    str | None, typer.Option("--duplicates", help="table: a photo rated twice: 'error', 'last' or 'mean'.")
]
TrainList = Annotated[
    Path | None, typer.Option("--train", help="ava: a list of training image ids, one a line.")
]
TestList = Annotated[Path | None, typer.Option("--test", help="ava: a list of test image ids, one a line.")]
MinRaters = Annotated[
    int | None,
    typer.Option("--min-raters", min=1, help="histograms: leave out images with fewer raters; default: 10."),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        help="Score above which a photo is of the better class; default: 5 for AVA and TAD66K, else the "
        "middle of the scale.",
    ),
]

Shots = Annotated[str, typer.Option("--shots", help="Ratings to learn from, separated by commas.")]
Repeats = Annotated[int, typer.Option("--repeats", min=1, help="Draws of those ratings per user.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the draws.")]
Query = Annotated[
    str,
    typer.Option(
        "--query", help="What is predicted: 'rest' of a user's ratings, or the same, 'common', at every k."
    ),
]
MinRatings = Annotated[
    int, typer.Option("--min-ratings", min=0, help="Leave out users with fewer ratings, and count them.")
]
Skip = Annotated[
    bool,
    typer.Option(
        "--skip",
        help="Leave out users with too few ratings for the largest k, and count them; else an error.",
    ),
]
Nan = Annotated[
    str,
    typer.Option(
        "--nan", help="A correlation that is undefined, as one side is constant: 'drop' it, or 'zero'."
    ),
]
Adapters = Annotated[
    str,
    typer.Option(
        "--adapter",
        help="By name, separated by commas; p-values are against the first. A start of `piaa meta-train` "
        "goes behind its adapter, as in anil=FILE; lora+oracle_epoch adds the best epoch on the query; "
        "finetune@gate=none@epochs=8 sets options.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", help="The run folder; a run that was stopped goes on in it. Default: one below runs/."
    ),
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", min=1, help="Threads; default: one a core. Numbers stay the same.")
]
Crowd = Annotated[
    bool,
    typer.Option(
        "--crowd",
        help="Also a row of what all other people's mean rating of the same photo would predict.",
    ),
]
Wide = Annotated[bool, typer.Option("--wide", help="Print every measure, one row for each adapter and k.")]


def words(option: str, text: str) -> list[str]:
    """What stands between the commas, each once."""
    found = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not found:
        raise typer.BadParameter(f"{option} is empty; give one or more, separated by commas")
    return found


def whole_numbers(option: str, text: str) -> tuple[int, ...]:
    """The whole numbers between the commas."""
    try:
        return tuple(int(word) for word in words(option, text))
    except ValueError:
        raise typer.BadParameter(f"{option} takes whole numbers such as 10,100, not {text!r}") from None


def one_of(option: str, value: str, choices: Sequence[Choice]) -> Choice:
    """The value, if it is one of the choices."""
    for choice in choices:
        if value == choice:
            return choice
    known = f"{', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}"
    raise typer.BadParameter(f"{option} takes {known}, not {value!r}")


def named(option: str, values: Sequence[str], *, known: Sequence[str] | None = None) -> dict[str, str]:
    """NAME=VALUE, given several times, as NAME -> VALUE; each name once, and one of ``known`` if given."""
    found: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise typer.BadParameter(f"{option} takes NAME=VALUE, not {text!r}")
        if name in found:
            raise typer.BadParameter(f"{option} has {name!r} twice; give each name once")
        if known is not None and name not in known:
            raise typer.BadParameter(f"{option} has {name!r}, but --test has only {', '.join(known)}")
        found[name] = value
    return found


def open_dataset(
    name: str,
    root: Path | None,
    *,
    scale: tuple[float, float] | None = None,
    duplicates: str | None = None,
    min_raters: int | None = None,
    **options: Path | None,
) -> Dataset:
    """The dataset of the command's options; options that were not given are left to the loader."""
    from piaa.ratings.scale import Scale
    from protocols.datasets.load import load_dataset

    if duplicates is not None:
        one_of("--duplicates", duplicates, ("error", "last", "mean"))
    ratings = options.get("ratings")
    if root is None:
        if name not in ("table", "histograms") or ratings is None:
            raise typer.BadParameter(f"--root is needed: the folder that holds the label files of {name}")
        root = ratings.parent
    given: dict[str, Any] = {
        **options,
        "duplicates": duplicates,
        "min_raters": min_raters,
        "scale": None if scale is None else Scale(*scale),
    }
    return load_dataset(name, root, **{option: value for option, value in given.items() if value is not None})
