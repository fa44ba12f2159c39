"""What all folders of runs have in common: the request lies in ``config.json``, and another run is refused.

A run that was stopped or killed goes on in its folder with the same request. What else it keeps there is
known to those who run it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from generic.atomic import write_bytes
from generic.errors import OutputError, PiaaError
from generic.photos.find import printable

CONFIG = "config.json"

_SHOWN = 60


class RunFolder:
    """A folder that goes on with one run only."""

    error: ClassVar[type[PiaaError]]
    """What is raised where the folder is of something else."""
    damaged: ClassVar[str]
    """What its ``config.json`` is then; continues the sentence "has a config.json that is ..."."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._shown = printable(str(path))

    def make(self, below: str = "") -> None:
        """Make the folder and one below it; what is there is left as it is.

        Raises:
            OutputError: it cannot be made.
        """
        try:
            (self.path / below).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the run folder {self._shown} cannot be made: {error.strerror}; name a folder that you may "
                f"write to with --out"
            ) from error

    def known(self) -> dict[str, Any] | None:
        """What was asked in this folder before; None if nothing was.

        Raises:
            PiaaError: ``error``, as its ``config.json`` is damaged or of something else.
        """
        file = self.path / CONFIG
        if not file.exists():
            return None
        try:
            known = json.loads(file.read_bytes())
        except (OSError, ValueError):
            known = None
        if not isinstance(known, dict) or not self.is_ours(known):
            raise self.error(
                f"the run folder {self._shown} has a {CONFIG} that is {self.damaged}; name another folder "
                f"with --out"
            )
        return known

    def is_ours(self, known: Mapping[str, Any]) -> bool:  # noqa: ARG002 - of subclasses that can tell
        """Whether a request is of this kind of run."""
        return True

    def another_run(self, difference: str) -> PiaaError:
        """The error for a request that is not the one known."""
        return self.error(
            f"the run folder {self._shown} holds another run: {difference}; name another folder with --out"
        )

    def write_json(self, name: str, content: object) -> None:
        """Write a file that people read too, whole or not at all."""
        write_bytes(self.path / name, (json.dumps(content, indent=1) + "\n").encode())


def as_read_back(config: Mapping[str, Any]) -> dict[str, Any]:
    """A request as its file gives it back: tuples are lists there."""
    read: dict[str, Any] = json.loads(json.dumps(config))
    return read


def differences(known: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Every setting in which two requests differ, in words, and in the order in which they are asked for."""
    before, now = dict(_settings(known)), dict(_settings(asked))
    return [
        f"its {key} is {_cut(before.get(key))}, asked for is {_cut(now.get(key))}"
        for key in {**now, **before}
        if before.get(key) != now.get(key)
    ]


def _settings(value: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, object]]:
    """Every setting with its path, such as ``versions.numpy``."""
    for key, inner in value.items():
        path = f"{at}.{key}" if at else key
        if isinstance(inner, dict) and inner:
            yield from _settings(inner, path)
        else:
            yield path, inner


def _cut(value: object) -> str:
    text = "not there" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
