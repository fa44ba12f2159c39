"""What ``piaa learn`` costs on a large album: time and memory of a first run, a second, and of one more star.

    uv run python benchmarks/learn_album.py ROOT --files 20000 --rated 10000

The album is made of the photos of OASIS (ROOT): a copy differs from the others by one value of its JPEG
quantisation table, so that each is a picture of its own that costs as much to read. Stars stand in sidecars:
five kinds of equally many photos by the mean of all raters, with noise. Each run is a process of its own on
an empty, then on the same cache and store. Writes ``benchmarks/results/learn_album.json``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from oasis import load_oasis
from record import ENVIRONMENT, PIAA, table, tell, write_result

from generic.seeds import stream

SIDECAR = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{stars}"/>'
    "</rdf:RDF></x:xmpmeta>"
)
NOISE = 0.1


def variant(content: bytes, number: int) -> bytes:
    """The JPEG with one of the higher values of its first quantisation table changed."""
    table = content.index(b"\xff\xdb") + 5
    changed = bytearray(content)
    place = table + 63 - number % 60
    changed[place] = changed[place] + 1 if changed[place] < 255 else 254
    return bytes(changed)


def make_album(root: Path, album: Path, files: int, rated: int) -> None:
    """Copies of photos, one after the other, and sidecars of those that are rated."""
    data, draw = load_oasis(root), stream(0, "learn album")
    liked = np.resize(data.means, files) + NOISE * draw.standard_normal(files)
    stars = np.searchsorted(np.quantile(liked, (0.2, 0.4, 0.6, 0.8)), liked) + 1
    starred = set(draw.permutation(files)[:rated].tolist())
    for number in range(files):
        path = data.paths[number % len(data.paths)]
        copy = album / f"{number // 1000:02}" / f"{path.stem}-{number}.jpg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(variant(path.read_bytes(), number // len(data.paths)))
        if number in starred:
            copy.with_name(f"{copy.name}.xmp").write_text(SIDECAR.format(stars=stars[number]))


def learn(album: Path, work: Path) -> tuple[str, dict[str, float]]:
    """One run: what it said, seconds by the clock and of the processor, and its peak of memory in bytes."""
    command = [
        *PIAA,
        "learn",
        album,
        "--user",
        "ana",
        "--store",
        work / "store.db",
        "--cache",
        work / "cache",
    ]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
    ) as process:
        started = os.times().elapsed
        assert process.stdout is not None  # noqa: S101  (it is a pipe)
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(said)
    seconds = {"wall_s": os.times().elapsed - started, "cpu_s": used.ru_utime + used.ru_stime}
    tell(f"{seconds}: {said.splitlines()[0]}")
    return said, {**seconds, "peak_bytes": used.ru_maxrss * 1024}


def main() -> None:
    """Make the album, learn three times, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of OASIS")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--rated", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        album, work = Path(place) / "album", Path(place) / "work"
        make_album(given.root, album, given.files, given.rated)
        found = {"first": learn(album, work)[1], "again, nothing new": learn(album, work)[1]}
        one = next(
            path for path in sorted(album.rglob("*.jpg")) if not path.with_name(f"{path.name}.xmp").exists()
        )
        one.with_name(f"{one.name}.xmp").write_text(SIDECAR.format(stars=5))
        found["again, one star more"] = learn(album, work)[1]
    rows = [
        (name, f"{it['cpu_s']:.0f} s", f"{it['wall_s']:.0f} s", f"{it['peak_bytes'] / 2**20:.0f} MiB")
        for name, it in found.items()
    ]
    text = table(("run", "processor", "clock", "memory"), rows)
    print(text)
    command = f"uv run python benchmarks/learn_album.py ROOT --files {given.files} --rated {given.rated}"
    content = {"files": given.files, "rated": given.rated, "runs": found, "markdown": text}
    write_result("learn_album", command, content)


if __name__ == "__main__":
    main()
