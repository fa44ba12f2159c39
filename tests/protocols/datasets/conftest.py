from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from protocols.datasets.flickr_aes import TEST_WORKERS

FLICKR = "FLICKR-AES_image_labeled_by_each_worker.csv"
N_TEST, N_TRAIN = 37, 5
N_PER_WORKER = 14


def write(path: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding, newline="")
    return path


def write_photos(folder: Path, names) -> Path:
    """Files with the names of photos; nothing here opens one."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def flickr_rows() -> list[tuple[str, str, int]]:
    """Every test worker and five others, each with 14 photos of their own and one that two workers share."""
    workers = [*TEST_WORKERS, *(f"TRAIN{n}" for n in range(N_TRAIN))]
    rows = [
        (worker, f"farm1_{n}_{photo}.jpg", 1 + (n + photo) % 5)
        for n, worker in enumerate(workers)
        for photo in range(N_PER_WORKER)
    ]
    return [*rows, ("TRAIN0", "farm1_0_0.jpg", 5)]


def flickr_aes(root: Path, rows=None, *, header="worker, imagePair, score", name=FLICKR) -> Path:
    lines = [",".join(map(str, row)) for row in (flickr_rows() if rows is None else rows)]
    return write(root / name, "\n".join((header, *lines)) + "\n")


AADB_HEADER = [
    *("HITId", "Title", "WorkerId"),
    *(f"Input.image_url{n}" for n in range(1, 11)),
    *(f"Answer.overallScore{n}" for n in (1, 10, *range(2, 10))),
    "Approve",
]
"""As Mechanical Turk orders it: 10 after 1."""


def aadb_row(worker: str, scores, *, photos=range(10)) -> list[str]:
    """One assignment: ten photos of ``photos`` with ten scores, in their order."""
    urls = [f"https://farm1.staticflickr.com/450/{100 + photo}_b.jpg" for photo in photos]
    answers = dict(zip(range(1, 11), map(str, scores), strict=True))
    ordered = [answers[n] for n in (1, 10, *range(2, 10))]
    return ["H1", "rate the photo, and explain", worker, *urls, *ordered, ""]


def aadb(root: Path, rows, *, header=None, name="AllinAll.csv") -> Path:
    lines = [AADB_HEADER if header is None else header, *rows]
    text = "\r\n".join(",".join(f'"{field}"' for field in line) for line in lines)
    return write(root / name, text + "\r\n")


def ava(root: Path, n: int = 6, *, name="AVA.txt") -> Path:
    lines = [f"{i} {1000 + i} 0 1 5 17 38 36 15 6 {i} 1 1 22 1396" for i in range(1, n + 1)]
    return write(root / name, "\n".join(lines) + "\n")


def tad66k(root: Path, *, train=3, test=2) -> None:
    for part, n in (("train", train), ("test", test)):
        lines = [f"{part}{i}@N0.jpg,{2 + i / 4}" for i in range(n)]
        write(root / f"{part}.csv", "\r\n".join(("image,score", *lines)) + "\r\n")


PARA_HEADER = "sessionId,imageName,userId,aestheticScore,qualityScore,semantic"


def para(root: Path, rows, *, header=PARA_HEADER) -> Path:
    lines = [",".join((*map(str, row), "3.0", "scene")) for row in rows]
    return write(root / "annotation" / "PARA-Images.csv", "\n".join((header, *lines)) + "\n")


@pytest.fixture(scope="session")
def official() -> SimpleNamespace:
    """Writers of small data in each official format."""
    return SimpleNamespace(
        write=write,
        write_photos=write_photos,
        flickr_rows=flickr_rows,
        flickr_aes=flickr_aes,
        aadb_row=aadb_row,
        aadb_header=AADB_HEADER,
        aadb=aadb,
        ava=ava,
        tad66k=tad66k,
        para=para,
    )


@pytest.fixture
def root(tmp_path) -> Path:
    """ROOT with spaces and letters that are not ASCII: every loader must bear it."""
    folder = tmp_path / "Dätensätze für 写真 2"
    folder.mkdir()
    return folder
