"""Fits in the background: every server takes jobs from the store, so a killed one's jobs go to others."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Protocol

from generic.errors import PiaaError
from piaa.server import telemetry
from piaa.server.fitting.work import Ended
from piaa.server.repeated import Repeated
from piaa.store.jobs import LEASE_S, Claimed, JobStore

_POLL_S = 0.25


class Worker(Protocol):
    """What does a fit."""

    def do(self, job: Claimed) -> Ended:
        """Do it, and keep its version if it comes to one.

        Raises:
            PiaaError: it cannot be begun at this moment.
        """


class Fitter:
    """One thread that takes fits, and sees each to its end.

    Args:
        jobs: the fits of a store.
        worker: does them.
    """

    def __init__(self, jobs: JobStore, worker: Worker) -> None:
        self._jobs, self._worker = jobs, worker
        self._thread = Repeated("piaa-fit", self._turn, "fits pause")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is a new job."""
        self._thread.wake()

    def stop(self) -> None:
        """End after the fit at hand; jobs that wait stay in the store."""
        self._thread.stop()

    def _turn(self) -> float:
        job = self._jobs.claim()
        if job is None:
            return _POLL_S
        self._do(job)
        return 0.0

    def _do(self, job: Claimed) -> None:
        telemetry.LOST.inc(job.taken_over)
        done = threading.Event()
        beat = threading.Thread(target=self._beat, args=(job, done), name="piaa-beat", daemon=True)
        beat.start()
        try:
            ended = self._worker.do(job)
        except PiaaError:  # no attempt; if the database is away, too, the lease ends, and it is taken again
            self._jobs.release(job, None)
            raise
        except Exception as error:  # ours to mend; until then it is this fit's, and not that of all
            self._jobs.release(job, f"the fit failed by an error of piaa ({type(error).__name__})")
            raise
        finally:
            done.set()
            beat.join()
        telemetry.FITS.labels(ended.outcome).inc()
        if ended.outcome == "failed":
            self._jobs.fail(job, ended.reason)
        elif ended.outcome in ("died", "stopped", "interrupted"):
            self._jobs.release(job, ended.reason or None)

    def _beat(self, job: Claimed, done: threading.Event) -> None:
        """Say that the fit goes on, so that no other server takes it over."""
        while not done.wait(LEASE_S / 3):
            with suppress(PiaaError):  # the database is away for a moment; the lease has two more beats
                self._jobs.beat(job)
