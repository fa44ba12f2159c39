"""``piaa embed``: the vectors of a manifest's photos, on one machine or on many."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from generic.words import counted
from piaa.commands.options import AsJson, MaxPixels
from piaa.commands.part import part_of
from piaa.commands.progress import progress_bar, stopping
from piaa.commands.terminal import note, print_json, reporting

if TYPE_CHECKING:
    from generic.progress import Progress
    from piaa.cluster.embed import Launcher
    from piaa.cluster.work import Job

KEPT = "the shards done so far stay: the same command goes on from there"


class Vectors(StrEnum):
    """Forms of vectors: as the model makes them, and without their richer part."""

    full = "full"
    small = "small"


@reporting
def embed(
    manifest: Annotated[str, typer.Argument(help="Folder or URL of piaa manifest.")],
    out: Annotated[str, typer.Option(help="Folder or URL of the vectors.")],
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            help="Processes on this machine, which share its cores: 1; with --ray workers of one core, at "
            "most: as many as there are cores.",
            show_default=False,
        ),
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="HOST:PORT of a Ray cluster, auto on one of its nodes, or local.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="I/N: only the shards of worker I (from 0) of N workers.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="An embedded model's name, or a model file.")
    ] = "piaa-lite",
    vectors: Annotated[
        Vectors,
        typer.Option(
            help="small: without the richer part, a ninth of the numbers; for rankings, not for a store."
        ),
    ] = Vectors.full,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Run the network on an NVIDIA GPU: the last digits differ.")
    ] = False,
    max_pixels: MaxPixels = None,
    as_json: AsJson = False,
) -> None:
    """Make the vectors that are not there yet; every worker may be stopped and started again."""
    from generic.extras import require
    from generic.photos.open import MAX_PIXELS
    from piaa.cluster import embed as work
    from piaa.cluster.work import Job

    require("piaa embed", "pyarrow")
    if ray is not None:
        require("piaa embed --ray", "ray")
    part = part_of(shard)
    job = Job(
        manifest=manifest,
        out=out,
        model=model,
        max_pixels=max_pixels or MAX_PIXELS,
        vectors=vectors.value,
        gpu=gpu,
    )
    with ExitStack() as stack:
        stack.enter_context(stopping(KEPT))

        def begun(photos: int) -> Progress:
            return stack.enter_context(progress_bar("embedding", photos))

        done = work.embed(job, part=part, launch=_launcher(job, jobs, ray), progress=begun)
    if as_json:
        print_json(done.__dict__)
        return
    if done.broken:
        note(f"{counted(done.broken, 'photo')} cannot be read: *.broken.parquet in {out} says why")
    typer.echo(
        f"{counted(done.photos, 'photo')} in {counted(done.shards, 'shard')} done now, "
        f"{counted(done.before, 'shard')} before: {out}"
    )


def _launcher(job: Job, jobs: int | None, ray: str | None) -> Launcher | None:
    """What hands out the shards; None: this process does them."""
    if ray is not None:
        from piaa.cluster.ray_data import run_on_ray

        return lambda shards, progress: run_on_ray(job, shards, ray, jobs, progress)
    if jobs is None or jobs == 1:
        return None
    from piaa.cluster.processes import run_in_processes

    return lambda shards, progress: run_in_processes(job, shards, jobs, progress)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa embed manifest/ --out vectors/ --jobs 4")(embed)
