"""``piaa manifest``: what there is to do, written down for many machines."""

from __future__ import annotations

from typing import Annotated

import typer

from generic.words import counted
from piaa.commands.options import AsJson
from piaa.commands.progress import AGAIN, listing, stopping
from piaa.commands.terminal import print_json, reporting


@reporting
def manifest(
    source: Annotated[
        str, typer.Argument(help="A folder, a .txt list of photos, or a URL such as s3://bucket/photos.")
    ],
    out: Annotated[
        str, typer.Option(help="Folder or URL of the manifest; one of before is brought up to date.")
    ],
    shard_size: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Photos in a shard, about: one piece of work.")
    ] = 10_000,
    as_json: AsJson = False,
) -> None:
    """List a folder, a list or a bucket into shards, for piaa embed on many machines."""
    from generic.extras import require
    from piaa.cluster.folder import Folder
    from piaa.cluster.manifest import write_manifest

    require("piaa manifest", "pyarrow")
    with stopping(AGAIN), listing("photos listed") as advance:
        written = write_manifest(source, Folder(out), shard_size=shard_size, progress=advance)
    there = written.manifest
    facts = {
        "source": source,
        "photos": there.n_photos,
        "bytes": sum(shard.n_bytes for shard in there.shards),
        "shards": len(there.shards),
        "new": written.n_new,
        "gone": written.n_gone,
    }
    if as_json:
        print_json({**facts, "out": out})
        return
    typer.echo(
        f"{counted(there.n_photos, 'photo')} in {counted(len(there.shards), 'shard')}, "
        f"{written.n_new:,} of them "
        f"new, {written.n_gone:,} gone: {out}"
    )


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa manifest s3://bucket/photos --out s3://bucket/manifest")(manifest)
