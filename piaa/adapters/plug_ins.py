"""Adapters that other packages bring, by entry points of group ``piaa.adapters``.

In the other package's ``pyproject.toml``::

    [project.entry-points."piaa.adapters"]
    nearest = "their_package.nearest:NearestAdapter"

The entry point's name is the adapter's. Nothing of a package is imported before somebody asks for its
adapter, and one that is broken costs a clear line and itself alone.
"""

from __future__ import annotations

import logging
from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING

from generic.errors import PiaaError
from piaa.adapters.base import Adapter, Ingredients

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "piaa.adapters"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlugIn:
    """One adapter of another package."""

    entry: EntryPoint

    def load(self) -> type[Adapter]:
        """Import the package.

        Raises:
            PiaaError: that fails, or what it has under the name is no adapter.
        """
        try:
            kind: object = self.entry.load()
        except Exception as error:  # whatever somebody else's module raises
            raise self._broken(f"cannot be imported ({_line(error)})") from error
        if not (isinstance(kind, type) and issubclass(kind, Adapter)):
            raise self._broken(f"is {kind!r}, expected a class derived from piaa.adapters.base.Adapter")
        name = vars(kind).get("name")
        if name != self.entry.name:
            raise self._broken(f"is a class whose name is {name!r}, expected {self.entry.name!r}")
        return kind

    def make(self, given: Ingredients) -> Adapter:
        """A new adapter.

        Raises:
            PiaaError: there is no such adapter in working order, or it lacks what it needs.
        """
        kind = self.load()
        try:
            return kind.make(given)
        except PiaaError:
            raise
        except Exception as error:  # such as a class without one of the four methods
            raise self._broken(f"cannot be made ({_line(error)})") from error

    def __str__(self) -> str:
        package = self.entry.dist
        where = "another package" if package is None else f"package {package.name} {package.version}"
        return f"adapter {self.entry.name!r} of {where}"

    def _broken(self, what: str) -> PiaaError:
        return PiaaError(f"{self} {what}; repair or uninstall the package, or choose another adapter")


def find(taken: Container[str]) -> dict[str, PlugIn]:
    """The adapters of other packages, by name.

    Warns of those that are left out, since the name is taken.

    Args:
        taken: names of piaa's own.
    """
    from importlib.metadata import entry_points  # takes 50 ms, which users of our own need not wait

    try:
        entries = sorted(entry_points(group=GROUP))
    except Exception as error:  # the metadata of some package is damaged
        _LOG.warning("adapters of other packages are left out, as their metadata is bad: %s", _line(error))
        return {}
    found: dict[str, PlugIn] = {}
    for plug_in in map(PlugIn, entries):
        name = plug_in.entry.name
        if name in taken or name in found:
            other = found.get(name, "piaa's own")
            _LOG.warning("%s is left out, as %s has the name; rename or uninstall one", plug_in, other)
        else:
            found[name] = plug_in
    return found


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
