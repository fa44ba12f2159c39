"""A person is learned from her own stars: each once, none of ours, and again only what changed."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from generic.model.checkpoint import load_checkpoint, read_header, save_checkpoint
from piaa.demo.scenes import draw_scenes, render

pytestmark = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="needs exiftool: apt-get install libimage-exiftool-perl"
)
N = 30


def exiftool(*arguments: object) -> None:
    command = ["exiftool", "-q", "-q", "-m", "-overwrite_original", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def told(result) -> str:
    """What was said beside the result, but for the note that a rendered album is unlike photos."""
    lines = result.stderr.splitlines(keepends=True)
    return "".join(line for line in lines if "unlike those that" not in line)


@pytest.fixture(scope="session")
def scenes(fixed_folder) -> Path:
    """Thirty rendered photos, of which 25 have one to five stars each; do not change."""
    folder = fixed_folder / "starred"
    folder.mkdir()
    for number, scene in enumerate(draw_scenes(N, 5)):
        render(scene, (96, 72)).save(folder / f"{number:02d}.jpg", quality=92)
    for stars in range(1, 6):
        exiftool(f"-XMP-xmp:Rating={stars}", *(folder / f"{n:02d}.jpg" for n in range(stars - 1, 25, 5)))
    return folder


@pytest.fixture
def photos(scenes, tmp_path) -> Path:
    return Path(shutil.copytree(scenes, tmp_path / "photos"))


@pytest.fixture
def learn(piaa, photos, tiny_model):
    """``learn(...)``: the command on these photos; ``learn(..., as_json=True)``: what it says."""

    def run(*args, folder: Path = photos, as_json: bool = False):
        options = ("--user", "ana", "--model", tiny_model, *(["--json"] if as_json else []))
        result = piaa("learn", folder, *options, *args)
        assert result.exit_code == 0 or not as_json, result.stdout
        return json.loads(result.stdout) if as_json else result

    return run


STARS = "5* 5, 4* 5, 3* 5, 2* 5, 1* 5"


def test_stars_are_found_proved_and_learned(learn, rated, tiny_model, user_folders):
    result = learn()
    assert result.exit_code == 0, result.stderr
    found, learned, *_, stored = result.stdout.splitlines()
    proof = found.removeprefix(
        f"Found 25 rated photos ({STARS}); learned from 20, 5 held out: of 100 pairs of "
    )
    assert proof.startswith("them it puts ")
    assert " in your order, the crowd's ranking " in proof
    assert learned == (f"ana: learned from 25 ratings (auto on piaa-tiny {read_header(tiny_model).hash[:8]})")
    assert stored == f"stored: {user_folders / 'piaa.db'}, version 1"
    assert rated("ana") == {f"{n:02d}.jpg": n % 5 + 1 for n in range(25)}


def test_again_only_what_changed_is_said(learn, photos, piaa, rated):
    assert learn().exit_code == 0
    again = learn()
    assert again.stdout.splitlines()[1:] == ["ana: nothing new since the last time; what was learned counts"]
    assert again.stderr == "0 new, 0 changed, 25 as the last time\n"

    exiftool("-XMP-xmp:Rating=5", photos / "00.jpg")
    exiftool("-XMP-xmp:Rating=0", photos / "01.jpg")
    exiftool("-XMP-xmp:Rating=2", photos / "29.jpg")
    said = learn(as_json=True)
    counts = ("n_new", "n_changed", "n_same", "n_gone", "version")
    assert [said[key] for key in counts] == [1, 1, 23, 1, 2]
    assert rated("ana") == {**{f"{n:02d}.jpg": n % 5 + 1 for n in range(25)}, "00.jpg": 5, "29.jpg": 2}
    history = json.loads(piaa("users", "history", "ana", "--json").stdout)
    assert [(one["what"], one["source"], one["n_added"]) for one in history] == [
        ("rate", "xmp", 25),
        ("rate", "xmp", 2),
    ]


def test_what_she_told_piaa_since_is_not_overridden_by_the_same_star(learn, rate, photos, rated):
    assert learn().exit_code == 0
    assert rate("ana", {"00.jpg": 4}, "--add", folder=photos).exit_code == 0
    assert learn().exit_code == 0
    assert rated("ana")["00.jpg"] == 4
    exiftool("-XMP-xmp:Rating=3", photos / "00.jpg")
    assert learn().exit_code == 0
    assert rated("ana")["00.jpg"] == 3


def test_an_import_that_was_undone_can_be_made_again(learn, piaa, rated):
    assert learn().exit_code == 0
    assert piaa("users", "undo", "ana").exit_code == 0
    assert rated("ana") == {}
    assert learn(as_json=True)["n_new"] == 25
    assert len(rated("ana")) == 25


def test_rejected_and_picked_photos_are_flags_and_no_scores(learn, photos, shown):
    exiftool("-XMP-xmp:Rating=-1", photos / "00.jpg")
    exiftool("-XMP-digiKam:PickLabel=3", photos / "01.jpg")
    result = learn()
    assert "5* 5, 4* 5, 3* 5, 2* 5, 1* 4, 1 rejected, 1 picked)" in result.stdout
    said = shown("ana")
    assert {one["image"]: one["flag"] for one in said["flags"]} == {"00.jpg": "reject", "01.jpg": "pick"}
    assert "00.jpg" not in {one["image"] for one in said["ratings"]}
    assert len(learn(as_json=True)["places"]) == 1
    assert len(shown("ana")["flags"]) == 2


def test_one_picture_twice_and_raw_with_jpeg_count_once(learn, photos, rated):
    shutil.copy(photos / "00.jpg", photos / "copy.jpg")
    exiftool("-XMP-xmp:Rating=4", photos / "copy.jpg")
    (photos / "01.CR2").write_bytes(b"no raw photo")
    exiftool("-XMP-xmp:Rating=5", photos / "01.xmp")
    result = learn()
    assert told(result) == ("2 photos with different stars; what counts first: sidecars, XMP in the photo\n")
    assert rated("ana") == {f"{n:02d}.jpg": n % 5 + 1 for n in range(25)} | {"01.jpg": 5}


def test_a_lightroom_catalogue_counts_first_and_stays_as_it_is(learn, photos, rated, tmp_path, piaa):
    path = tmp_path / "a.lrcat"
    with closing(sqlite3.connect(path)) as file:
        file.executescript(
            "CREATE TABLE AgLibraryRootFolder (id_local, absolutePath);"
            "CREATE TABLE AgLibraryFolder (id_local, pathFromRoot, rootFolder);"
            "CREATE TABLE AgLibraryFile (id_local, baseName, extension, folder);"
            "CREATE TABLE Adobe_images (id_local, rootFile, rating, pick, masterImage);"
            "INSERT INTO AgLibraryFolder VALUES (1, '', 1);"
            "INSERT INTO AgLibraryFile VALUES (1, '00', 'jpg', 1), (2, '29', 'jpg', 1);"
            "INSERT INTO Adobe_images VALUES (1, 1, 5, 0, NULL), (2, 2, 4, 1, NULL);"
        )
        file.execute("INSERT INTO AgLibraryRootFolder VALUES (1, ?)", [f"{photos.as_posix()}/"])
        file.commit()
    before = path.read_bytes()
    result = learn("--lightroom", path)
    assert result.exit_code == 0, result.stderr
    assert told(result) == (
        "1 photo with different stars; what counts first: the Lightroom catalogue, XMP in the photo\n"
    )
    assert path.read_bytes() == before
    assert (rated("ana")["00.jpg"], rated("ana")["29.jpg"]) == (5, 4)
    history = json.loads(piaa("users", "history", "ana", "--json").stdout)
    assert [(one["source"], one["what"]) for one in history] == [
        ("xmp", "rate"),
        ("lightroom", "rate"),
        ("lightroom", "flag"),
    ]


def test_no_star_at_all_is_one_line_and_nothing_is_stored(learn, album, user_folders):
    result = learn(folder=album)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "piaa: none of 12 photos has a star; rate some in the program that you use and save the stars into "
        "the files or sidecars, or name its catalogue with --lightroom\n"
    )
    assert not (user_folders / "piaa.db").exists()


def test_stars_beside_ratings_on_another_scale_are_refused_before_any_photo_is_read(piaa, fit, learn):
    assert fit("ana", "--scale", "0", "10").exit_code == 0
    result = learn()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "piaa: user 'ana' rated on 0..10 so far, but stars are 1..5; learn them as another user, or put "
        "ratings on 1..5 in the place of the old ones: piaa fit-user --replace\n"
    )


@pytest.mark.parametrize("name", ["bomb.jpg.xmp", "a\nb.xmp"])
def test_what_cannot_be_understood_is_named_on_one_line(learn, photos, name):
    shutil.copy(photos / "29.jpg", photos / f"{name.split('.')[0]}.jpg")
    (photos / name).write_text('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    result = learn()
    assert result.exit_code == 0
    first, second = told(result).splitlines()
    assert first == "skipped 1 of 31 photos and sidecars:"
    assert second.endswith(
        " cannot be read as XMP: it has a DOCTYPE, which XMP has not; let the program that wrote it write it "
        "again, or take it away (it is unchanged)"
    )


def test_few_stars_are_learned_without_a_proof(learn, photos):
    for path in list(photos.iterdir())[10:]:
        path.unlink()
    result = learn()
    assert result.exit_code == 0
    assert (
        "fewer than 20 rated photos, or all alike: nothing was held out to check it with\n" in result.stderr
    )


def test_nothing_is_learned_from_our_own_stars_whatever_program_carried_them(learn, photos, piaa, tiny_model):
    assert learn().exit_code == 0
    before = {path: path.read_bytes() for path in photos.iterdir()}
    options = ("--user", "ana", "--model", tiny_model)
    written = piaa("score", photos, *options, "--write-xmp", "--write-stars")
    assert written.exit_code == 0, written.stderr
    again = learn(as_json=True)
    assert (again["n_ours"], again["n_new"], again["n_changed"]) == (5, 0, 0)
    # As Lightroom does it: the star goes from the sidecar into the photo, and the sidecar away.
    for path in list(photos.glob("2[5-9].jpg")):
        exiftool("-tagsFromFile", f"{path}.xmp", "-XMP-xmp:Rating", path)
    for path in list(photos.glob("*.xmp")):
        path.unlink()
    again = learn(as_json=True)
    assert (again["n_ours"], again["n_new"], again["n_changed"]) == (5, 0, 0)
    # Somebody new, in a store that knows nothing, is told by the sidecars.
    for path, content in before.items():
        path.write_bytes(content)
    assert piaa("score", photos, *options, "--write-xmp", "--write-stars").exit_code == 0
    stranger = learn("--store", photos.parent / "other.db", as_json=True)
    assert (stranger["n_ours"], stranger["n_new"]) == (5, 25)
    assert stranger["stars"] == {"5": 5, "4": 5, "3": 5, "2": 5, "1": 5}


def test_another_model_learns_from_the_same_stars(learn, piaa, photos, rate, rated, tiny_model, tmp_path):
    if tiny_model.suffix != ".safetensors":
        pytest.skip("makes another model of a file in safetensors")
    header, tensors = load_checkpoint(tiny_model)
    other = tmp_path / "other.safetensors"
    save_checkpoint(other, replace(header, scale=(0.0, 10.0)), tensors)
    assert learn().exit_code == 0
    assert rate("ana", {"00.jpg": 4}, "--add", folder=photos).exit_code == 0
    said = rated("ana")
    result = piaa("learn", photos, "--user", "ana", "--model", other)
    assert result.exit_code == 0, result.stderr
    assert told(result).endswith("0 new, 0 changed, 25 as the last time\n")
    assert rated("ana") == said
    assert piaa("score", photos, "--user", "ana", "--model", other).exit_code == 0
    again = piaa("learn", photos, "--user", "ana", "--model", other)
    assert again.stdout.splitlines()[1:] == ["ana: nothing new since the last time; what was learned counts"]
