"""Damaged photos and tables: each is read or refused in one line, soon and in little memory.

    uv run --extra all python benchmarks/fuzz_photos.py --cases 20000

Files of each format are made by code, and damaged: bytes changed, numbers made extreme, pieces cut out,
doubled, filled or taken from another file. A case is decided by the seed and its number alone, so that
one can be run again (``--only NUMBER``). Photos are opened as for scoring, and their identity and facts
are read; tables are read as ratings. Children do the work: one that dies is a crash, one that takes
longer than 5 s a hang, and both are replaced. What is known is kept in ``--progress``, where a stopped
run goes on. Ends non-zero if anything was found. About 10 ms a case; memory is seen on Linux alone.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from record import table, tell, write_result

SECONDS, MEMORY = 5.0, 1_500_000_000
"""Limits of a case; bytes of resident memory."""
SIZE, MAX_PIXELS = 288, 200_000_000
RATINGS = "image,score\n" + "".join(f'"IMG_{n:03d}.jpg",{n % 5 + 1}\n' for n in range(60))
WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 90}),
    "JPEG, progressive": ("JPEG", {"quality": 85, "progressive": True}),
    "JPEG, restart markers": ("JPEG", {"quality": 92, "restart_marker_rows": 1}),
    "JPEG, four inks": ("JPEG", {"quality": 90}),
    "PNG": ("PNG", {}),
    "PNG, palette": ("PNG", {}),
    "TIFF": ("TIFF", {}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF, JPEG": ("TIFF", {"compression": "jpeg"}),
    "TIFF, deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "WebP": ("WEBP", {"quality": 90}),
    "WebP, lossless": ("WEBP", {"lossless": True}),
    "HEIC": ("HEIF", {"quality": 80}),
    "AVIF": ("AVIF", {"quality": 80, "speed": 10}),
    "GIF": ("GIF", {}),
    "CSV": ("", {}),
}
MODES = {"JPEG, four inks": "CMYK", "PNG, palette": "P"}
EXTREME = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\xff\xff", b"\0\1")


@cache
def intact(kind: str) -> bytes:
    """A file of a kind, with metadata where it has any."""
    if kind == "CSV":
        return RATINGS.encode()
    y, x = np.mgrid[0:180, 0:260]
    noise = np.random.default_rng(0).normal(0, 10, (180, 260, 3))
    planes = np.stack([x * 0.98, y * 1.4, 127 + 90 * np.sin(x / 9 + y / 7)], axis=2) + noise
    image = Image.fromarray(planes.clip(0, 255).astype(np.uint8)).convert(MODES.get(kind, "RGB"))
    name, options = WRITERS[kind]
    if name == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    image.save(stream, name, **options, **({} if name == "GIF" else {"exif": exif.tobytes()}))
    return stream.getvalue()


def case(number: int, seed: int) -> tuple[str, bytes]:
    """Kind and content of a case."""
    rng = np.random.default_rng((seed, number))
    kinds = list(WRITERS)
    kind = kinds[number % len(kinds)]
    content = bytearray(intact(kind))
    for _ in range(int(rng.choice([1, 1, 2, 4]))):
        damage(content, bytes(intact(kinds[int(rng.integers(len(kinds)))])), rng)
    # With wrong checksums few PNGs would get as far as the pixels.
    if kind.startswith("PNG") and rng.random() < 0.7:
        mend_checksums(content)
    return kind, bytes(content)


def mend_checksums(png: bytearray) -> None:
    """Give the chunks of a PNG their right checksums, as far as they can be found."""
    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        if end + 4 > len(png):
            return
        png[end : end + 4] = zlib.crc32(png[at + 4 : end]).to_bytes(4, "big")
        at = end + 4


def damage(content: bytearray, other: bytes, rng: np.random.Generator) -> None:
    """One change, often in the first bytes, where the headers are."""
    length = max(1, len(content))
    at = int(rng.integers(min(length, 700) if rng.random() < 0.6 else length))
    size = int(2 ** rng.uniform(0, 13))
    start = int(rng.integers(len(other)))
    match int(rng.integers(8)):
        case 0:
            del content[at:]
        case 1:
            content[at : at + size] = bytes(len(content[at : at + size]))
        case 2:
            content[at : at + size] = rng.bytes(len(content[at : at + size]))
        case 3:
            content[at:at] = content[at : at + size] * int(rng.integers(1, 60))
        case 4:
            del content[at : at + size]
        case 5:
            content[at : at + size] = other[start : start + size]
        case 6:
            value = EXTREME[int(rng.integers(len(EXTREME)))]
            content[at : at + len(value)] = value
        case _:
            content[at : at + 1] = rng.bytes(1)


def read(kind: str, content: bytes, folder: Path) -> str:
    """``read`` or ``refused``; else what came instead of one line of our own."""
    from generic.errors import PiaaError
    from generic.photos.facts import photo_facts
    from generic.photos.identity import photo_identity
    from generic.photos.open import load_pixels
    from piaa.ratings.scale import Scale
    from piaa.ratings.table import read_ratings

    try:
        if kind == "CSV":
            (folder / "case.csv").write_bytes(content)
            read_ratings(folder / "case.csv", scale=Scale(1, 5), user="her")
        else:
            photo_identity(content)
            photo_facts(content)
            load_pixels(io.BytesIO(content), SIZE, max_pixels=MAX_PIXELS, name="case")
    except PiaaError as error:
        ours = kind == "CSV" or (str(error).startswith("case ") and "\n" not in str(error))
        return "refused" if ours else str(error)
    except BaseException as error:  # All else is a finding.
        return f"{type(error).__name__}: {error}"
    return "read"


def child(pipe: Connection, seed: int) -> None:
    """Reads the cases whose numbers come; answers with what came of each."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as lines:
        os.dup2(lines.fileno(), 2)
        while (number := pipe.recv()) is not None:
            kind, content = case(number, seed)
            forget_peak()
            started = time.perf_counter()
            outcome = read(kind, content, Path(folder))
            seconds = time.perf_counter() - started
            lines.seek(0)
            printed = lines.read(500).decode("utf-8", "replace")
            lines.seek(0)
            lines.truncate()
            pipe.send({"outcome": outcome, "s": round(seconds, 4), "bytes": peak(), "printed": printed})


def forget_peak() -> None:
    """Let Linux begin anew with the largest memory of this process."""
    place = Path("/proc/self/clear_refs")
    if place.exists():
        place.write_text("5")


def peak() -> int:
    """Largest resident memory since `forget_peak`, in bytes; 0 where it is not known."""
    place = Path("/proc/self/status")
    lines = place.read_text().splitlines() if place.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


class Worker:
    """A child process, and the case it has."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.number: int | None = None
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self._process = context.Process(target=child, args=(other, self._seed), daemon=True)
        self._process.start()
        other.close()

    def give(self, number: int) -> None:
        """Let it begin with a case."""
        self.number, self._began = number, time.monotonic()
        self.pipe.send(number)

    def answer(self, first: bool) -> dict[str, Any] | None:
        """What came of its case; None while it works. The first case waits for imports, too."""
        try:
            if self.pipe.poll(0.01):
                return dict(self.pipe.recv())
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode
            self._start()
            return {"outcome": f"crash: exit code {code}", "s": 0.0, "bytes": 0, "printed": ""}
        if time.monotonic() - self._began > SECONDS * (12 if first else 2):
            self.stop()
            self._start()
            return {"outcome": "hang", "s": SECONDS * 2, "bytes": 0, "printed": ""}
        return None

    def stop(self) -> None:
        """End the child."""
        self._process.kill()
        self._process.join()


def run(numbers: Iterator[int], workers: list[Worker]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every case's number, and what came of it."""
    busy, warm = list[Worker](), set[int]()
    idle = list(workers)
    while True:
        while idle and (number := next(numbers, None)) is not None:
            idle[-1].give(number)
            busy.append(idle.pop())
        if not busy:
            return
        for worker in list(busy):
            answer = worker.answer(id(worker) not in warm)
            if answer is not None and worker.number is not None:
                alive = not answer["outcome"].startswith(("crash", "hang"))
                (warm.add if alive else warm.discard)(id(worker))
                busy.remove(worker)
                idle.append(worker)
                yield worker.number, answer


def finding(answer: dict[str, Any]) -> str | None:
    """What is wrong with an answer; None if nothing."""
    if answer["outcome"] not in ("read", "refused"):
        return str(answer["outcome"])
    if answer["s"] > SECONDS:
        return f"took {answer['s']} s"
    if answer["bytes"] > MEMORY:
        return f"took {answer['bytes']} bytes of memory"
    return f"printed {answer['printed']!r}" if answer["printed"] else None


def figures(done: dict[int, dict[str, Any]], seed: int) -> dict[str, Any]:
    """Counts by kind, findings, and the slowest and largest case."""
    kinds = list(WRITERS)
    rows = []
    for place, kind in enumerate(kinds):
        answers = [answer for number, answer in done.items() if number % len(kinds) == place]
        outcomes = Counter(answer["outcome"] for answer in answers)
        largest = [max((answer[name] for answer in answers), default=0) for name in ("s", "bytes")]
        counts = (len(answers), outcomes["read"], outcomes["refused"])
        rows.append([kind, *map(str, counts), f"{largest[0]:.2f} s", f"{largest[1] / 1e6:.0f} MB"])
    found = {number: what for number, answer in sorted(done.items()) if (what := finding(answer))}
    header = ("kind", "cases", "read", "refused", "slowest", "largest")
    return {"seed": seed, "cases": len(done), "findings": found, "markdown": table(header, rows)}


def main() -> None:
    """Run the cases that are not known yet, and write what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, help="run this case here, write it to --keep, and nothing else")
    parser.add_argument("--keep", type=Path, default=Path("case"))
    parser.add_argument("--progress", type=Path, default=Path("runs/fuzz_photos.jsonl"))
    given = parser.parse_args()
    if given.only is not None:
        kind, content = case(given.only, given.seed)
        given.keep.write_bytes(content)
        print(f"{kind}: {read(kind, content, Path(tempfile.gettempdir()))}")
        return
    given.progress.parent.mkdir(parents=True, exist_ok=True)
    done = known(given.progress, given.seed)
    todo = iter([number for number in range(given.cases) if number not in done])
    workers = [Worker(given.seed) for _ in range(given.workers)]
    with given.progress.open("a", encoding="utf-8") as progress:
        progress.write("\n")  # A last line that was not finished stays alone.
        for number, answer in run(todo, workers):
            done[number] = answer
            progress.write(json.dumps({"seed": given.seed, "number": number, **answer}) + "\n")
            progress.flush()
            if len(done) % 1000 == 0:
                tell(f"{len(done)} of {given.cases} cases")
    for worker in workers:
        worker.stop()
    result = figures({number: done[number] for number in sorted(done) if number < given.cases}, given.seed)
    command = f"uv run --extra all python benchmarks/fuzz_photos.py --cases {given.cases} --seed {given.seed}"
    write_result("fuzz_photos", command, result)
    print(result["markdown"])
    for number, what in result["findings"].items():
        print(f"case {number} ({list(WRITERS)[number % len(WRITERS)]}): {what}")
    sys.exit(1 if result["findings"] else 0)


def known(progress: Path, seed: int) -> dict[int, dict[str, Any]]:
    """What an earlier run found out; a last line that was not finished is left out."""
    done = {}
    for line in progress.read_text(encoding="utf-8").splitlines() if progress.exists() else []:
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if answer.pop("seed") == seed:
            done[answer.pop("number")] = answer
    return done


if __name__ == "__main__":
    main()
