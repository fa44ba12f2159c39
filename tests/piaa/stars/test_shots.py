"""Which files are one photo, and whose a sidecar is."""

from __future__ import annotations

from pathlib import Path

import pytest

from generic.errors import ImageError
from piaa.stars.shots import shots_of


@pytest.fixture
def shots(tmp_path):
    """The photos of files with these names, each as (files, sidecars, new sidecar), and unclear sidecars."""

    def run(*names: str):
        for name in names:
            (tmp_path / name).touch()
        paths = sorted(tmp_path / name for name in names if not name.lower().endswith(".xmp"))
        found, unclear = shots_of(paths)
        listed = [
            ([path.name for path in one.files], [path.name for path in one.sidecars], one.new_sidecar.name)
            for one in found
        ]
        return listed, {path.name: reason for path, reason in unclear.items()}

    return run


def test_raw_and_jpeg_are_one_photo_and_share_their_sidecar(shots):
    found, unclear = shots("IMG_1.CR2", "IMG_1.JPG", "IMG_1.xmp", "IMG_2.JPG")
    assert found == [
        (["IMG_1.JPG", "IMG_1.CR2"], ["IMG_1.xmp"], "IMG_1.xmp"),
        (["IMG_2.JPG"], [], "IMG_2.JPG.xmp"),
    ]
    assert unclear == {}


def test_both_forms_of_names_are_found_the_one_with_the_suffix_first(shots):
    found, _ = shots("a.CR2", "a.jpg", "a.CR2.xmp", "a.jpg.xmp", "a.xmp", "b.jpg", "b.XMP", "B.JPG.Xmp")
    assert found == [
        (["a.jpg", "a.CR2"], ["a.CR2.xmp", "a.jpg.xmp", "a.xmp"], "a.CR2.xmp"),
        (["b.jpg"], ["B.JPG.Xmp", "b.XMP"], "b.jpg.xmp"),
    ]


def test_an_edit_beside_a_raw_photo_is_a_photo_of_its_own(shots):
    found, unclear = shots("a.NEF", "a.heic", "a.tif", "a.xmp")
    assert found == [(["a.NEF", "a.heic"], ["a.xmp"], "a.xmp"), (["a.tif"], [], "a.tif.xmp")]
    assert unclear == {}


def test_a_sidecar_of_two_photos_is_nobodys(shots):
    found, unclear = shots("a.jpg", "a.png", "a.xmp", "a.png.xmp")
    assert [sidecars for _, sidecars, _ in found] == [[], ["a.png.xmp"]]
    assert unclear == {"a.xmp": "it could belong to a.jpg and a.png; call it like one of them with .xmp"}


def test_a_new_sidecar_is_called_as_others_in_the_folder(shots):
    found, _ = shots("a.CR2", "a.CR2.xmp", "b.CR2")
    assert [new for *_, new in found] == ["a.CR2.xmp", "b.CR2.xmp"]


def test_photos_of_one_name_in_two_folders_are_two(tmp_path):
    for name in ("one/a.CR2", "two/a.jpg", "two/a.xmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found, _ = shots_of([tmp_path / "one/a.CR2", tmp_path / "two/a.jpg"])
    assert [(one.main.parent.name, len(one.sidecars)) for one in found] == [("one", 0), ("two", 1)]


def test_a_folder_that_cannot_be_listed_is_one_line(tmp_path):
    with pytest.raises(ImageError) as caught:
        shots_of([tmp_path / "none" / Path("a.jpg")])
    assert str(caught.value) == (
        f"{tmp_path / 'none'} cannot be read: No such file or directory; check the path and its permissions"
    )
