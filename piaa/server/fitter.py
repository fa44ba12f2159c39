"""Fits in the background: every server takes jobs from the store, so a killed one's jobs go to others."""

from __future__ import annotations

import logging
import threading

import numpy as np
from safetensors.numpy import save as pack

from generic.errors import ModelMismatch, PiaaError
from generic.model.generic_model import GenericModel
from piaa.adapters.base import Adapter
from piaa.adapters.prior import Prior
from piaa.adapters.registry import adapter_class, make_adapter, names_where
from piaa.ratings.scale import Scale
from piaa.server import telemetry
from piaa.server.problems import Problem
from piaa.store.records import AdapterRecord, StoredRating
from piaa.store.serving import Given, Job, ServiceStore

_POLL_S = 0.25
_LOG = logging.getLogger(__name__)


class Fitter:
    """One thread that does fits.

    Args:
        store: where ratings come from and adapters go.
        model: the generic model.
        prior: of the model.
    """

    def __init__(self, store: ServiceStore, model: GenericModel, prior: Prior | None) -> None:
        self._store, self._model, self.prior = store, model, prior
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
                job = self._store.claim()
                if job is not None:
                    self._do(job)
                    continue
            except PiaaError as error:  # the database is away: the job's lease ends, and it is taken again
                _LOG.warning("fits pause: %s", error)
            self._wake.wait(_POLL_S)

    def _do(self, job: Job) -> None:
        try:
            record, form = self.fit(job)
        except PiaaError as error:
            self._store.fail(job, str(error))
            telemetry.FITS.labels("failed").inc()
        except Exception:
            _LOG.exception("fit %s failed", job.id)
            self._store.fail(job, "the fit failed for a reason that the server's log tells")
            telemetry.FITS.labels("failed").inc()
        else:
            done = self._store.finish(job, record, form) is not None
            telemetry.FITS.labels("done" if done else "overtaken").inc()

    def fit(self, job: Job) -> tuple[AdapterRecord, bytes | None]:
        """The adapter from all ratings that the user gave, and its linear form, if it has one."""
        given, ends = self._store.given(job.user)
        self.check_given(job.user, given)
        scale = Scale(*ends)
        features = np.stack([np.frombuffer(one.vector, "<f4") for one in given])
        adapter = make_adapter(job.adapter, self.prior)
        adapter.fit(features, scale.to_unit([one.score for one in given]))
        state = {key: np.ascontiguousarray(value) for key, value in adapter.state().items()}
        form = adapter.linear_form().pack() if adapter.has_linear_form else None
        record = AdapterRecord(
            adapter=job.adapter,
            model_name=self._model.name,
            model_hash=self._model.hash,
            scale_low=scale.low,
            scale_high=scale.high,
            state=pack(state),
            ratings=tuple(StoredRating(image=one.image, sha256=one.sha256, score=one.score) for one in given),
        )
        return record, form

    def check_adapter(self, name: str) -> None:
        """Make sure that this server can fit an adapter of this name.

        Raises:
            PiaaError: there is none of this name, or the model has not what it needs.
            Problem: 501, it learns from more than the vectors that a server keeps.
        """
        kind = adapter_class(name)
        make_adapter(name, self.prior, generic=self._model)
        if _from_vectors(kind):
            return
        what = "the photos themselves" if kind.needs_pixels else "a start of piaa meta-train"
        raise Problem(
            501,
            f"adapter {name!r} is fitted from {what}, which this server does not keep; choose one of "
            f"{', '.join(names_where(_from_vectors))}, or fit the user with: piaa fit-user --adapter {name}",
        )

    def check_given(self, user: str, given: list[Given]) -> None:
        """Make sure that these ratings belong to the model.

        Raises:
            ModelMismatch: some were given under another one.
        """
        old = sum(one.model_hash != self._model.hash for one in given)
        if old:
            raise ModelMismatch(
                f"{old} of {len(given)} ratings of user {user!r} were given under another model; "
                "post the ratings of these photos again, with the photos"
            )


def _from_vectors(kind: type[Adapter]) -> bool:
    """Whether an adapter is fitted from the vectors that a server keeps, and nothing else."""
    return not (kind.needs_pixels or kind.needs_start)
