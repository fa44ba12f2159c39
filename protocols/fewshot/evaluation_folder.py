"""A run's folder: what was asked, every finished unit, the results. A killed run goes on from it."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from generic.atomic import write_bytes
from generic.errors import DatasetError
from generic.photos.find import printable
from generic.run_folder import CONFIG, RunFolder, as_read_back, differences
from protocols.fewshot.results import REAL, Results
from protocols.fewshot.units import Found

RESULTS = "results.json"
UNITS = "units"

log = logging.getLogger(__name__)


def run_id(config: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that another configuration does not have."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]


class EvaluationFolder(RunFolder):
    """Where one evaluation keeps its work.

    Args:
        path: the folder; made if it is not there.
        config: everything that the numbers depend on.

    Raises:
        DatasetError: the folder holds a run with another configuration; the message names what differs.
        OutputError: the folder cannot be written.
    """

    error = DatasetError
    damaged = "not of `piaa evaluate`, or was damaged"

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        super().__init__(path)
        self.make(UNITS)
        known, asked = self.known(), as_read_back(config)
        if known is None:
            self.write_json(CONFIG, asked)
        elif different := differences(known, asked):
            n_more = len(different) - 1
            more = f" ({n_more} more setting{'s' * (n_more > 1)} too)" if n_more else ""
            raise self.another_run(f"{different[0]}{more}")

    def units(self, prefix: str = "") -> dict[str, Found]:
        """Finished units by key, of those whose file name begins with ``prefix``; without damaged ones."""
        found = {}
        for file in sorted((self.path / UNITS).glob(f"{prefix}*.json")):
            unit = _read_unit(file)
            if unit is None:
                log.warning("%s is damaged and is computed again", printable(str(file)))
            else:
                found[unquote(file.stem).removeprefix(prefix)] = unit
        return found

    def keep(self, prefix: str, key: str, found: Found) -> None:
        """Write one finished unit, whole or not at all."""
        rows = [
            {name: None if name in REAL and value != value else value for name, value in row.items()}
            for row in found.rows
        ]
        content = {"results": rows, "draws": [None if value != value else value for value in found.draws]}
        # An adapter's name may hold a slash.
        write_bytes(
            self.path / UNITS / f"{prefix}{quote(key, safe='+ ')}.json",
            json.dumps({"sha256": _checksum(content), **content}).encode(),
        )

    def finish(self, results: Results) -> None:
        """Write the results of all units into one file."""
        results.save(self.path / RESULTS)


def _read_unit(file: Path) -> Found | None:
    """What ``keep`` wrote; None if it is not to the letter that."""
    try:
        content = json.loads(file.read_bytes())
        rows, draws = content["results"], content["draws"]
        if content["sha256"] != _checksum({"results": rows, "draws": draws}):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Found(
        rows=[{**row, **{name: math.nan for name in REAL if row[name] is None}} for row in rows],
        draws=[math.nan if value is None else value for value in draws],
    )


def _checksum(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
