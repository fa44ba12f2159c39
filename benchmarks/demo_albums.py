"""`piaa demo` on many simulated albums: what ten ratings change on average.

    uv run python benchmarks/demo_albums.py --albums 10

One album says little: fifty photos to rank leave a standard error of 0.14. Writes
benchmarks/results/demo_albums.json.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from record import tell, write_result

from piaa.demo.person import PERSONS
from piaa.demo.run import simulated


def main() -> None:
    """Run the demo for every person on every album."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--albums", type=int, default=10)
    albums = parser.parse_args().albums
    pairs = []
    for seed in range(albums):
        for person in PERSONS:
            with tempfile.TemporaryDirectory() as folder:
                result = simulated(Path(folder), person=person, seed=seed)
            pairs.append((result.before, result.after))
            tell(f"album {seed}, {person}: {result.before:.2f} -> {result.after:.2f}")
    before, after = np.array(pairs, dtype=float).T
    gain = after - before
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    text = (
        f"Over {len(pairs)} simulated pairs of album and person: SRCC {before.mean():.2f} before and "
        f"{after.mean():.2f} after ten ratings (gain {gain.mean():.2f} ± {error:.2f}; "
        f"up in {(gain > 0).mean():.0%})."
    )
    figures = {"before": before.tolist(), "after": after.tolist(), "markdown": text}
    write_result("demo_albums", f"benchmarks/demo_albums.py --albums {albums}", figures)
    print(text)


if __name__ == "__main__":
    main()
