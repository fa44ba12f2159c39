"""``piaa learn``: learn a person from the stars that she gave photos in other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generic.words import counted
from piaa.commands import options
from piaa.commands.progress import progress_bar, read_photos, stopping
from piaa.commands.report_fit import report_fit
from piaa.commands.terminal import note, print_json, report_skipped, reporting

if TYPE_CHECKING:
    from piaa.stars.gather import Gathered
    from piaa.stars.learn import Found, Kept


@reporting
def learn(
    photos: Annotated[
        Path, typer.Argument(help="A folder (searched with its subfolders) or one photo, with her stars.")
    ],
    user: options.User,
    lightroom: Annotated[
        Path | None,
        typer.Option(help="A Lightroom catalogue (.lrcat), also while Lightroom has it open; only read."),
    ] = None,
    adapter: Annotated[
        str | None,
        typer.Option(
            help="How to learn, see docs/adapters.md; default auto, or that of the person's last version.",
            show_default=False,
        ),
    ] = None,
    model: options.ModelOption = "piaa-lite",
    store: options.StoreOption = None,
    cache: options.CacheOption = None,
    no_cache: options.NoCache = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
) -> None:
    """Learn a person from the stars in her photos, their sidecars, or a Lightroom catalogue."""
    from piaa.people.learn_on import last_adapter
    from piaa.people.tell import known_of
    from piaa.stars.gather import gather
    from piaa.stars.learn import check_scale, find_stars, is_learned, keep_stars
    from piaa.stars.lightroom import read_catalogue
    from piaa.store.records import check_user
    from piaa.store.store import Store

    check_user(user)
    chosen = options.open_model(model, cache, no_cache, max_pixels)
    keeper = Store(store)
    known = known_of(keeper, user, chosen.generic.hash)
    usual = "auto" if known is None else last_adapter(keeper, user)
    make = chosen.maker(adapter or usual)
    check_scale(keeper, user, chosen.generic.hash)
    gathered = gather(photos, read_catalogue(lightroom) if lightroom else None)
    found = find_stars(chosen, keeper, gathered)
    stop = read_photos(remembered=not no_cache)
    with stopping(stop), progress_bar("looking at photos", len(found.stars)) as advance:
        kept = keep_stars(chosen, keeper, user, found, make, progress=advance)
    same = kept.n_new + kept.n_changed == 0 and adapter is None
    up_to_date = same and is_learned(keeper, user, chosen.generic.hash)
    keeper.close()
    if as_json:
        content = content_of(gathered, found, kept)
    else:
        skipped = {**found.skipped, **kept.skipped}
        report_skipped(skipped, found.n_photos, "photo and sidecars", "photos and sidecars")
        typer.echo(summary(found, kept))
        _explain(gathered, found, kept)
    if up_to_date:
        _say_same(user, content if as_json else None)
        return
    person = chosen.refit(user, store=store, adapter=adapter, files=kept.files)
    if as_json:
        print_json({**content, "user": user, "version": person.version, "store": keeper.name})
    else:
        report_fit(person, keeper.name, as_json=False)


def summary(found: Found, kept: Kept) -> str:
    """What was found and what it proves, on one line."""
    parts = [f"{stars}* {n:,}" for stars, n in found.counts.items() if n]
    parts += [f"{found.n_rejected:,} rejected"] if found.n_rejected else []
    parts += [f"{found.n_picked:,} picked"] if found.n_picked else []
    parts += [f"{found.n_ours:,} that piaa wrote itself left out"] if found.n_ours else []
    listed = f" ({', '.join(parts)})" if parts else ""
    line = f"Found {len(found.stars):,} rated photo{'s' * (len(found.stars) != 1)}{listed}"
    if kept.proof is None:
        return line
    proof = kept.proof
    return (
        f"{line}; learned from {proof.n_learned:,}, {proof.n_held:,} held out: of 100 pairs of them it puts "
        f"{100 * proof.personal:.0f} in your order, the crowd's ranking {100 * proof.crowd:.0f}."
    )


def content_of(gathered: Gathered, found: Found, kept: Kept) -> dict[str, Any]:
    """The same for machines."""
    return {
        "n_photos": found.n_photos,
        "stars": {str(stars): n for stars, n in found.counts.items()},
        "n_rejected": found.n_rejected,
        "n_picked": found.n_picked,
        "n_ours": found.n_ours,
        "n_disagree": found.n_disagree,
        "places": dict(gathered.places),
        "n_new": kept.n_new,
        "n_changed": kept.n_changed,
        "n_same": kept.n_same,
        "n_gone": kept.n_gone,
        "held_out": kept.proof.__dict__ if kept.proof else None,
        "skipped": {**found.skipped, **kept.skipped},
    }


def _explain(gathered: Gathered, found: Found, kept: Kept) -> None:
    from piaa.stars.marks import PLACES
    from piaa.stars.proof import ENOUGH

    if kept.proof is None:
        note(f"fewer than {ENOUGH} rated photos, or all alike: nothing was held out to check it with")
    if found.n_disagree:
        said = [place for place in PLACES if gathered.places[place]]
        differ = counted(found.n_disagree, "photo")
        note(f"{differ} with different stars; what counts first: {', '.join(said)}")
    if kept.n_gone:
        note(
            f"{counted(kept.n_gone, 'photo')} without the stars of before, which still count; take them back "
            "with: piaa users forget-rating"
        )
    if kept.n_same:
        note(f"{kept.n_new:,} new, {kept.n_changed:,} changed, {kept.n_same:,} as the last time")


def _say_same(user: str, content: dict[str, Any] | None) -> None:
    if content is not None:
        print_json({**content, "user": user, "version": None})
    else:
        typer.echo(f"{user}: nothing new since the last time; what was learned counts")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa learn photos/ --user ana --lightroom Lightroom.lrcat")(learn)
