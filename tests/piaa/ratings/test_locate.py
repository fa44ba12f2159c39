from __future__ import annotations

import os

import pytest

from generic.errors import ImageError
from piaa.ratings.locate import MissingImage, locate_images


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for name in (
        "a.jpg", "a.xmp", "2021/b.png", "2021/c.jpg", "2022/c.jpg", "2022/c.jpg.xmp", "deep/er/d.JPG",
        "x/e.jpg", "y/e.png", ".thumbnails/b.png", "z1/f.gif", "z2/f.gif", "z3/f.gif", "z4/f.gif", "v1.2.jpg",
    ):  # fmt: skip
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "outside.jpg").write_bytes(b"")
    return root


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("2021/b.png", "2021/b.png"),
        ("2021\\b.png", "2021/b.png"),
        ("2021/../a.jpg", "a.jpg"),
        ("2022/c.jpg", "2022/c.jpg"),
        ("b.png", "2021/b.png"),
        ("gone/b.png", "2021/b.png"),
        ("gone\\b.png", "2021/b.png"),
        ("a", "a.jpg"),
        ("d", "deep/er/d.JPG"),
        ("deep/d", "deep/er/d.JPG"),
        (".thumbnails/b.png", ".thumbnails/b.png"),
        ("/home/someone/photos/b.png", "2021/b.png"),
        ("C:\\Users\\someone\\b.png", "2021/b.png"),
        ("\\\\server\\share\\b.png", "2021/b.png"),
    ],
)
def test_found(photos, name, file):
    assert locate_images([name], photos) == ({name: photos / file}, [])


def test_an_absolute_path_inside_the_folder(photos, monkeypatch):
    name = str(photos / "2022" / "c.jpg")
    assert locate_images([name], photos) == ({name: photos / "2022" / "c.jpg"}, [])
    monkeypatch.chdir(photos.parent)
    root = type(photos)("photos")
    assert locate_images([name], root) == ({name: root / "2022" / "c.jpg"}, [])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("g.jpg", "no file 'g.jpg' in {root} or below it"),
        ("2021", "no file '2021' in {root} or below it"),
        ("", "no file '' in {root} or below it"),
        ("v1.2", "no file 'v1.2' in {root} or below it"),
        ("n" * 5000, "no file '" + "n" * 5000 + "' in {root} or below it"),
        ("a\0.jpg", "no file 'a\\x00.jpg' in {root} or below it"),
        ("../outside.jpg", "the path climbs out of {root}; give the path below it"),
        ("..\\a.jpg", "the path climbs out of {root}; give the path below it"),
        ("2021/../../photos/a.jpg", "the path climbs out of {root}; give the path below it"),
        ("c.jpg", "2 files could be meant: 2021/c.jpg, 2022/c.jpg; give the path below {root}"),
        ("e", "2 files could be meant: x/e.jpg, y/e.png; give the path below {root}"),
        (
            "f.gif",
            "4 files could be meant: z1/f.gif, z2/f.gif, z3/f.gif and 1 more; give the path below {root}",
        ),
    ],
)
def test_missing(photos, name, reason):
    assert locate_images([name], photos) == ({}, [MissingImage(name, reason.format(root=photos))])


def test_an_absolute_path_outside_of_the_folder_is_never_followed(photos):
    name = str(photos.parent / "outside.jpg")
    found, missing = locate_images([name, str(photos / ".." / "outside.jpg")], photos)
    assert found == {}
    assert [image.reason for image in missing] == [f"no file 'outside.jpg' in {photos} or below it"] * 2


@pytest.mark.skipif(os.sep == "\\", reason="a backslash separates folders here")
def test_a_backslash_in_a_file_name(photos):
    (photos / "2021" / "p\\q.jpg").write_bytes(b"")
    assert locate_images(["p\\q.jpg"], photos)[0] == {"p\\q.jpg": photos / "2021" / "p\\q.jpg"}


def test_order_is_kept_and_repeated_names_count_once(photos):
    found, missing = locate_images(["b.png", "zz", "a.jpg", "b.png", "zz", "aa"], photos)
    assert list(found) == ["b.png", "a.jpg"]
    assert [name for name, _ in missing] == ["zz", "aa"]


def test_a_folder_that_is_none(photos):
    with pytest.raises(ImageError) as caught:
        locate_images(["a.jpg"], photos / "gone")
    assert str(caught.value) == (
        f"the images' folder {photos / 'gone'} does not exist; pass the folder that holds the rated images"
    )
    with pytest.raises(ImageError) as caught:
        locate_images(["a.jpg"], photos / "a.jpg")
    assert str(caught.value) == (
        f"the images' folder {photos / 'a.jpg'} is not a folder; pass the folder that holds the rated images"
    )


def test_every_photo_of_the_beauty_ratings(shared_data):
    folder = shared_data / "oasis_beauty"
    names = [line.split(",")[0] for line in (folder / "images.csv").read_text().splitlines()[1:]]
    found, missing = locate_images(names, folder)
    assert missing == []
    assert found == {name: folder / "images" / name for name in names}
    assert len(found) == 562
