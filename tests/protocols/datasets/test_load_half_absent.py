"""Every loader with half of its photos absent: what is there is found, what is not is named."""

from __future__ import annotations

import pytest

from protocols.datasets.check import check
from protocols.datasets.load import load_dataset


def para(official, root):
    rows = [(f"session{n % 3}", f"iaa_pub{n}_.jpg", user, 3) for n in range(9) for user in ("A1", "B2")]
    official.para(root, rows)


def aadb(official, root):
    official.aadb(root, [official.aadb_row(worker, [1, 2, 3, 4, 5] * 2) for worker in ("W1", "W2")])


def table(name):
    def write(official, root):
        rows = [f"{user},photo {n}.jpg,{1 + n % 5}" for user in ("ana", "bo") for n in range(9)]
        official.write(root / name, "\n".join(("user,image,score", *rows)) + "\n")

    return write


LOADERS = {
    "flickr-aes": lambda official, root: official.flickr_aes(root),
    "aadb": aadb,
    "ava": lambda official, root: official.ava(root, 9),
    "tad66k": lambda official, root: official.tad66k(root, train=5, test=4),
    "para": para,
    "real-cur": table("REAL-CUR.csv"),
    "table": table("ratings.csv"),
}


@pytest.mark.parametrize("name", LOADERS)
def test_half_of_the_images_are_absent(official, root, name):
    LOADERS[name](official, root)
    labelled = sorted(load_dataset(name, root).labelled())
    there, absent = labelled[::2], labelled[1::2]
    official.write_photos(root / "photos ü", there)
    report = check(load_dataset(name, root, images=root / "photos ü"))
    assert report.n_named == len(labelled)
    assert sorted(image for image, _ in report.missing) == absent
    assert all("no file" in reason for _, reason in report.missing)
    assert report.unlabelled == ()
