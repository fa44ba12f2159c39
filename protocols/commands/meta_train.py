"""``piaa meta-train``: where ``anil``, ``maml`` and ``meta-sgd`` begin, learned from a dataset's users."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from generic.photos.find import printable
from generic.progress import Progress
from piaa.commands.options import (
    AsJson,
    CacheOption,
    MaxPixels,
    ModelOption,
    NoCache,
    Overwrite,
    cache_folder,
)
from piaa.commands.progress import progress_bar, read_photos, stopping
from piaa.commands.terminal import note, print_json, report_skipped, reporting
from protocols.commands import options


class Run(Protocol):
    """A meta-training that was planned; handed in, so that protocols know no adapter."""

    def check(self, n_ratings: Mapping[str, int]) -> None:
        """There are enough ratings."""

    def learn(
        self,
        vectors: Any,  # noqa: ANN401
        people: Any,  # noqa: ANN401
        model: Any,  # noqa: ANN401
        *,
        origin: Mapping[str, Any],
        progress: Progress,
    ) -> dict[str, Any]:
        """Train, write the file, say what it holds."""


PlanRun = Callable[..., Run]


@reporting
def meta_train(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(help="flickr-aes, aadb, para or table (your own).")],
    algorithm: Annotated[str, typer.Option(help="anil, maml or meta-sgd.")],
    out: Annotated[Path, typer.Option(help="The start's file; a run that was stopped goes on beside it.")],
    root: options.LabelRoot = None,
    ratings: options.RatingsFile = None,
    images: options.Images = None,
    users: options.Users = None,
    scale: options.ScaleEnds = None,
    duplicates: options.DuplicatesChoice = None,
    split: Annotated[
        Path | None,
        typer.Option(
            help="Of `piaa data split`: its training side is learned from; default: the dataset's own."
        ),
    ] = None,
    shots: Annotated[
        str, typer.Option(metavar="LOW..HIGH", help="Ratings that an episode learns from.")
    ] = "1..100",
    first_order: Annotated[
        bool, typer.Option("--first-order", help="Do not differentiate through the steps: faster.")
    ] = False,
    epochs: Annotated[int, typer.Option(min=1, help="Most passes over the training users.")] = 20,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    min_ratings: options.MinRatings = 0,
    model: ModelOption = "piaa-lite",
    overwrite: Overwrite = False,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_pixels: MaxPixels = None,
    as_json: AsJson = False,
) -> None:
    """Learn where few-shot learning should begin, from a dataset's training users; never from test users."""
    from generic.cache.features import FeatureCache
    from generic.model.generic_model import GenericModel
    from generic.model.registry import find_model
    from protocols.splits.split import read_split
    from protocols.training.meta_data import training_data, training_ratings, training_split

    plan: PlanRun = context.obj
    settings = {"first_order": first_order, "epochs": epochs, "seed": seed, "shots": _range(shots)}
    run = plan(out, overwrite=overwrite, algorithm=algorithm, **settings)
    folder = cache_folder(cache, no_cache)
    data = options.open_dataset(
        dataset, root, ratings=ratings, images=images, users=users, scale=scale, duplicates=duplicates
    )
    side = training_split(data) if split is None else read_split(split)
    rated = training_ratings(data, side, min_ratings=min_ratings)
    run.check(Counter(rated.users))
    chosen = GenericModel(find_model(model))
    n = len(set(rated.images))
    with (
        stopping(read_photos(remembered=folder is not None)),
        FeatureCache.open(folder) as kept,
        progress_bar("reading photos", n) as advance,
    ):
        given = training_data(data, rated, chosen, cache=kept, max_pixels=max_pixels, progress=advance)
    stopped = f"the epochs finished so far are kept beside {out}: the same command goes on from there"
    with stopping(stopped), progress_bar("meta-training", epochs) as advance:
        facts = run.learn(given.vectors, given.people, chosen, origin=given.origin, progress=advance)
    if as_json:
        print_json({**facts, "n_known_images": given.n_known, "unreadable_images": dict(given.unreadable)})
        return
    report_skipped(given.unreadable, n, "rated photo", of=data.name)
    if given.n_known:
        note(
            f"model {chosen.name} was trained on {given.n_known} of these {len(given.vectors)} photos and "
            f"scores them too well: of new photos, less will be known than the start expects"
        )
    _print(facts)


def _range(text: str) -> tuple[int, int]:
    low, dots, high = text.partition("..")
    try:
        return int(low), int(high if dots else low)
    except ValueError:
        raise typer.BadParameter(f"--shots takes LOW..HIGH such as 1..100, not {text!r}") from None


def _print(facts: Mapping[str, Any]) -> None:
    users = facts["n_users"]
    typer.echo(
        f"{printable(facts['file'])}: {facts['algorithm']} on {facts['model']} {facts['model_hash'][:8]}, "
        f"learned from {users['trained']} users, epoch {facts['epoch']}"
    )
    typer.echo(f"on {users['held_out']} users and on photos held out from that:")
    for k, found in facts["figures"].items():
        typer.echo(
            f"  {k:<6} SRCC {found['srcc']:.3f} (generic {found['srcc_generic']:.3f}), "
            f"mean squared error {found['mse']:.4f} (generic {found['mse_generic']:.4f})"
        )


def add_to(app: typer.Typer, plan: PlanRun) -> None:
    """Register the command.

    Args:
        app: where.
        plan: how to plan a run: ``plan(out, overwrite=..., algorithm=..., shots=..., ...)``.
    """
    app.command(
        "meta-train",
        epilog="Example: piaa meta-train --dataset flickr-aes --root DIR --algorithm anil "
        "--out anil.safetensors",
        context_settings={"obj": plan},
    )(meta_train)
