"""Fits in the background: every server takes jobs from the store, so a killed one's jobs go to others."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from generic.errors import PiaaError
from piaa.adapters.base import Adapter
from piaa.adapters.registry import adapter_class, make_adapter, names_where
from piaa.people.learn import adapter_name, learn, linear_form_of, record_of
from piaa.people.model import Model
from piaa.server import telemetry
from piaa.server.problems import Problem, told
from piaa.store.jobs import LEASE_S, Job, JobStore
from piaa.store.records import AdapterRecord
from piaa.store.said import Said
from piaa.store.store import Store

_POLL_S = 0.25
_LOG = logging.getLogger(__name__)


class Fitter:
    """One thread that does fits.

    Args:
        store: where ratings come from and adapters go.
        model: the generic model.
    """

    def __init__(self, store: Store, model: Model) -> None:
        self._store, self._jobs, self._model = store, JobStore(store.database), model
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="piaa-fit", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is a new job."""
        self._wake.set()

    def stop(self) -> None:
        """End after the fit at hand; jobs that wait stay in the store."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout=20)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                job = self._jobs.claim()
                if job is not None:
                    self._do(job)
                    continue
            except PiaaError as error:  # the database is away: the job's lease ends, and it is taken again
                _LOG.warning("fits pause: %s", error)
            self._wake.wait(_POLL_S)

    def _do(self, job: Job) -> None:
        done = threading.Event()
        beat = threading.Thread(target=self._beat, args=(job, done), name="piaa-beat", daemon=True)
        beat.start()
        try:
            record, said, form = self.fit(job)
        except PiaaError as error:
            self._jobs.fail(job, told(error, self._store.name))
            telemetry.FITS.labels("failed").inc()
        except Exception:
            _LOG.exception("fit %s failed", job.id)
            self._jobs.fail(job, "the fit failed for a reason that the server's log tells")
            telemetry.FITS.labels("failed").inc()
        else:
            kept = self._jobs.finish(job, record, said, form) is not None
            telemetry.FITS.labels("done" if kept else "overtaken").inc()
        finally:
            done.set()
            beat.join()

    def _beat(self, job: Job, done: threading.Event) -> None:
        """Say that the fit goes on, so that no other server takes it over."""
        while not done.wait(LEASE_S / 3):
            with suppress(PiaaError):  # the database is away for a moment; the lease has two more beats
                self._jobs.beat(job)

    def fit(self, job: Job) -> tuple[AdapterRecord, Said, bytes | None]:
        """The adapter from all that the user said, what that was, and its linear form, if it has one."""
        said = self._store.said(job.user, self._model.generic.hash)
        name = adapter_name(said, job.adapter if said.ratings else None, job.adapter)
        learned = learn(self._model, job.user, said, self._model.maker(name))
        return record_of(self._model, learned, said.scale), said, linear_form_of(learned.adapter)

    def check_adapter(self, name: str) -> None:
        """Make sure that this server can fit an adapter of this name.

        Raises:
            PiaaError: there is none of this name, or the model has not what it needs.
            Problem: 501, it learns from more than the vectors that a server keeps.
        """
        kind = adapter_class(name)
        make_adapter(name, self._model.prior, generic=self._model.generic)
        if _from_vectors(kind):
            return
        what = "the photos themselves" if kind.needs_pixels else "a start of piaa meta-train"
        raise Problem(
            501,
            f"adapter {name!r} is fitted from {what}, which this server does not keep; choose one of "
            f"{', '.join(names_where(_from_vectors))}, or fit the user with: piaa fit-user --adapter {name}",
        )


def _from_vectors(kind: type[Adapter]) -> bool:
    """Whether an adapter is fitted from the vectors that a server keeps, and nothing else."""
    return not (kind.needs_pixels or kind.needs_start)
