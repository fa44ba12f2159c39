"""Somebody else's graph looked at, wrapped and run on a photo, in a process with bounds on time and memory.

    python -m generic.stems.trial FILE SPEC OUT BYTES SECONDS

writes the stem's graph to OUT, or one line that says what is wrong to its standard output, and exits with 1.
What a hostile graph can do to the libraries that read it ends with this process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from generic.errors import CheckpointError
from generic.photos.find import printable
from generic.stems.spec import Spec, read_spec

MOST_BYTES = 2**31 - 1
"""Of a file: what the format itself can hold."""
_MEMORY, _MEMORY_FACTOR = 3 * 2**30, 6
"""Address space in bytes, and how much more for each byte of the file."""
_SECONDS, _BYTES_A_SECOND = 60, 10_000_000
"""Time of the processor, and the bytes of the file that get a second more."""
_WAITS = 10
"""Times as long may it take by the clock, on a machine that has others to serve."""


def try_out(file: Path, spec: Path) -> bytes:
    """The stem's graph of somebody else's, which ran on a photo.

    Args:
        file: an ONNX file.
        spec: see :mod:`generic.stems.spec`.

    Raises:
        CheckpointError: it may not be run, cannot be run, or took too much time or memory.
    """
    shown = printable(str(file))
    if not file.is_file():
        raise CheckpointError(f"there is no file {shown}; check the path")
    n_bytes = file.stat().st_size
    if not 0 < n_bytes <= MOST_BYTES:
        raise CheckpointError(f"{shown} has {n_bytes:,} bytes, expected an ONNX file of 1 to {MOST_BYTES:,}")
    memory, seconds = _MEMORY + _MEMORY_FACTOR * n_bytes, _SECONDS + n_bytes // _BYTES_A_SECOND
    with tempfile.TemporaryDirectory(prefix="piaa-trial-") as folder:
        out = Path(folder) / "graph"
        command = [sys.executable, "-P", "-m", "generic.stems.trial", file, spec, out, memory, seconds]
        try:
            done = subprocess.run(  # noqa: S603 - this module, by this interpreter
                [str(part) for part in command],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_WAITS * seconds,
            )
        except subprocess.TimeoutExpired:
            done = None
        if done is not None and done.returncode == 0:
            return out.read_bytes()
    said = "" if done is None else done.stdout.strip()
    if done is not None and done.returncode == 1 and said:
        raise CheckpointError(f"{shown}: {said.splitlines()[-1]}")
    raise CheckpointError(
        f"{shown}: reading and running its graph on one photo ended without an answer within {seconds} s of "
        f"the processor and {memory // 2**20:,} MiB; it was not imported"
    )


def _bound(memory: int, seconds: int) -> None:
    """Limit this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows: the clock of try_out remains
        return
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))


def _graph(file: Path, spec: Spec) -> bytes:
    """See :func:`try_out`; without bounds."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    from generic.stems.guard import checked
    from generic.stems.wrap import wrapped

    try:
        model = onnx.load_model_from_string(file.read_bytes())
    except DecodeError as error:
        raise CheckpointError("it is no ONNX file, or is damaged; export it again") from error
    graph = wrapped(checked(model, spec), spec)
    _run(graph, spec)
    return graph


def _run(graph: bytes, spec: Spec) -> None:
    """Raises CheckpointError unless two photos have finite embeddings that differ, the same each time."""
    from generic.engine.onnx_engine import OnnxEngine

    engine = OnnxEngine(graph, "of the network")
    noise = np.random.default_rng(0).integers(0, 256, (spec.size, spec.size, 3), np.uint8)
    one, again, other = (engine.vector(photo) for photo in (noise, noise, 255 - noise // 2))
    if not np.isfinite([one, other]).all():
        raise CheckpointError(
            "its embedding of a photo has numbers that are not finite; check mean, std, range"
        )
    if not np.array_equal(one, again):
        raise CheckpointError(
            "it embeds a photo otherwise each time; export it for inference, without chance"
        )
    if np.array_equal(one, other):
        raise CheckpointError("it embeds two photos alike; check input and output of the specification")


def main(file: str, spec: str, out: str, memory: str, seconds: str) -> int:
    """See the module's text; returns the exit code."""
    _bound(int(memory), int(seconds))
    try:
        Path(out).write_bytes(_graph(Path(file), read_spec(Path(spec))))
    except Exception as error:  # of libraries on what nobody foresaw: one line all the same
        words = " ".join(str(error).split())[:500]
        print(words if isinstance(error, CheckpointError) else f"{type(error).__name__}: {words}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
