"""The process that calibrates: options come in, a model file and a result are written, and it ends."""

from __future__ import annotations

import json
import logging.config
import os
import sys
import threading
from pathlib import Path
from typing import Any

import piaa
from generic.cache.features import FeatureCache
from generic.errors import PiaaError
from generic.progress import no_progress
from piaa.calibrate.learn import calibrate
from piaa.calibrate.stored import stored_group
from piaa.calibrate.words import result_words
from piaa.server import logs
from piaa.server.calibrating.process import CalibrationOptions, keep_result
from piaa.server.problems import told
from piaa.store.place import called, open_database
from piaa.store.store import Store

DATASET = "table"
"""Whose the people are for leak checks, as of a table that names nothing else."""
_NICE = 5


def main() -> None:
    """Calibrate as standard input says, until its end: then end at once, for the server is gone."""
    options = CalibrationOptions(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_watch, daemon=True).start()
    os.nice(_NICE)
    logging.config.dictConfig(logs.config())  # what a caller is not told goes into the server's log
    folder = Path(options.folder)
    try:
        found = {"state": "done", **made(options)}
    except PiaaError as error:
        found = {"state": "failed", "error": told(error, called(options.store))}
    keep_result(folder, found)
    os._exit(0)  # whatever the thread waits for


def made(options: CalibrationOptions) -> dict[str, Any]:
    """A model file from what people of the store rated, named by its hash, and what there is to tell.

    Raises:
        PiaaError: it cannot be made.
    """
    model = piaa.load_model(options.model, cache=False).generic
    store = Store(database=open_database(options.store, connections=1))
    with FeatureCache.open(None if options.cache is None else Path(options.cache)) as cache:
        group = stored_group(model, store, cache)
    new = Path(options.folder) / f".new{model.path.suffix}"
    found = calibrate(
        model, new, group.vectors, group.digests, group.table, group.people, DATASET, progress=no_progress
    )
    out = new
    if found.header is not None:
        out = new.with_name(f"{found.header.name}-{found.header.hash[:8]}{new.suffix}")
        new.replace(out)
    return {"words": result_words(found), **found.facts(out), "photos_left_out": len(group.skipped)}


def _watch() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # in the middle as well: the model file is whole or not there


if __name__ == "__main__":
    main()
