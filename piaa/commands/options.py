"""Options that several commands share, each declared once, and what is opened by them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from piaa.people.model import Model

User = Annotated[str, typer.Option("--user", "-u", help="The person's name.")]
ModelOption = Annotated[str, typer.Option("--model", help="An embedded model's name, or a model file.")]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="A SQLite file or a PostgreSQL URL; default: $PIAA_STORE, or a file in your user data folder.",
    ),
]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Folder of the feature cache; default: your user cache folder.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the feature cache.")]
MaxPixels = Annotated[
    int | None,
    typer.Option("--max-pixels", min=1, help="Refuse photos with more pixels (default 200000000)."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace --out if it exists.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def cache_folder(cache: Path | None, no_cache: bool) -> Path | None:
    """The folder of the feature cache that the options choose; None remembers nothing."""
    from generic.cache.features import default_cache_folder

    if cache is not None and no_cache:
        raise typer.BadParameter("--cache and --no-cache contradict each other; give one of them")
    return None if no_cache else cache or default_cache_folder()


def open_model(model: str, cache: Path | None, no_cache: bool, max_pixels: int | None) -> Model:
    """The model of the command's options."""
    import piaa

    folder = cache_folder(cache, no_cache)
    return piaa.load_model(model, cache=False if folder is None else folder, max_pixels=max_pixels)
