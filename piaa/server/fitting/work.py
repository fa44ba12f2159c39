"""One fit, from what a user said to a version in the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from generic.errors import PiaaError, StoreUnavailable
from piaa.adapters.base import Adapter
from piaa.adapters.registry import adapter_class, make_adapter, names_where
from piaa.people.learn import adapter_name, learn, linear_form_of, record_of
from piaa.people.model import Model
from piaa.server.problems import Problem, told
from piaa.server.served import said_under
from piaa.store.jobs import Claimed, JobStore
from piaa.store.records import AdapterRecord
from piaa.store.said import Said
from piaa.store.store import Store

_LOG = logging.getLogger(__name__)


class Ended(NamedTuple):
    """How a fit ended."""

    outcome: str
    """``done``; ``overtaken``, if the store holds another truth by now; ``failed``; ``died`` with its
    process; ``stopped`` with its server; ``interrupted``, if the store is away for a moment."""
    reason: str = ""
    """Why, for the user, of one that failed or died."""


class Work:
    """Does fits.

    Args:
        store: where ratings come from and adapters go.
        models: the generic model; and that of before, if people move from it.
    """

    def __init__(self, store: Store, models: Sequence[Model]) -> None:
        self._store, self._jobs, self._models = store, JobStore(store.database), models

    def do(self, job: Claimed) -> Ended:
        """Do a fit, and keep its version."""
        try:
            return self._ended(job)
        except StoreUnavailable:  # no fault of the fit, and no end of it
            return Ended("interrupted")

    def _ended(self, job: Claimed) -> Ended:
        try:
            record, said, form = self.fit(job)
        except StoreUnavailable:
            raise
        except PiaaError as error:
            return Ended("failed", told(error, self._store.name))
        except Exception:
            _LOG.exception("fit %s failed", job.id)
            return Ended("failed", "the fit failed for a reason that the server's log tells")
        kept = self._jobs.finish(job, record, said, form) is not None
        return Ended("done" if kept else "overtaken")

    def fit(self, job: Claimed) -> tuple[AdapterRecord, Said, bytes | None]:
        """The adapter from all that the user said, what that was, and its linear form, if it has one."""
        model, said = said_under(self._store, self._models, job.user)
        name = adapter_name(said, job.adapter if said.ratings else None, job.adapter)
        learned = learn(model, job.user, said, model.maker(name))
        return record_of(model, learned, said.scale), said, linear_form_of(learned.adapter)


def check_adapter(model: Model, name: str) -> None:
    """Make sure that a server can fit an adapter of this name.

    Raises:
        PiaaError: there is none of this name, or the model has not what it needs.
        Problem: 501, it learns from more than the vectors that a server keeps.
    """
    kind = adapter_class(name)
    make_adapter(name, model.prior, generic=model.generic)
    if _from_vectors(kind):
        return
    what = "the photos themselves" if kind.needs_pixels else "a start of piaa meta-train"
    raise Problem(
        501,
        f"adapter {name!r} is fitted from {what}, which this server does not keep; choose one of "
        f"{', '.join(fitted_here())}, or fit the user with: piaa fit-user --adapter {name}",
    )


def fitted_here() -> list[str]:
    """Names of the adapters that a server can fit."""
    return names_where(_from_vectors)


def _from_vectors(kind: type[Adapter]) -> bool:
    """Whether an adapter is fitted from the vectors that a server keeps, and nothing else."""
    return not (kind.needs_pixels or kind.needs_start)
