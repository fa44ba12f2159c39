"""Linear forms of users who are asked about together, held as matrices: what a new photo costs for many."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

from generic.errors import StoreError, StoreUnavailable
from piaa.adapters.base import Adapter
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.linear_forms import LinearForms
from piaa.people.model import Model
from piaa.store.recent import Recent
from piaa.store.serving import Active, ServingStore

_LOG = logging.getLogger(__name__)
_KEY = 200
"""Bytes of a remembered user's key."""
_GROUP = 256
"""Most users of a matrix, about: whoever is fitted anew has no more of the others read again."""


class Changed(StoreError):
    """A user changed while being scored."""


class Matrices:
    """The matrices asked for most recently.

    Args:
        serving: where the linear forms lie.
        model: the generic model.
        restored: an adapter as the store has it, for versions without a linear form.
        n_bytes: memory for them.
    """

    def __init__(
        self,
        serving: ServingStore,
        model: Model,
        restored: Callable[[Active], Adapter],
        n_bytes: int,
    ) -> None:
        self._serving, self._model, self._restored = serving, model, restored
        self._known = Recent(n_bytes)

    def groups(
        self, users: Sequence[Active], d: int, *, exact: bool
    ) -> Iterator[tuple[list[str], LinearForms | None, dict[str, str]]]:
        """The users in groups: who, their matrix if there is anybody, and of damaged versions the reason.

        Args:
            users: whose adapters have a linear form.
            d: length of the embedding.
            exact: with smooth functions, see :class:`piaa.adapters.linear_forms.LinearForms`.
        """
        for some in _groups(users):
            key = (exact, *(user.key for user in some))
            found: LinearForms | None = self._known.get(key)
            if found is not None:
                yield [user.user for user in some], found, {}
                continue
            forms, broken = self._read(some, d)
            if forms:
                found = LinearForms.of(list(forms.values()), exact=exact)
                if not broken:
                    self._known.put(key, found, found.n_bytes + _KEY * len(forms))
            yield list(forms), found, broken

    def _read(self, users: Sequence[Active], d: int) -> tuple[dict[str, LinearForm], dict[str, str]]:
        stored = self._serving.linear_forms([user.user for user in users], self._model.generic.hash)
        forms, broken = {}, {}
        for user in users:
            try:
                forms[user.user] = self._form(user, *stored.get(user.user, ("", None)), d)
            except (Changed, StoreUnavailable):
                raise
            except Exception as error:
                _LOG.warning("version %d of a user cannot be used: %r", user.version, error)
                broken[user.user] = damaged(user)
        return forms, broken

    def _form(self, user: Active, digest: str, content: bytes | None, d: int) -> LinearForm:
        form = LinearForm.unpack(content, self._model.prior, d) if content and digest == user.digest else None
        form = form or self._restored(user).linear_form()
        if form.coefficients.shape != (2 + d,):
            raise ValueError(f"{len(form.coefficients) - 1} numbers of a vector, the model's have {1 + d}")
        return form


def damaged(user: Active) -> str:
    """What a client is told of a user whose version cannot be used."""
    return f"version {user.version} of user {user.user!r} is damaged; fit the user again, or roll back"


def _groups(users: Sequence[Active]) -> list[list[Active]]:
    """By name, whatever the order asked in, so that who comes or goes moves nobody to another group."""
    n = 1 << ((len(users) - 1) // _GROUP).bit_length()
    groups: list[list[Active]] = [[] for _ in range(n)]
    for user in users:
        groups[zlib.crc32(user.user.encode()) % n].append(user)
    return [sorted(group, key=attrgetter("user")) for group in groups if group]
