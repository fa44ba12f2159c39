"""Each person's results behind the tables of the model card, and the tables made of them again.

    uv run python benchmarks/oasis_users.py            needs neither photos, nor models, nor training

``benchmarks/oasis_protocol.py`` writes four Parquet files into ``results/oasis_protocol/``: for the lists
left out and for list against list each person's every repeat, and the draws of people and photos behind the
intervals. This script works every cell out from them, in pandas and by no code of ``protocols``, and ends
non-zero if one is not what ``results/oasis_protocol.json`` says. People stand there by number, not by name.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from record import RESULTS

from protocols.fewshot.results import Results

FOLDER = "oasis_protocol"
PARTS = ("left_out", "sides")
TOLERANCE = 1e-6
"""Of a cell: the files hold single precision, the tables three decimals."""
_KEY = ["train", "test", "adapter", "k"]


def write_users(results: Results, part: str, folder: Path) -> list[Path]:
    """Write ``PART.parquet`` and ``PART-draws.parquet``, small enough for the repository.

    Args:
        results: of one part of the tests.
        part: one of ``PARTS``.
        folder: made if it is not there.
    """
    table = results.to_frame()[[*_KEY, "user", "repeat", "srcc", "coverage"]]
    table["user"] = table.groupby("test")["user"].transform(lambda names: pd.factorize(names, sort=True)[0])
    draws = pd.DataFrame(
        [
            {**dict(zip(_KEY, key, strict=True)), "draw": place, "srcc": value}
            for key, values in results.draws.items()
            for place, value in enumerate(values.tolist())
        ],
        columns=[*_KEY, "draw", "srcc"],
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{part}.parquet", folder / f"{part}-draws.parquet"]
    for file, frame in zip(files, (table, draws), strict=True):
        _small(frame).to_parquet(file, engine="pyarrow", index=False, compression="zstd")
    return files


def _small(frame: pd.DataFrame) -> pd.DataFrame:
    kinds = {"train": "category", "test": "category", "adapter": "category", "k": "int16", "repeat": "int16"}
    kinds |= {"user": "int16", "draw": "int16", "srcc": "float32", "coverage": "float32"}
    return _typed(frame, kinds)


def _typed(frame: pd.DataFrame, kinds: Mapping[str, Any]) -> pd.DataFrame:
    return frame.astype({name: kind for name, kind in kinds.items() if name in frame})


def read(part: str, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each person's results and the draws of a part, in double precision and with plain words."""
    frames = [pd.read_parquet(folder / f"{part}{end}.parquet") for end in ("", "-draws")]
    kinds = {"train": str, "test": str, "adapter": str, "srcc": "float64", "coverage": "float64"}
    results, draws = (_typed(frame, kinds) for frame in frames)
    return results, draws


def cell(results: pd.DataFrame, draws: pd.DataFrame) -> dict[str, Any]:
    """One cell from its people: mean and deviation over repeats, interval, people, coverage."""
    by_repeat = results.groupby("repeat")[["srcc", "coverage"]].mean()
    people = results.groupby("user")["srcc"].mean()
    srcc, spread = by_repeat["srcc"].mean(), draws["srcc"].std()
    return {
        "srcc": srcc,
        "std_over_repeats": by_repeat["srcc"].std(),
        "std_between_users": people.std(),
        "two_way": [srcc - 1.96 * spread, srcc + 1.96 * spread],
        "users": int(people.notna().sum()),
        "dropped_users": int(people.isna().sum()),
        "dropped_cells": int(results["srcc"].isna().sum()),
        "coverage": by_repeat["coverage"].mean(),
    }


def recomputed(folder: Path) -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Part, (train, test, adapter, k) and figures of every cell."""
    for part in PARTS:
        results, draws = read(part, folder)
        drawn = dict(iter(draws.groupby(_KEY, sort=False)))
        for key, people in results.groupby(_KEY, sort=False):
            yield part, key, cell(people, drawn[key])


def stated(figures: dict[str, Any], part: str, key: tuple[Any, ...]) -> dict[str, Any]:
    """What the file of figures says of a cell."""
    train, test, adapter, k = key
    if part == "left_out":
        found: dict[str, Any] = figures["left_out"][test][adapter][str(k)]
        return found
    (matrix,) = (one for one in figures["matrix"] if (one["adapter"], one["k"]) == (adapter, k))
    (found,) = (one for one in matrix["cells"] if (one["train"], one["test"]) == (train, test))
    return found


def apart(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """How far the figures of a cell lie apart; a value that only one has is infinitely far."""
    return {
        name: max(
            _apart(*pair) for pair in zip(np.atleast_1d(value), np.atleast_1d(theirs[name]), strict=True)
        )
        for name, value in ours.items()
    }


def _apart(one: float | None, other: float | None) -> float:
    lacks = [value is None or bool(np.isnan(value)) for value in (one, other)]
    if any(lacks):
        return 0.0 if all(lacks) else float("inf")
    return abs(float(one or 0) - float(other or 0))


def check(figures: dict[str, Any], folder: Path) -> tuple[int, list[str]]:
    """How many cells there are, and a line for each that is not what the file of figures says."""
    n, wrong = 0, []
    for part, key, ours in recomputed(folder):
        n += 1
        for name, gap in apart(ours, stated(figures, part, key)).items():
            if not gap <= TOLERANCE:
                wrong.append(f"{part} {key}: {name} differs by {gap:.2g}")
    return n, wrong


def main() -> None:
    """Work out, compare, tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the figures")
    results = parser.parse_args().results
    folder = results / FOLDER
    if not folder.is_dir():
        sys.exit(f"{folder} is not there; benchmarks/oasis_protocol.py writes it")
    figures = json.loads((results / f"{FOLDER}.json").read_text())
    n, wrong = check(figures, folder)
    print(f"{n} cells worked out from single people, {len(wrong)} figures differ by more than {TOLERANCE:g}")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
