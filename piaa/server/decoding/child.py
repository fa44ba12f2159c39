"""The process that decodes: it reads photos from a socket, within limits that the system enforces.

A decoder is a C library that is given bytes of strangers. Here it can neither take more computing than one
photo may, nor more memory, nor the server's own memory; and whoever started it may end it in the middle.

Of each photo it says what it holds, and makes pixels only if it is then asked to. A message is a line of
JSON; with ``n_bytes`` in it, so many bytes follow.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import socket
import sys
from typing import IO, cast

from generic.cache.contents import content_of
from generic.errors import ImageError
from generic.photos.facts import photo_facts
from generic.photos.open import load_pixels
from piaa.server.limits import give_way, limit_computing, limit_memory


def serve(stream: IO[bytes], options: dict[str, object]) -> None:
    """Answer until whoever asks is gone."""
    seconds = int(str(options["seconds"]))
    while line := stream.readline():
        asked = json.loads(line)
        content = stream.read(asked["n_bytes"])
        limit_computing(seconds)
        held, facts = content_of(content), photo_facts(content)
        said = {"sha256": held.sha256, "identity": held.identity, "decoded_anew": held.decoded_anew}
        _say(stream, said | {"width": facts.width, "height": facts.height, "taken": facts.taken})
        if json.loads(stream.readline() or "{}").get("decode"):
            _decode(stream, asked["name"], content, options)


def _decode(stream: IO[bytes], name: str, content: bytes, options: dict[str, object]) -> None:
    limits = {"fit": options["fit"], "max_pixels": options["max_pixels"], "name": name}
    try:
        pixels = load_pixels(io.BytesIO(content), int(str(options["size"])), **limits)  # type: ignore[arg-type]
    except ImageError as error:
        crowded = isinstance(error.__cause__, MemoryError)
        _say(stream, {"problem": too_much_memory(name) if crowded else str(error)})
    else:
        _say(stream, {"n_bytes": pixels.nbytes}, pixels.tobytes())


def too_much_memory(name: str) -> str:
    """What a person is told of such a photo."""
    return f"{name} takes more memory to decode than a photo may; save it again smaller or leave it out"


def _say(stream: IO[bytes], message: dict[str, object], content: bytes = b"") -> None:
    stream.write(json.dumps(message).encode() + b"\n" + content)
    stream.flush()


def main() -> None:
    """Serve the socket that is standard input; its options are the argument."""
    options = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends its processes itself
    give_way()
    with socket.socket(fileno=0) as given, cast("IO[bytes]", given.makefile("rwb")) as stream:
        limit_memory(int(options["memory"]))
        _say(stream, {"ready": True})
        with contextlib.suppress(OSError):  # whoever asked is gone
            serve(stream, options)


if __name__ == "__main__":
    main()
