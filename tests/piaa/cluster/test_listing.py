"""Sources are listed in one order, whatever the disk's; what find_images leaves out is left out here."""

from __future__ import annotations

import os

import pytest

from generic.errors import ClusterError
from generic.photos.find import find_images
from piaa.cluster.folder import local_path
from piaa.cluster.listing import list_photos


def listed(source) -> list[str]:
    return [found.uri for found in list_photos(str(source))]


def test_a_folder_is_listed_as_find_images_finds_it(photos):
    for name in ("b.CR2", "b.JPG", "b-2.jpg", ".hidden.jpg", "notes.txt", "c.nef"):
        (photos / name).write_bytes(b"x")
    (photos / ".cache").mkdir()
    (photos / ".cache" / "a.jpg").write_bytes(b"x")
    expected = sorted((str(path) for path in find_images(photos)), key=os.fsencode)
    assert listed(photos) == expected
    assert {path.rpartition("/")[2] for path in expected} >= {"b.JPG", "b-2.jpg", "c.nef"}


def test_a_photo_is_listed_with_its_size_and_time(photos):
    path = photos / "photo-01.jpg"
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    (found,) = [it for it in list_photos(str(photos)) if it.uri == str(path)]
    assert (found.size, found.mark) == (path.stat().st_size, "1700000000123456789")


def test_a_list_keeps_its_order_and_its_paths_begin_at_the_list(photos):
    (photos / "some.txt").write_text(f"# the best\nphoto-02.jpg\n\n{photos / 'photo-01.jpg'}\n")
    assert listed(photos / "some.txt") == [str(photos / "photo-02.jpg"), str(photos / "photo-01.jpg")]


def test_a_line_that_names_nothing_is_told_with_its_number(photos):
    (photos / "some.txt").write_text("photo-02.jpg\nlost.jpg\n")
    with pytest.raises(ClusterError) as caught:
        listed(photos / "some.txt")
    assert str(caught.value) == (
        f"line 2 of {photos / 'some.txt'}: lost.jpg cannot be read: No such file or directory; what is done "
        "stays: check the place and its permissions, then give the same command again"
    )


@pytest.mark.parametrize("again", ["photo-02.jpg", "./photo-02.jpg", "{folder}/photo-02.jpg"])
def test_a_list_that_names_a_photo_twice_is_refused_with_the_line(photos, again):
    lines = ["photo-02.jpg", "photo-01.jpg", "", again.format(folder=photos), "photo-03.jpg"]
    (photos / "some.txt").write_text("\n".join(lines))
    with pytest.raises(ClusterError) as caught:
        listed(photos / "some.txt")
    assert str(caught.value) == (
        f"line 4 of {photos / 'some.txt'} names {photos / 'photo-02.jpg'}, which an earlier line names, "
        "expected each photo once; take the line out"
    )


def test_what_is_no_source_is_refused(tmp_path):
    with pytest.raises(ClusterError) as caught:
        listed(tmp_path / "nothing")
    assert str(caught.value) == (
        f"{tmp_path / 'nothing'} is no folder and no list of photos; give a folder, a list that ends "
        "in .txt or "
        ".list, or a URL such as s3://bucket/photos"
    )


def test_a_name_that_is_not_utf8_goes_as_a_url_and_comes_back(photos):
    strange = photos / os.fsdecode(b"Z\xfcrich.jpg")
    try:
        strange.write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    (uri,) = [uri for uri in listed(photos) if uri.startswith("file://")]
    assert uri.endswith("/Z%FCrich.jpg")
    assert local_path(uri) == strange


def test_a_bucket_is_listed_folder_by_folder_in_the_order_of_its_names(photos):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for name in ("a/2.jpg", "a/1.jpg", "a/1.cr2", "a/.hidden/3.jpg", "a-b.jpg", "notes.txt"):
        memory.pipe_file(f"/listing/{name}", b"xyz")
    found = list(list_photos("memory://listing"))
    assert [it.uri for it in found] == [
        "memory://listing/a-b.jpg",
        "memory://listing/a/1.jpg",
        "memory://listing/a/2.jpg",
    ]
    assert {it.size for it in found} == {3}
