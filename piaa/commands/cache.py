"""``piaa cache``: the cache of photo features."""

from __future__ import annotations

from typing import Annotated

import typer

from generic.words import counted
from piaa.commands.options import AsJson, CacheOption
from piaa.commands.terminal import print_json, reporting

cache_app = typer.Typer(help="The cache of photo features.", no_args_is_help=True)


@cache_app.command("info")
@reporting
def cache_info(cache: CacheOption = None, as_json: AsJson = False) -> None:
    """Where the cache lies and what it holds."""
    from generic.cache.features import FeatureCache, default_cache_folder

    info = FeatureCache(cache or default_cache_folder()).info()
    if as_json:
        facts = {"path": str(info.path), "n_bytes": info.n_bytes, "n_entries": info.n_entries}
        print_json({**facts, "models": info.models})
        return
    typer.echo(f"{info.path}: {counted(info.n_entries, 'photo')}, {info.n_bytes / 1e6:.1f} MB")
    for model, n_entries in info.models.items():
        typer.echo(f"  model {model[:8]}: {counted(n_entries, 'photo')}")


@cache_app.command("clear")
@reporting
def cache_clear(
    cache: CacheOption = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Only features of this model, and of those calibrated from it."),
    ] = None,
) -> None:
    """Forget the features; they are computed again when needed."""
    from generic.cache.features import FeatureCache, default_cache_folder
    from generic.model.generic_model import GenericModel
    from generic.model.registry import find_model

    chosen = None if model is None else GenericModel(find_model(model)).network_hash
    removed = FeatureCache(cache or default_cache_folder()).clear(chosen)
    typer.echo(f"removed the features of {counted(removed, 'photo')}")
