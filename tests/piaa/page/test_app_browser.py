"""The page as a person uses it, in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import time

import pytest

from piaa.store.store import Store


@pytest.fixture
def view(chromium, opened):
    """``view()`` is the opened page in a window of its own; what its console says fails the test.

    All windows are of one browser, which alone is let in: they share its cookies.
    """
    contexts, said = [], []

    def show(width=1280, height=800, scheme="dark"):
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        if contexts:
            context.add_cookies(contexts[-1].cookies())
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(opened.address or opened.start())
        wait(page, "document.querySelectorAll('.tile img').length === 12")
        return page

    show.said = said
    yield show
    for context in contexts:
        context.close()


def order(page):
    """Names of the photos as the wall shows them."""
    labels = page.eval_on_selector_all(
        ".tile button.open",
        "tiles => tiles.map(one => one.ariaLabel.split(', ')).sort((a, b) => a[0] - b[0]).map(one => one[1])",
    )
    assert len(labels) == 12
    return labels


def ratings(opened, user="ana"):
    store = Store(opened.environment["PIAA_STORE"])
    return [one.score for one in store.rated(user)]


TOLD = "#told"
SIDECAR = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{}"/></rdf:RDF>'
    "</x:xmpmeta>"
)


def wait(page, expression, timeout_s=60):
    """Until an expression is true; asked from outside: the page's policy lets no text become a script."""
    end = time.monotonic() + timeout_s
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"waited in vain for {expression}: {page.inner_text(TOLD)}"
        page.wait_for_timeout(20)


def test_a_person_rates_compares_undoes_and_goes_on_after_a_kill(view, opened, photos):
    page = view()
    before = order(page)
    assert "token" not in page.url

    page.keyboard.press("t")  # rate what teaches most, ten by keys
    page.wait_for_selector("#loupe[open]")
    asked = []
    for number, key in enumerate("5142351424", 1):
        asked.append(page.inner_text("#loupe .name"))
        page.keyboard.press(key)
        if number < 10:
            wait(page, f"document.querySelector('#loupe .name').textContent !== {json.dumps(asked[-1])}")
    wait(page, "document.querySelector('#worth').textContent.startsWith('10 ratings')")
    assert len(set(asked)) == 10
    assert len(ratings(opened)) == 10

    page.keyboard.press("Control+z")
    wait(page, "document.querySelector('#worth').textContent.startsWith('9 ratings')")
    page.keyboard.press("Control+Shift+Z")
    wait(page, "document.querySelector('#worth').textContent.startsWith('10 ratings')")
    page.keyboard.press("Escape")
    wait(page, "document.querySelectorAll('.tile .own').length === 10")
    after = order(page)
    assert after != before
    assert {after[0], after[1]} == {asked[0], asked[5]}  # those with five stars

    page.keyboard.press("c")  # five pairs
    page.wait_for_selector("#duel[open] img")
    for number, key in enumerate(("ArrowLeft", "ArrowRight", "=", "ArrowLeft", "ArrowRight"), 1):
        page.keyboard.press(key)
        wait(page, f"document.querySelector('#duel .asked').textContent.includes('{number} answer')")
    page.keyboard.press("Escape")
    wait(page, "document.querySelector('#worth').textContent.includes('5 comparisons')")
    best = set(order(page)[:2])

    opened.kill()
    page.wait_for_selector("#offline:not([hidden])")
    assert page.inner_text("#offline").startswith("piaa does not answer. Every answer so far is saved")
    opened.start()
    again = view()
    wait(again, "document.querySelectorAll('.tile .own').length === 10")
    assert set(order(again)[:2]) == best
    assert len(ratings(opened)) == 11  # the one that was undone and redone twice, as history
    known = Store(opened.environment["PIAA_STORE"]).said("ana", "")
    assert (len(known.ratings), len(known.comparisons)) == (10, 5)


def test_sidecars_are_shown_written_and_taken_back(view, photos):
    page = view()
    page.focus(".tile button.open")
    page.keyboard.press("4")
    page.wait_for_selector(".tile .own")
    page.click("#save")
    page.click("#saving [data-do=look]")
    wait(
        page,
        "document.querySelector('#sidecar-result').textContent.startsWith('12 sidecars would be written')",
    )
    assert not list(photos.rglob("*.xmp"))
    page.click("#saving [data-do=write]")
    wait(page, "document.querySelector('#sidecar-result').textContent.startsWith('12 sidecars written')")
    assert len(list(photos.rglob("*.xmp"))) == 12
    page.click("#saving [data-do=back]")
    wait(page, "document.querySelector('#sidecar-result').textContent.includes('12 removed')")
    assert not list(photos.rglob("*.xmp"))
    assert view.said == []


def test_flags_filters_and_the_loupe_by_keys(view):
    page = view()
    page.focus(".tile button.open")
    page.keyboard.press("Enter")
    page.wait_for_selector("#loupe[open]")
    first = page.inner_text("#loupe .name")
    page.keyboard.press("x")
    wait(page, f"document.querySelector('#loupe .name').textContent !== {json.dumps(first)}")
    page.keyboard.press("p")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("z")
    page.wait_for_selector(".stage.zoomed")
    page.keyboard.press("z")
    page.keyboard.press("Escape")
    page.select_option("[name=flag]", "reject")
    wait(page, "document.querySelectorAll('.tile').length === 1")
    assert page.inner_text(".tile .mark") == "✕"
    page.select_option("[name=flag]", "")
    page.fill("[name=text]", "late august")
    wait(page, "document.querySelectorAll('.tile').length === 2")
    assert view.said == []


def test_scores_on_the_wall_say_how_far_they_may_be_off(view):
    page = view()
    page.focus(".tile button.open")
    page.keyboard.press("5")
    wait(page, "[...document.querySelectorAll('.tile .guess')].filter(one => one.title).length === 11")
    assert re.fullmatch(
        r"8 of 10 of your ratings are expected between [\d.]+ and [\d.]+",
        page.locator(".tile .guess").first.get_attribute("title"),
    )
    assert view.said == []


def test_two_tabs_and_two_people(view, opened):
    one, other = view(), view()
    one.focus(".tile button.open")
    one.keyboard.press("5")
    other.wait_for_selector(".tile .own")  # the other tab follows by itself
    other.select_option("#user", "")
    other.fill("#newcomer-name", "ben <img src=x onerror=document.title='caught'>")
    other.click("#newcomer [data-do=add]")
    wait(other, "document.querySelectorAll('.tile .own').length === 0")
    other.focus(".tile button.open")
    other.keyboard.press("1")
    other.wait_for_selector(".tile .own")
    assert other.title() == "photos · piaa"
    wait(other, "document.querySelector('[name=other]').options.length > 0")
    other.select_option("[name=sort]", label="where you two differ most")
    other.wait_for_selector("#second select")
    assert ratings(opened) == [5.0]
    assert ratings(opened, "ben <img src=x onerror=document.title='caught'>") == [1.0]
    assert view.said == []


PAIR = "[...document.querySelectorAll('#duel .two button')].map((button) => button.ariaLabel).join()"


def test_pairs_that_were_skipped_come_back(view):
    page = view()
    page.keyboard.press("c")
    wait(page, "document.querySelector('#duel').open")
    while page.evaluate("document.querySelector('#duel').open"):
        pair = page.evaluate(PAIR)
        page.keyboard.press("s")
        wait(page, f"!document.querySelector('#duel').open || {PAIR} !== {json.dumps(pair)}")
    page.keyboard.press("c")
    wait(page, "document.querySelector('#duel').open")


def test_a_pair_that_was_not_shown_is_not_skipped(view):
    page = view()
    page.keyboard.press("c")
    wait(page, "document.querySelector('#duel').open")
    first, asked = page.evaluate(PAIR), []
    page.on("request", lambda request: "/api/pair" in request.url and asked.append(request.url))
    twice = "document.querySelector('#duel [data-do=skip]').click();" * 2
    page.evaluate(f"() => {{ {twice} }}")
    wait(page, f"{PAIR} !== {json.dumps(first)}")
    assert [url.partition("skip=")[2][:1] for url in asked] == ["1"]


TOAST = "(document.querySelector('#toast').hidden ? '' : document.querySelector('#toast').textContent)"
"""What is told for a few seconds."""


@pytest.mark.parametrize(("key", "path", "dialog"), [("t", "ask", "#loupe"), ("c", "pair", "#duel")])
def test_what_cannot_be_asked_is_told(view, key, path, dialog):
    page = view()
    refusal = {"status": 400, "content_type": "application/json", "body": '{"error": "out of questions"}'}
    # One route from first to last: while one is taken away and another set, a request can slip through.
    deals = [
        lambda route: route.fulfill(**refusal),
        lambda route: route.abort(),
        lambda route: route.continue_(),
    ]
    page.route(f"**/api/{path}*", lambda route: deals[0](route))
    page.keyboard.press(key)
    wait(page, TOAST + " === 'out of questions'")
    deals.pop(0)
    page.keyboard.press(key)
    wait(page, TOAST + ".startsWith('piaa does not answer. Every answer so far is saved')")
    assert not page.evaluate(f"document.querySelector('{dialog}').open")
    deals.pop(0)
    page.keyboard.press(key)
    page.wait_for_selector(f"{dialog}[open]")


def test_a_photo_that_changes_while_she_looks_at_it_is_shown_anew(view, photos):
    page = view()
    page.select_option("[name=sort]", "name")
    first = "[...document.querySelectorAll('.tile')].find(one => one.ariaPosInSet === '1')"
    wait(page, f"{first}?.innerText.includes('photo-01')")
    page.evaluate(f"{first}.querySelector('button').click()")
    page.wait_for_selector("#loupe[open]")
    before = page.get_attribute("#loupe .stage img", "src")
    shutil.copy(photos / "photo-02.jpg", photos / "photo-01.jpg")
    page.keyboard.press("5")  # of what is not there any more
    page.wait_for_selector("#toast:not([hidden])")
    wait(page, f"document.querySelector('#loupe .stage img').getAttribute('src') !== {json.dumps(before)}")
    assert page.inner_text("#loupe .name") == "photo-01.jpg"
    assert page.locator(".tile .own").count() == 0
    page.wait_for_timeout(300)
    page.keyboard.press("4")
    page.wait_for_selector(".tile .own", state="attached")


def test_stars_of_the_files_are_learned_and_taken_back(view, photos):
    for number, stars in ((1, 5), (2, 1), (3, 4)):
        (photos / f"photo-0{number}.jpg.xmp").write_text(SIDECAR.format(stars))
    page = view()
    page.click("#found .main")
    wait(page, "document.querySelectorAll('.tile .own').length === 3")
    page.keyboard.press("Control+z")
    wait(page, "document.querySelectorAll('.tile .own').length === 0")
    assert view.said == []


def test_a_name_with_markup_is_a_name(view, photos):
    (photos / "photo-01.jpg").rename(photos / "<img src=x onerror=document.title='caught'>.jpg")
    page = view()
    page.select_option("[name=sort]", "name")
    first = "[...document.querySelectorAll('.tile')].find(one => one.ariaPosInSet === '1')"
    wait(page, f"{first}.innerText.includes('onerror')")
    page.evaluate(f"{first}.querySelector('button').focus()")
    page.keyboard.press("Enter")
    page.wait_for_selector("#loupe[open]")
    assert page.inner_text("#loupe .name") == "<img src=x onerror=document.title='caught'>.jpg"
    assert page.title() == "photos · piaa"
    assert view.said == []


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(1280, 800, "light"), (1280, 800, "dark"), (390, 844, "light")]
)
def test_axe_finds_nothing_serious_and_nothing_leaves_the_window(view, width, height, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = view(width, height, scheme)
    views = {
        "wall": lambda: page.focus(".tile button.open"),
        "loupe": lambda: page.keyboard.press("Enter"),
        "why": lambda: page.keyboard.press("w"),
        "compare": lambda: (
            page.keyboard.press("Escape"),
            page.keyboard.press("c"),
            page.wait_for_selector("#duel[open]"),
        ),
        "save": lambda: (page.keyboard.press("Escape"), page.click("#save")),
        "keys": lambda: (page.keyboard.press("Escape"), page.click("#help")),
    }
    for name, show in views.items():
        show()
        page.wait_for_timeout(400)
        found = axe.Axe().run(page).response["violations"]
        serious = [
            (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
        ]
        assert (name, serious) == (name, [])
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
