from __future__ import annotations

import os

import pytest

from generic.errors import ImageError
from piaa.ratings.locate import AmbiguousImage, MissingImage, locate_images, respelled


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


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("A.JPG", "a.jpg"),
        ("A", "a.jpg"),
        ("2021/B.png", "2021/b.png"),
        ("2022/C.JPG", "2022/c.jpg"),
        ("DEEP\\ER\\d.jpg", "deep/er/d.JPG"),
        ("elsewhere/2022/c.jpg", "2022/c.jpg"),
        ("/Volumes/photos/2021/C.jpg", "2021/c.jpg"),
        ("Zu\u0308rich am See.jpg", "Zürich am See.jpg"),
        ("ZU\u0308RICH AM SEE.JPG", "Zürich am See.jpg"),
        ("Z%C3%BCrich%20am%20See.jpg", "Zürich am See.jpg"),
        ("Zu%CC%88rich%20am%20see.JPG", "Zürich am See.jpg"),
        ("file:///home/ana/Z%c3%bcrich%20am%20See.jpg", "Zürich am See.jpg"),
        ("Café", "cafe\u0301.jpg"),
        ("100%.jpg", "100%.jpg"),
        ("50%20.jpg", "50%20.jpg"),
    ],
)
def test_found_under_another_spelling(photos, name, file):
    for other in ("Zürich am See.jpg", "cafe\u0301.jpg", "100%.jpg", "50%20.jpg"):
        (photos / other).write_bytes(b"")
    assert locate_images([name], photos) == ({name: photos / file}, [])


def test_the_closest_spelling_counts_and_two_of_it_are_a_question(photos):
    for file in ("w/IMG.JPG", "w/img.jpg", "q/Img.jpg", "q/%69mg.jpg"):
        (photos / file).parent.mkdir(exist_ok=True)
        (photos / file).write_bytes(b"")
    assert locate_images(["w/img.jpg", "Img.jpg", "%69mg.jpg"], photos)[0] == {
        "w/img.jpg": photos / "w/img.jpg",
        "Img.jpg": photos / "q/Img.jpg",
        "%69mg.jpg": photos / "q/%69mg.jpg",
    }
    (unclear,) = locate_images(["IMG.jpg"], photos)[1]
    assert unclear == AmbiguousImage(
        "IMG.jpg", f"3 files could be meant: q/Img.jpg, w/IMG.JPG, w/img.jpg; give the path below {photos}"
    )
    (unclear,) = locate_images(["W/IMG.jpg"], photos)[1]
    assert isinstance(unclear, AmbiguousImage)


def test_how_many_have_another_spelling_is_said_once(photos):
    found, _ = locate_images(["A.jpg", "2021\\b.png", "d", "C:/x/E.jpg"], photos)
    assert respelled(found) == (
        "found 2 of 4 photos under another spelling of their names (accents, upper and lower case, %20), the "
        "first 'A.jpg' as 'a.jpg'",
    )
    (photos / "a.CR2").write_bytes(b"")
    assert locate_images(["A.CR2"], photos)[0] == {"A.CR2": photos / "a.jpg"}
    assert respelled(locate_images(["a.jpg", "./a.jpg", "d", "a.CR2"], photos)[0]) == ()


@pytest.mark.skipif(os.sep == "\\", reason="such a name cannot be there")
def test_a_name_that_is_no_utf_8(photos):
    (photos / "2021" / "Z\udcfcrich.jpg").write_bytes(b"")
    for name in ("2021/Z\\udcfcrich.jpg", "Z\\udcfcrich.jpg", "Z\\udcfcRICH.JPG"):
        assert locate_images([name], photos)[0] == {name: photos / "2021" / "Z\udcfcrich.jpg"}


def test_an_escaped_path_does_not_climb_out(photos):
    (missing,) = locate_images(["%2E%2E/outside.jpg"], photos)[1]
    assert missing.reason == f"no file 'outside.jpg' in {photos} or below it"


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


def test_a_raw_photo_and_its_jpeg_are_one_photo(tmp_path):
    for name in ("a.CR2", "a.JPG", "sub/b.dng", "sub/b.jpg", "c.nef"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found, missing = locate_images(["a.CR2", "a.JPG", "a", "b", "b.dng", "c.nef", "c"], tmp_path)
    assert missing == []
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in found.items()} == {
        "a.CR2": "a.JPG",
        "a.JPG": "a.JPG",
        "a": "a.JPG",
        "b": "sub/b.jpg",
        "b.dng": "sub/b.jpg",
        "c.nef": "c.nef",
        "c": "c.nef",
    }
