"""``piaa data``: check, describe and split datasets of rated photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from generic.errors import DatasetError
from piaa.commands.options import AsJson
from piaa.commands.terminal import print_json, reporting
from protocols.commands import options

data_app = typer.Typer(help="Datasets of rated photos.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="flickr-aes, aadb, ava, ava1, ava2, tad66k, para, real-cur, table or histograms."
    ),
]
RootFolder = Annotated[Path, typer.Argument(metavar="ROOT", help="The folder that holds its label files.")]


@data_app.command("check", epilog="Example: piaa data check flickr-aes DIR --out problems.csv")
@reporting
def data_check(
    name: Name,
    root: RootFolder,
    out: Annotated[
        Path | None, typer.Option(help="Write every missing and every unlabelled image here (CSV).")
    ] = None,
    images: options.Images = None,
    ratings: options.RatingsFile = None,
    users: options.Users = None,
    scale: options.ScaleEnds = None,
    duplicates: options.DuplicatesChoice = None,
    min_raters: options.MinRaters = None,
    train: options.TrainList = None,
    test: options.TestList = None,
    as_json: AsJson = False,
) -> None:
    """Compare a dataset with its published counts; exit code 1 if its protocol cannot run."""
    from protocols.datasets.check import check

    report = check(
        options.open_dataset(
            name,
            root,
            images=images,
            ratings=ratings,
            users=users,
            scale=scale,
            duplicates=duplicates,
            min_raters=min_raters,
            train=train,
            test=test,
        )
    )
    if out is not None:
        report.write_problems(out)
    if as_json:
        print_json(report.facts())
    else:
        typer.echo("\n".join(report.lines()))
    if not report.can_run:
        raise typer.Exit(1)


@data_app.command("describe", epilog="Example: piaa data describe flickr-aes DIR --shots 10,100")
@reporting
def data_describe(
    name: Name,
    root: RootFolder,
    shots: options.Shots = "10,100",
    ratings: options.RatingsFile = None,
    users: options.Users = None,
    scale: options.ScaleEnds = None,
    duplicates: options.DuplicatesChoice = None,
    as_json: AsJson = False,
) -> None:
    """How many query images every test user leaves at each number of shots."""
    from protocols.datasets.describe import describe

    numbers = options.whole_numbers("--shots", shots)
    dataset = options.open_dataset(
        name, root, ratings=ratings, users=users, scale=scale, duplicates=duplicates
    )
    described = describe(dataset, numbers)
    if as_json:
        print_json(described.facts())
    else:
        typer.echo("\n".join(described.lines()))


@data_app.command("split", epilog="Example: piaa data split aadb DIR --out aadb-split.json")
@reporting
def data_split(
    name: Name,
    root: RootFolder,
    out: Annotated[Path, typer.Option(help="The file to write (JSON), for --split.")],
    test_users: Annotated[
        Path | None, typer.Option(help="Test these users, one a line, against all others.")
    ] = None,
    test_images: Annotated[
        Path | None, typer.Option(help="Test on these images, one a line; with test users, on both.")
    ] = None,
    test_share: Annotated[
        float | None, typer.Option(help="Test about this share of the users, drawn by their names' hash.")
    ] = None,
    ratings: options.RatingsFile = None,
    users: options.Users = None,
    scale: options.ScaleEnds = None,
    duplicates: options.DuplicatesChoice = None,
    min_raters: options.MinRaters = None,
    train: options.TrainList = None,
    test: options.TestList = None,
    as_json: AsJson = False,
) -> None:
    """Write down who and what is tested: the dataset's own split, or one by lists or by a share."""
    from protocols.datasets.files import read_names
    from protocols.splits.rules import make_split
    from protocols.splits.split import write_split

    def names_in(file: Path | None) -> list[str] | None:
        return None if file is None else [listed for _, listed in read_names(file)]

    lists = {"ratings": ratings, "users": users, "train": train, "test": test}
    dataset = options.open_dataset(
        name, root, scale=scale, duplicates=duplicates, min_raters=min_raters, **lists
    )
    split = make_split(
        dataset,
        test_users=names_in(test_users),
        test_images=names_in(test_images),
        test_share=test_share,
    )
    write_split(out, split)
    if as_json:
        print_json(
            {
                "dataset": split.dataset,
                "rule": split.rule,
                "counts": split.counts,
                "sha256": split.hash,
                "file": str(out),
            }
        )
        return
    n = split.counts
    typer.echo(split.rule)
    typer.echo(f"train: {n['train_users']:,} users, {n['train_images']:,} images")
    typer.echo(f"test: {n['test_users']:,} users, {n['test_images']:,} images")
    typer.echo(f"written: {out} ({split.hash[:8]})")


@data_app.command("pack", epilog="Example: piaa data pack ava AVA --out AVA-shards --side 640")
@reporting
def data_pack(
    name: Name,
    root: RootFolder,
    out: Annotated[Path, typer.Option(help="The folder of shards to write.")],
    side: Annotated[
        int | None,
        typer.Option(min=1, help="Shorter side in pixels that larger photos are reduced to; default: none."),
    ] = None,
    shard_mb: Annotated[int, typer.Option(min=1, help="Size of a shard in megabytes.")] = 256,
    images: options.Images = None,
    ratings: options.RatingsFile = None,
    scale: options.ScaleEnds = None,
    duplicates: options.DuplicatesChoice = None,
    min_raters: options.MinRaters = None,
    as_json: AsJson = False,
) -> None:
    """Pack the labelled photos into tar files (WebDataset's layout), for --shards of `piaa pretrain`."""
    from dataclasses import asdict

    from generic.photos.shards import pack
    from piaa.commands.progress import AGAIN, progress_bar, stopping
    from piaa.commands.terminal import report_skipped
    from piaa.ratings.locate import locate_images

    data = options.open_dataset(
        name, root, images=images, ratings=ratings, scale=scale, duplicates=duplicates, min_raters=min_raters
    )
    if data.images is None:
        raise DatasetError(f"no folder of images of {data.name!r} was found; name it with --images")
    files, absent = locate_images(data.labelled(), data.images)
    labels = {
        image: {"score": mean} | ({"counts": data.counts[image]} if image in data.counts else {})
        for image, mean in data.means.items()
    }
    with stopping(AGAIN), progress_bar("packing", len(files)) as bar:
        packed = pack(files, out, labels=labels, side=side, shard_bytes=shard_mb * 10**6, progress=bar)
    skipped = {**dict(absent), **packed.skipped}
    report_skipped(skipped, len(files) + len(absent), "photo")
    if as_json:
        print_json({**asdict(packed), "skipped": skipped, "folder": str(out)})
        return
    shards = f"{packed.n_shards:,} shard{'s' * (packed.n_shards != 1)}"
    typer.echo(f"{out}: {packed.n_photos:,} photos in {shards}, {packed.n_bytes:,} bytes")
