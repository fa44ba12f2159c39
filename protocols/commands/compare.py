"""``piaa compare``: two runs, ours or somebody else's, pair by pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from piaa.commands.options import AsJson
from piaa.commands.terminal import note, print_json, reporting

if TYPE_CHECKING:
    from protocols.fewshot.paired import Paired
    from protocols.fewshot.results import Results
    from protocols.report.grid import Entry, Grid

_HEADER = (
    *("tested on", "k", "first", "second", "users", "first SRCC", "second SRCC", "difference"),
    *("95 %, users", "below second", "p", "p, Holm"),
)
_NOTES = (
    "difference: mean over users of first minus second, each a mean over the repeats that both runs have; "
    "95 %: bootstrap interval over users, on these photos",
    "below second: share of users whom the first ranks worse, the gain that one in twenty is below, "
    "the worst",
    "p: paired Wilcoxon over users; Holm: corrected for all rows of the same test and k",
)


@reporting
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A run folder, or a file of results (JSON).")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another, or the same one again.")],
    adapter: Annotated[
        str | None, typer.Option(help="One adapter of A; default: each that B has too.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="The adapter of B that A's is compared with; default: the same name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs on the same users and repeats; the format is in docs/results.md."""
    from protocols.fewshot.paired import pair_runs

    rows = pair_runs(_results(first), _results(second), adapter=adapter, against=against)
    if as_json:
        print_json({"first": str(first), "second": str(second), "rows": [row.facts() for row in rows]})
        return
    for line in dict.fromkeys(_cautions(rows)):
        note(line)
    typer.echo("\n".join(_lines(rows)))


def _results(path: Path) -> Results:
    from protocols.fewshot.evaluation_folder import RESULTS
    from protocols.fewshot.results import Results

    return Results.load(path / RESULTS if path.is_dir() else path)


def _cautions(rows: Sequence[Paired]) -> Iterator[str]:
    for row in rows:
        where = f"{row.first} and {row.second} on {row.test} at k={row.k}"
        if row.n_alone:
            yield f"{where}: {row.n_alone} results are in one run only and were left out"
        if row.n_other_photos:
            yield (
                f"{where}: for {row.n_other_photos} of {row.n_pairs} results the two predicted different "
                f"numbers of photos, so they were not tested on the same"
            )


def _lines(rows: Sequence[Paired]) -> list[str]:
    from protocols.report.text import plain_lines, rich_table

    return [*plain_lines(rich_table(_grid(rows), box=None)), *(f"* {line}" for line in _NOTES)]


def _grid(rows: Sequence[Paired]) -> Grid:
    from protocols.report.grid import Grid

    return Grid(title="", key="compare", header=_HEADER, n_left=1, blocks=(tuple(map(_entries, rows)),))


def _entries(row: Paired) -> tuple[Entry, ...]:
    from protocols.report.grid import ABSENT, Entry, harm_text, number, p_text
    from protocols.report.published import title

    interval = ABSENT if row.low != row.low else f"[{row.low:+.3f}, {row.high:+.3f}]"
    texts = (
        *(title(row.test), str(row.k), row.first, row.second, str(row.n_users)),
        *(number(row.mean_first), number(row.mean_second), f"{row.difference:+.4f}"),
        *(interval, harm_text(row.harm), p_text(row.p), p_text(row.p_holm)),
    )
    return tuple(Entry(text=text) for text in texts)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa compare runs/mine theirs.json --adapter auto --against theirs")(compare)
