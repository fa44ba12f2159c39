"""``piaa manifest`` of many files: time and peak memory, which must not grow with their number.

    uv run --group dev python benchmarks/cluster_listing.py --files 1000000 --work DIR

A folder of empty files, a thousand in each folder below it, of three sizes; then the largest once more, with
one file added, when nothing but one shard is new. Figures so far are in ``--work``, and are not measured
again. About 5 minutes, most of them to make the files (about 0.1 GB, a million inodes).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from cluster_rank import run
from record import PIAA, piaa, table, tell, write_result

IN_A_FOLDER = 1_000


def make_files(folder: Path, n: int) -> None:
    """Empty files that look like photos by their names; those that are there stay."""
    for number in range(n // IN_A_FOLDER):
        below = folder / f"{number // 100:03}" / f"{number % 100:02}"
        if not (below / f"IMG_{IN_A_FOLDER - 1:04}.jpg").exists():
            below.mkdir(parents=True, exist_ok=True)
            for place in range(IN_A_FOLDER):
                (below / f"IMG_{place:04}.jpg").touch()


def measure(source: Path, out: Path) -> dict[str, Any]:
    """One listing, and what it says."""
    words = ["manifest", str(source), "--out", str(out), "--json"]
    found = run([*PIAA, *words])
    said = json.loads(piaa(*words)[0])  # once more, when nothing is new
    if said["new"]:
        raise SystemExit(f"{said['new']} shards are new in a folder that did not change")
    return {"photos": said["photos"], "shards": said["shards"], **found}


def main() -> None:
    """Measure what is missing and write the results; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=1_000_000, help="a multiple of 100,000")
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    work, n = arguments.work, arguments.files
    work.mkdir(parents=True, exist_ok=True)
    kept = work / f"listing-{n}.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for size in (n // 100, n // 10, n):
        if str(size) not in found:
            tell(f"{size:,} files")
            make_files(work / f"files-{size}", size)
            found[str(size)] = measure(work / f"files-{size}", work / f"manifest-{size}")
            kept.write_text(json.dumps(found))
    if "one more" not in found:
        (work / f"files-{n}" / "000" / "00" / "IMG_0500 (1).jpg").touch()
        said = json.loads(piaa("manifest", work / f"files-{n}", "--out", work / f"manifest-{n}", "--json")[0])
        found["one more"] = {name: said[name] for name in ("photos", "shards", "new", "gone")}
        kept.write_text(json.dumps(found))
    rows = [
        (f"{one['photos']:,}", f"{one['shards']:,}", f"{one['seconds']:.1f} s", f"{one['peak_mib']:.0f} MiB")
        for one in (found[str(size)] for size in (n // 100, n // 10, n))
    ]
    text = table(("photos", "shards", "time", "peak memory"), rows)
    more = found["one more"]
    text += f"\n\nOne photo more: {more['new']} of {more['shards']:,} shards new, {more['gone']} gone."
    write_result(
        "cluster_listing",
        f"python benchmarks/cluster_listing.py --files {n} --work DIR",
        {**found, "markdown": text},
    )
    print(text)


if __name__ == "__main__":
    main()
