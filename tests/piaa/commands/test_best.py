"""``piaa score`` with what it does beside showing a ranking, as a person uses it."""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image


@pytest.fixture
def ranked(score):
    """Names in the order of ``piaa score``, with further options."""
    return lambda *args, **options: [
        row["image"] for row in json.loads(score("--json", *args, **options).stdout)["scores"]
    ]


@pytest.fixture
def burst_album(album, names, tmp_path):
    """The album, and of its third photo two more pictures: PNGs of the same pixels, one a little brighter."""
    folder = tmp_path / "burst"
    shutil.copytree(album, folder)
    with Image.open(album / names[2]) as photo:
        photo.save(folder / "again.png")
        photo.point(lambda value: min(255, value + 1)).save(folder / "brighter.png")
    return folder


def test_only_photos_that_she_has_not_rated(score, ranked, names, tmp_path):
    assert ranked("--unrated") == [name for name in ranked() if name in names[10:]]
    result = score("--unrated", "--top", "1")
    assert result.stderr == "left out 10 photos rated already\n"
    assert len(result.stdout.splitlines()) == 2
    assert json.loads(score("--unrated", "--json").stdout)["left_out_rated"] == 10


def test_a_rating_is_known_whatever_the_photo_is_called(ranked, album, names, tmp_path):
    folder = tmp_path / "renamed"
    folder.mkdir()
    for number in (0, 10):
        shutil.copyfile(album / names[number], folder / f"{number}{(album / names[number]).suffix}")
    assert ranked("--unrated", photos=folder) == ["10.jpg"]


def test_all_are_rated(piaa, fit, album, names, tiny_model):
    assert fit().exit_code == 0
    result = piaa("score", album / names[0], "--user", "ana", "--unrated", "--model", tiny_model)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "piaa: the only photo is rated already; leave out --unrated, or name a folder with "
        "photos that are not\n"
    )


def test_unrated_needs_somebody(piaa, album, tiny_model):
    result = piaa("score", album, "--unrated", "--model", tiny_model)
    assert result.exit_code == 2
    assert "--unrated needs --user NAME: whose ratings?" in " ".join(result.stderr.replace("│", "").split())


def test_the_best_of_each_burst(score, ranked, burst_album, names):
    everything = ranked(photos=burst_album)
    burst = [name for name in everything if name in (names[2], "again.png", "brighter.png")]
    assert ranked("--per-burst", 1, photos=burst_album) == [n for n in everything if n not in burst[1:]]
    assert ranked("--per-burst", 2, photos=burst_album) == [n for n in everything if n not in burst[2:]]
    result = score("--per-burst", 1, "--top", 1, photos=burst_album)
    assert result.stderr == "left out 2 photos of bursts that have better ones\n"


def test_the_crowds_ranking_too(piaa, burst_album, tiny_model, warm):
    result = piaa("score", burst_album, "--per-burst", 1, "--model", tiny_model, "--json")
    content = json.loads(result.stdout)
    assert (len(content["scores"]), content["left_out_of_bursts"]) == (12, 2)


def test_the_best_are_copied_and_linked(score, ranked, album, tmp_path):
    best, links = tmp_path / "best", tmp_path / "links"
    result = score("--copy-top", 3, best, "--link-top", 2, links, "--top", 1)
    assert result.stderr.splitlines() == [f"3 photos copied to {best}", f"2 photos linked to {links}"]
    top = ranked()
    for image in top[:3]:
        assert (best / image.split("/")[-1]).read_bytes() == (album / image).read_bytes()
    assert len(list(best.iterdir())) == 3
    assert {path.resolve() for path in links.iterdir()} == {(album / image).resolve() for image in top[:2]}
    content = json.loads(score("--copy-top", 3, best, "--json").stdout)
    assert content["copy_top"]["there_already"] == [image.split("/")[-1] for image in top[:3]]


def test_the_raw_file_of_a_photo_goes_where_its_jpeg_goes(score, ranked, album, tmp_path):
    folder, best = tmp_path / "pairs", tmp_path / "best"
    shutil.copytree(album, folder)
    first, second = [name for name in ranked(photos=folder) if name.endswith(".jpg")][:2]
    raw = folder / f"{first.removesuffix('.jpg')}.CR2"
    raw.write_bytes(b"raw of the first")
    assert raw.name not in ranked(photos=folder)
    n = ranked(photos=folder).index(second) + 1
    result = score("--copy-top", n, best, "--top", 1, photos=folder)
    assert result.stderr.splitlines()[-1] == f"{n} photos copied to {best}, with 1 raw file"
    assert (best / raw.name).read_bytes() == raw.read_bytes()
    assert len(list(best.iterdir())) == n + 1
    result = score("--copy-top", n, best, "--top", 1, photos=folder)
    assert result.stderr.splitlines()[-1] == f"0 photos copied to {best}, {n} photos there already"
    score("--link-top", n, tmp_path / "links", "--top", 1, photos=folder)
    assert (tmp_path / "links" / raw.name).readlink() == raw


def test_folders_are_refused_before_the_work(score, album, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    for option in (("--copy-top", 3), ("--link-top", 3), ("--html",)):
        result = score(*option, tmp_path / "link")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == (
            f"piaa: cannot write into {tmp_path / 'link'}: it is a link to {tmp_path}; name the folder "
            "itself\n"
        )
        result = score(*option, album / "best")
        assert result.stderr == (
            f"piaa: cannot write into {album / 'best'}: it lies in {album}, whose photos are ranked, and "
            "what is written would be ranked with them next time; name a folder elsewhere\n"
        )
    assert not (album / "best").exists()
    assert score("--copy-top", 0, tmp_path / "best").exit_code == 2


def test_nothing_is_copied_where_nothing_is_to_be_written(score, tmp_path):
    result = score("--write-xmp", "--dry-run", "--copy-top", 3, tmp_path / "best")
    assert result.exit_code == 2
    assert "leave out --dry-run and --undo" in " ".join(result.stderr.replace("│", "").split())
    assert not (tmp_path / "best").exists()


def test_a_wall(score, ranked, names, tmp_path):
    wall = tmp_path / "wall"
    result = score("--html", wall, "--top", 5)
    assert result.stderr == f"look at it: {wall / 'index.html'}\n"
    page = (wall / "index.html").read_text()
    assert "<h1>Ranked for ana</h1>\n<p>The best 5 of 12 photos, scores on 1..5 by piaa-tiny</p>" in page
    assert page.count("<figure") == len(list((wall / "thumbnails").iterdir())) == 5
    places = [page.index(f'<bdi class="name">{image}</bdi>') for image in ranked()[:5]]
    assert places == sorted(places)
    assert page.count('data-own="') == len([image for image in ranked()[:5] if image in names[:10]])
    assert json.loads(score("--html", wall, "--json").stdout)["html"] == str(wall / "index.html")


def test_a_wall_of_the_crowds_ranking_says_what_was_left_out(piaa, damaged_album, tiny_model, warm, tmp_path):
    result = piaa("score", damaged_album, "--html", tmp_path / "wall", "--model", tiny_model)
    assert result.exit_code == 0
    page = (tmp_path / "wall" / "index.html").read_text()
    assert "<h1>The crowd’s ranking</h1>" in page
    assert "<summary>2 photos left out</summary>" in page
    assert 'name="view"' not in page
