"""``piaa models``: the generic models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from generic.words import counted
from piaa.commands.options import AsJson, Overwrite, StoreOption
from piaa.commands.terminal import note, print_json, reporting

models_app = typer.Typer(help="The generic models.", no_args_is_help=True)


@models_app.command("list")
@reporting
def models_list(store: StoreOption = None, as_json: AsJson = False) -> None:
    """The models in the package, any other is used by its file; with --store those of its people too."""
    from generic.model.checkpoint import read_header
    from generic.model.registry import embedded_models
    from piaa.store.store import Store

    headers = {name: read_header(path) for name, path in embedded_models().items()}
    used = [] if store is None else Store(store).models()
    counts = {one.hash: one.n_people for one in used}
    others = [one for one in used if one.hash not in {header.hash for header in headers.values()}]
    if as_json:
        pairs = [(name, header.hash) for name, header in headers.items()]
        pairs += [(one.name, one.hash) for one in others]
        rows = [{"name": name, "hash": digest, "people": counts.get(digest, 0)} for name, digest in pairs]
        print_json([row if store else {"name": row["name"], "hash": row["hash"]} for row in rows])
        return
    for name, header in headers.items():
        summary = header.training.get("summary", "")
        typer.echo(f"{name}  {header.hash[:8]}  {summary}{_people(counts, header.hash)}")
    for one in others:
        typer.echo(f"{one.name}  {one.hash[:8]}  not in this package{_people(counts, one.hash)}")


def _people(counts: Mapping[str, int], model: str) -> str:
    """How many of a store were learned on a model, as the end of its line."""
    return f"; {counted(counts[model], 'person', 'people')} of the store" if model in counts else ""


@models_app.command("info")
@reporting
def models_info(
    model: Annotated[str, typer.Argument(help="An embedded model's name, or a model file.")] = "piaa-lite",
    as_json: AsJson = False,
) -> None:
    """A model's header: architecture, score scale, training data, measured figures."""
    from dataclasses import asdict

    from generic.model.checkpoint import read_header
    from generic.model.registry import find_model

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
            typer.echo(f"  {name}: {_shown(content)}")


def _shown(content: object) -> str:
    """A value on one line: numbers with four digits, and of hashes how many there are."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and len(content) > 1 and all(map(_is_hash, content)):
        return f"{len(content):,} hashes (all with --json)"
    return json.dumps(_rounded(content), ensure_ascii=False)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _rounded(content: object) -> object:
    if isinstance(content, float):
        return float(f"{content:.4g}")
    if isinstance(content, list):
        return [_rounded(one) for one in content]
    if isinstance(content, dict):
        return {name: _rounded(one) for name, one in content.items()}
    return content


@models_app.command("convert", epilog="Example: piaa models convert eat_ava.pth --out eat-ava.safetensors")
@reporting
def models_convert(
    file: Annotated[
        Path, typer.Argument(help="Weights of the released EAT, or of DAT: .pth or .safetensors.")
    ],
    out: Annotated[Path, typer.Option(help="The model file to write.")],
    config: Annotated[
        Path | None, typer.Option(help="JSON object of network arguments that the weights do not show.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Preset that DAT's weights start; default: the one of their size.")
    ] = None,
    img_size: Annotated[
        int | None, typer.Option(min=1, help="Move position tables to another image size, in pixels.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The model's name; default: the name of --out.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make a model file of the released EAT's weights, or a start for `piaa pretrain` of DAT's."""
    from dataclasses import asdict

    from generic.model.convert import convert
    from generic.model.third_party import read_config

    given = None if config is None else read_config(config)
    header = convert(file, out, config=given, name=name, start=start, img_size=img_size, overwrite=overwrite)
    if as_json:
        print_json({**asdict(header), "file": str(out), "n_bytes": out.stat().st_size})
        return
    typer.echo(f"{out}: {header.name} {header.hash[:8]}, {header.training['summary']}")
    for assumed in header.training.get("assumed", ()):
        note(f"assumed: {assumed}")
    if "start" in header.training:
        counts = [f"{len(header.training[key])} {key}" for key in ("resized", "fresh", "left_out")]
        note(f"tensors: {header.training['taken']} taken, {', '.join(counts)}; names: piaa models info {out}")
