from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from generic.errors import ImageError
from generic.photos.find import RAW_SUFFIXES, SUFFIXES, find_album, find_images, find_named, shown_by


def named(roots: list[Path]) -> tuple[list[Path], list[str]]:
    """Photos and names."""
    album, names = find_named(roots)
    return album.photos, names


def message(action: Callable[[], object]) -> str:
    with pytest.raises(ImageError) as caught:
        action()
    text = str(caught.value)
    assert "\n" not in text
    return text


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_find_images_sorted_without_hidden_ones(tmp_path):
    names = [
        "B.JPG",
        "a.jpeg",
        "sub/c.Png",
        "sub/deep/d.heic",
        "sub.tif",
        *(f"z{i}{s}" for i, s in enumerate(SUFFIXES)),
    ]
    hidden = [".x.jpg", "._a.jpeg", ".trash/e.jpg", "sub/.thumbs/f.jpg", "notes.txt", "jpg", "sidecar.xmp"]
    touch(tmp_path, *names, *hidden)
    expected = sorted(tmp_path / name for name in names)
    assert find_images(tmp_path) == expected
    assert find_images(str(tmp_path)) == expected
    assert find_images(tmp_path, recursive=False) == [file for file in expected if file.parent == tmp_path]


def test_find_images_in_a_hidden_root(tmp_path):
    touch(tmp_path, ".photos/a.jpg")
    assert find_images(tmp_path / ".photos") == [tmp_path / ".photos" / "a.jpg"]


def test_find_images_takes_a_single_file_whatever_its_suffix(tmp_path):
    touch(tmp_path, "photo")
    assert find_images(tmp_path / "photo") == [tmp_path / "photo"]


def test_find_images_reads_a_folder_inside_itself_once(tmp_path):
    """One loop only: without a memory of where it was, it is listed some forty times and then given up."""
    touch(tmp_path, "sub/a.jpg")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to("itself")
    assert find_images(tmp_path) == [tmp_path / "sub" / "a.jpg"]


def test_find_images_follows_links_and_reads_each_folder_once(tmp_path):
    root = tmp_path / "root"
    touch(tmp_path, "root/sub/a.jpg", "elsewhere/b.jpg")
    (root / "again").symlink_to(root / "sub")
    (root / "album").symlink_to(tmp_path / "elsewhere")
    (root / "broken.jpg").symlink_to(tmp_path / "gone")
    assert find_images(root) == [root / "album" / "b.jpg", root / "broken.jpg", root / "sub" / "a.jpg"]


@pytest.mark.parametrize(
    ("recursive", "where"), [(True, "in it or the folders inside"), (False, "directly in it")]
)
def test_find_images_in_a_folder_without_any(tmp_path, recursive, where):
    touch(tmp_path, "notes.txt", ".a.jpg")
    assert message(lambda: find_images(tmp_path, recursive=recursive)) == (
        f"{tmp_path} holds no photos: no file {where} ends in .arw .avif .bmp .cr2 .cr3 .dng .gif .heic "
        ".heif .jfif .jpe .jpeg .jpg .nef .orf .pef .png .raf .rw2 .srw .tif .tiff .webp"
    )


def test_a_raw_photo_beside_its_jpeg_is_no_photo_of_its_own(tmp_path):
    pairs = ["a.CR2", "a.JPG", "sub/b.dng", "sub/b.jpeg", "c.nef", "c.jfif"]
    alone = ["d.arw", "sub/a.cr2", "b.jpg", "e.dng", "e.png", "f.1.raf", "f.jpg"]
    touch(tmp_path, *pairs, *alone)
    album = find_album(tmp_path)
    assert album.n_paired == 3
    expected = [tmp_path / name for name in (*pairs, *alone) if name not in ("a.CR2", "sub/b.dng", "c.nef")]
    assert album.photos == find_images(tmp_path) == sorted(expected)
    for name, shown in [
        ("a.CR2", "a.JPG"),
        ("sub/b.dng", "sub/b.jpeg"),
        ("d.arw", "d.arw"),
        ("b.jpg", "b.jpg"),
    ]:
        assert shown_by(tmp_path / name) == tmp_path / shown


def test_a_raw_photo_that_is_named_is_taken(tmp_path):
    touch(tmp_path, "a.CR2", "a.JPG")
    assert find_album(tmp_path / "a.CR2").photos == [tmp_path / "a.CR2"]


def test_files_of_other_formats_are_counted_by_suffix(tmp_path):
    others = ["a.jxl", "b.JXL", "sub/c.jp2", "d.psd", "film.MOV", "odd.Xyz"]
    told = ["a.xmp", "a.CR2.xmp", "ratings.csv", "scores.json", "notes.TXT", "README", ".hidden.jxl"]
    touch(tmp_path, "a.jpg", *others, *told)
    assert find_album(tmp_path).others == {".jp2": 1, ".jxl": 2, ".mov": 1, ".psd": 1, ".xyz": 1}
    assert find_album(tmp_path, recursive=False).others == {".jxl": 2, ".mov": 1, ".psd": 1, ".xyz": 1}
    assert find_album(tmp_path / "a.jpg").others == {}


def test_raw_suffixes_are_photos():
    assert set(RAW_SUFFIXES) < set(SUFFIXES)


def test_find_images_in_a_missing_folder(tmp_path):
    expected = f"{tmp_path / 'gone'} does not exist; check the path"
    assert message(lambda: find_images(tmp_path / "gone")) == expected


def test_find_images_in_an_unreadable_folder(tmp_path, without_rights):
    touch(tmp_path, "a.jpg", "sub/b.jpg")
    with without_rights(tmp_path / "sub"):
        text = message(lambda: find_images(tmp_path))
    assert text == f"{tmp_path / 'sub'} cannot be read: Permission denied; check the path and its permissions"


def test_listing_a_folder_needs_neither_numpy_nor_pillow():
    code = "import sys, generic.photos.find; print(sorted({'numpy', 'PIL'} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_photos_of_one_folder_are_named_below_it_and_of_several_as_they_were_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "one/a.jpg", "one/sub/b.jpg", "two/a.jpg")
    one, two = Path("one"), Path("two")
    assert named([one]) == ([one / "a.jpg", one / "sub/b.jpg"], ["a.jpg", "sub/b.jpg"])
    assert named([one / "a.jpg"]) == ([one / "a.jpg"], ["a.jpg"])
    paths, names = named([one, tmp_path / "two"])
    assert paths == [one / "a.jpg", one / "sub/b.jpg", tmp_path / "two/a.jpg"]
    assert names == ["one/a.jpg", "one/sub/b.jpg", (tmp_path / "two/a.jpg").as_posix()]
    # Each once, however it is named.
    assert len(named([one, one / "a.jpg", tmp_path / "one", Path("two/../one/sub"), two])[0]) == 3
    assert message(lambda: find_named([one, tmp_path / "none"])) == (
        f"{tmp_path / 'none'} does not exist; check the path"
    )
