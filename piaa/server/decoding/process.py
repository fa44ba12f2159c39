"""One process that decodes, as the server sees it: it is asked, awaited, and ended if need be."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from generic.cache.contents import Content
from generic.errors import ImageError, PiaaError
from generic.photos.facts import PhotoFacts
from generic.photos.open import Fit

_LINE = 1 << 16
_OTHERWISE = "save it again as an ordinary JPEG or leave it out"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What decoding one photo may take, and what its pixels are to be like."""

    size: int
    """Side of the square in pixels."""
    fit: Fit
    max_pixels: int
    seconds: int
    """Of computing."""
    memory: int
    """In bytes."""


class Seen(NamedTuple):
    """What a photo's file holds, before it is decoded."""

    content: Content
    facts: PhotoFacts


class PhotoProcess:
    """A process that decodes one photo at a time; start it with :meth:`start`.

    Args:
        process: started.
        reader: what it says.
        writer: what it is told.
        limits: of each photo.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limits: Limits,
    ) -> None:
        self._process, self._reader, self._writer, self._limits = process, reader, writer, limits

    @classmethod
    async def start(cls, limits: Limits) -> PhotoProcess:
        """A process that is ready.

        Raises:
            PiaaError: it cannot be started.
        """
        ours, its = socket.socketpair()
        # It finds the program where this process found it.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "piaa.server.decoding.child", json.dumps(asdict(limits))]
        try:
            with its:
                process = subprocess.Popen(  # noqa: S603  (our own words)
                    command, stdin=its.fileno(), stdout=subprocess.DEVNULL, env=environment
                )
            one = cls(process, *await asyncio.open_connection(sock=ours, limit=_LINE), limits)
        except OSError as error:
            ours.close()
            raise PiaaError(f"no process to decode photos can be started: {error.strerror}") from error
        try:
            await one._answer("")
        except ImageError:
            raise PiaaError("a process that decodes photos ended as it started; see the log") from None
        return one

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    async def see(self, name: str, content: bytes) -> Seen:
        """What a photo's file holds. Next call :meth:`decode` or :meth:`enough`.

        Raises:
            ImageError: telling that took more than it may.
        """
        self._tell({"name": name, "n_bytes": len(content)}, content)
        said = await self._answer(name)
        held = Content(str(said["sha256"]), str(said["identity"]), bool(said["decoded_anew"]))
        return Seen(held, PhotoFacts(width=said["width"], height=said["height"], taken=said["taken"]))

    def enough(self) -> None:
        """The photo that was just seen is known."""
        self._tell({"decode": False})

    async def decode(self, name: str) -> NDArray[np.uint8]:
        """The pixels of the photo that was just seen, as the network takes them.

        Raises:
            ImageError: it cannot be read, or takes more than it may; then the process is at its end.
        """
        self._tell({"decode": True})
        said = await self._answer(name)
        if "problem" in said:
            raise ImageError(str(said["problem"]))
        side = self._limits.size
        try:
            content = await self._reader.readexactly(side * side * 3)
        except (asyncio.IncompleteReadError, OSError):
            raise self._ended(name) from None
        return np.frombuffer(content, np.uint8).reshape(side, side, 3)

    def alive(self) -> bool:
        """Whether it may be asked again."""
        return self._process.poll() is None and not self._reader.at_eof()

    def end(self) -> None:
        """End it at once, whatever it does."""
        self._process.kill()
        self._writer.close()
        self._process.wait()  # a killed process is gone in a moment

    def _tell(self, message: dict[str, object], content: bytes = b"") -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")
        if content:
            self._writer.write(content)

    async def _answer(self, name: str) -> dict[str, Any]:
        try:
            said: dict[str, Any] = json.loads(await self._reader.readuntil(b"\n"))
        except (asyncio.IncompleteReadError, OSError, ValueError):
            raise self._ended(name) from None
        return said

    def _ended(self, name: str) -> ImageError:
        """Why there is no answer."""
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            code = 0
        if code == -getattr(signal, "SIGXCPU", 0):
            return ImageError(
                f"{name} takes more than {self._limits.seconds} s to decode, the limit; {_OTHERWISE}"
            )
        return ImageError(f"{name} cannot be decoded: it ends the process that tries ({code}); {_OTHERWISE}")
