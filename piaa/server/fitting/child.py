"""The process that fits: one job a line comes in, how it ended goes out."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
from typing import BinaryIO

import piaa
from generic.threads import one_blas_thread
from piaa.server.fitting.process import FitOptions
from piaa.server.fitting.work import Work
from piaa.server.limits import give_way, limit_computing, limit_memory
from piaa.store.jobs import Claimed
from piaa.store.place import open_database
from piaa.store.store import Store


def main() -> None:
    """Do the jobs that standard input names, until its end: then end at once, for the server is gone."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    give_way()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends its processes itself
    lines: queue.Queue[bytes] = queue.Queue()
    # What an adapter of somebody else prints is for the log.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    options = FitOptions(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_read, args=(sys.stdin.buffer, lines), daemon=True).start()
    names = [options.model] if options.before is None else [options.model, options.before]
    models = [piaa.load_model(name, cache=False) for name in names]
    work = Work(Store(database=open_database(options.store, connections=1)), models)
    limit_memory(options.memory)
    with one_blas_thread():
        while True:
            job = Claimed(**json.loads(lines.get()))
            limit_computing(options.seconds)
            answers.write(json.dumps(work.do(job)).encode() + b"\n")
            answers.flush()


def _read(stream: BinaryIO, lines: queue.Queue[bytes]) -> None:
    for line in stream:
        lines.put(line)
    os._exit(0)  # in the middle of a fit as well


if __name__ == "__main__":
    main()
