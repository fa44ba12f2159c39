"""A run's folder: what was asked, every finished unit, the results. A killed run goes on from it."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from generic.atomic import write_bytes
from generic.errors import DatasetError, OutputError
from generic.photos.find import printable
from protocols.fewshot.results import REAL, Results

CONFIG = "config.json"
RESULTS = "results.json"
UNITS = "units"

_SHOWN = 60

log = logging.getLogger(__name__)


def run_id(config: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that another configuration does not have."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]


class RunFolder:
    """Where one evaluation keeps its work.

    Args:
        path: the folder; made if it is not there.
        config: everything that the numbers depend on.

    Raises:
        DatasetError: the folder holds a run with another configuration; the message names what differs.
        OutputError: the folder cannot be written.
    """

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        self.path = path
        asked = json.loads(json.dumps(config))  # as it will be read back
        try:
            (path / UNITS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the run folder {printable(str(path))} cannot be made: {error.strerror}; "
                f"name a folder that you may write to with --out"
            ) from error
        if (path / CONFIG).exists():
            self._compare(asked)
        else:
            write_bytes(path / CONFIG, (json.dumps(asked, indent=1) + "\n").encode())

    def _compare(self, asked: dict[str, Any]) -> None:
        try:
            known = json.loads((self.path / CONFIG).read_bytes())
        except (OSError, ValueError):
            known = None
        shown = printable(str(self.path))
        if not isinstance(known, dict):
            raise DatasetError(
                f"the run folder {shown} has a {CONFIG} that is not of `piaa evaluate`, or was damaged; "
                f"name another folder with --out"
            )
        before, now = dict(_leaves(known)), dict(_leaves(asked))
        different = [key for key in {**now, **before} if before.get(key) != now.get(key)]
        if different:
            key = different[0]
            n_more = len(different) - 1
            more = f" ({n_more} more setting{'s' * (n_more > 1)} too)" if n_more else ""
            raise DatasetError(
                f"the run folder {shown} holds another run: its {key} is {_cut(before.get(key))}, "
                f"asked for is {_cut(now.get(key))}{more}; name another folder with --out"
            )

    def units(self, prefix: str = "") -> dict[str, list[dict[str, Any]]]:
        """Finished units by key, of those whose file name begins with ``prefix``; without damaged ones."""
        found = {}
        for file in sorted((self.path / UNITS).glob(f"{prefix}*.json")):
            rows = _read_unit(file)
            if rows is None:
                log.warning("%s is damaged and is computed again", printable(str(file)))
            else:
                found[unquote(file.stem).removeprefix(prefix)] = rows
        return found

    def keep(self, prefix: str, key: str, cells: list[dict[str, Any]]) -> None:
        """Write one finished unit, whole or not at all."""
        rows = [
            {name: None if name in REAL and value != value else value for name, value in cell.items()}
            for cell in cells
        ]
        # An adapter's name may hold a slash.
        write_bytes(
            self.path / UNITS / f"{prefix}{quote(key, safe='+ ')}.json",
            json.dumps({"sha256": _checksum(rows), "cells": rows}).encode(),
        )

    def finish(self, results: Results) -> None:
        """Write the results of all units into one file."""
        results.save(self.path / RESULTS)


def _read_unit(file: Path) -> list[dict[str, Any]] | None:
    """The cells of a file that ``keep`` wrote; None if it is not to the letter what was written."""
    try:
        content = json.loads(file.read_bytes())
        rows = content["cells"]
        if content["sha256"] != _checksum(rows):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return [{**row, **{name: math.nan for name in REAL if row[name] is None}} for row in rows]


def _checksum(rows: object) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _leaves(value: object, at: str = "") -> Iterator[tuple[str, object]]:
    """Every setting with its path, such as ``versions.numpy``."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{at}.{key}" if at else str(key))
    else:
        yield at, value


def _cut(value: object) -> str:
    text = "not there" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
