"""A wall in a real browser, from a file: it orders, filters and enlarges, by mouse and by keyboard."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

from piaa.wall.tile import Tile, Wall
from piaa.wall.wall import write_wall

NAMES = ("桜の花 été.jpg", "<img src=x onerror=alert(1)>.jpg", "100%#1?.jpg", "plain.jpg")
CROWD, SCORES, OWN = (3, 4, 1, 2), (4.5, 4.0, 2.5, 1.5), (5.0, None, None, 2.0)


@pytest.fixture
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip(reason="there is no Chromium")
    with playwright.sync_playwright() as running:
        options = ["--no-sandbox", "--disable-background-networking"]
        browser = running.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, tmp_path):
    """The wall, open; what it complains of and what it fetches is noted."""
    (tmp_path / "photos").mkdir()
    tiles = []
    for number, name in enumerate(NAMES):
        Image.new("RGB", (120 + number, 90), "teal").save(tmp_path / "photos" / name)
        facts = {"score": SCORES[number], "crowd": CROWD[number], "own": OWN[number]}
        path = tmp_path / "photos" / name
        tiles.append(Tile(path=path, identity=f"{number:0<64}", name=name, low=1.0, high=5.0, **facts))
    index = write_wall(Wall(title="Ranked for ana", tiles=tiles, user="ana"), tmp_path / "wall")
    page = chromium.new_page(viewport={"width": 390, "height": 800})
    page.trouble, page.fetched = [], []
    page.on("console", lambda message: page.trouble.append(message.text))
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on("request", lambda request: page.fetched.append(request.url))
    page.goto(index.as_uri())
    yield page
    assert page.trouble == []
    assert all(url.startswith(tmp_path.as_uri()) for url in page.fetched)


def names(page):
    return page.locator("main .name:visible").all_text_contents()


def test_the_wall_is_ordered_and_filtered(page):
    assert names(page) == list(NAMES)
    assert page.inner_text("#count") == "4 of 4 photos"
    page.check("input[value=crowd]")
    assert names(page) == [NAMES[2], NAMES[3], NAMES[0], NAMES[1]]
    page.check("input[value=both]")
    assert names(page)[:4] == [NAMES[0], NAMES[1], NAMES[2], NAMES[3]]
    assert names(page)[4:] == [NAMES[2], NAMES[3], NAMES[0], NAMES[1]]
    page.check("input[value=own]")
    page.fill("#least", "3.9")
    assert (names(page), page.inner_text("#count")) == (list(NAMES[:2]), "2 of 4 photos")
    page.fill("#least", "1")
    page.select_option("select[name=rated]", "no")
    assert names(page) == [NAMES[1], NAMES[2]]
    page.select_option("select[name=rated]", "")
    page.fill("input[name=text]", "ÉTÉ")
    assert names(page) == [NAMES[0]]


def test_photos_are_enlarged_by_keyboard_and_by_mouse(page):
    page.focus("main figure a")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    large = page.locator("#large img")
    for number in (1, 2, 3):
        assert large.get_attribute("alt") == NAMES[number]
        assert page.text_content("#large .said").endswith(f" crowd {CROWD[number]} {NAMES[number]}")
        assert large.evaluate("image => image.decode().then(() => image.naturalWidth)") == 120 + number
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    assert not page.locator("#large").is_visible()
    page.click("main figure a >> nth=0")
    assert page.locator("#large").is_visible()
    page.click("#large button[value=close]")
    assert not page.locator("#large").is_visible()


def test_nothing_is_wider_than_a_telephone(page):
    assert page.evaluate("document.documentElement.scrollWidth") == 390
