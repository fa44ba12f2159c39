"""Contact sheets: every photo where it should be, whatever the files and the captions are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generic.errors import OutputError, ShapeError
from piaa.demo.contact_sheet import Item, Section, contact_sheet, draw_contact_sheet, tile_boxes

THUMB = (120, 90)
MAT = (226, 226, 226)


@pytest.fixture
def photo(tmp_path):
    """A photo of a colour gradient in the shape of the field, or in another shape."""

    def make(name: str, size: tuple[int, int] = THUMB) -> Path:
        x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
        pixels = np.stack([x, y, np.full_like(x, 40.0)], axis=-1).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    return make


def sheet_of(
    *items: Item, columns: int = 3
) -> tuple[Image.Image, list[Path], list[tuple[int, int, int, int]]]:
    sections = [Section(title="All", items=items)]
    sheet, unreadable = draw_contact_sheet(sections, title="Test", columns=columns, thumb=THUMB)
    return sheet, unreadable, tile_boxes(sections, columns=columns, thumb=THUMB)[0]


def test_each_tile_shows_its_photo(photo):
    paths = [photo("a.png"), photo("b.png"), photo("c.png")]
    Image.new("RGB", THUMB, (200, 10, 10)).save(paths[1])
    sheet, unreadable, boxes = sheet_of(*(Item(image=path, caption=path.name) for path in paths), columns=2)
    assert unreadable == []
    for path, box in zip(paths, boxes, strict=True):
        with Image.open(path) as original:
            assert sheet.crop(box).tobytes() == original.convert("RGB").tobytes()


def test_tiles_are_laid_out_in_rows_and_do_not_overlap():
    items = [Item(image=Path("x"), caption="") for _ in range(7)]
    sections = [
        Section(title="one", items=items),
        Section(title="none", items=[]),
        Section(title="two", items=items[:2]),
    ]
    first, empty, last = tile_boxes(sections, columns=3, thumb=THUMB)
    assert (len(first), empty, len(last)) == (7, [], 2)
    assert {box[2] - box[0] for box in first + last} == {120}
    assert {box[3] - box[1] for box in first + last} == {90}
    assert len({box[1] for box in first}) == 3
    assert len({box[0] for box in first}) == 3
    assert first[3][1] > first[0][3]
    assert first[1][0] > first[0][2]
    assert min(box[1] for box in last) > max(box[3] for box in first)
    sheet, _ = draw_contact_sheet(sections, title="t", columns=3, thumb=THUMB)
    assert sheet.size[0] == 2 * 80 + 3 * 120 + 2 * 32
    assert sheet.size[1] > max(box[3] for box in last) + 60


@pytest.mark.parametrize("size", [(400, 100), (50, 300), (1, 200), (30, 20)])
def test_photos_keep_their_shape_on_a_neutral_mat(photo, size):
    Image.new("RGB", size, (200, 10, 10)).save(path := photo("odd.png", size))
    sheet, _, (box,) = sheet_of(Item(image=path, caption="odd"))
    tile = np.asarray(sheet.crop(box)).astype(int)
    red = (tile[..., 0] > 190) & (tile[..., 1] < 30)
    assert (tile[~red] == MAT).all()
    height, width = red.any(axis=1).sum(), red.any(axis=0).sum()
    assert red.sum() == height * width
    scale = min(120 / size[0], 90 / size[1])
    assert (width, height) == (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    # Centred: as much mat on one side as on the other.
    assert abs(int(red.any(axis=0).argmax()) - (120 - width) / 2) <= 1
    assert abs(int(red.any(axis=1).argmax()) - (90 - height) / 2) <= 1


def test_an_unreadable_photo_is_a_grey_tile_and_is_reported(photo, tmp_path, caplog):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    good = photo("good.png")
    items = [Item(image=p, caption=p.name) for p in (broken, good, tmp_path / "missing.jpg")]
    sheet, unreadable, boxes = sheet_of(*items)
    assert unreadable == [broken, tmp_path / "missing.jpg"]
    assert [record.getMessage() for record in caplog.records] == [
        f"contact sheet: {broken} is not an image: it begins with b'no photo', "
        "expected AVIF, BMP, GIF, HEIC, JPEG, PNG, raw, TIFF or WebP",
        f"contact sheet: {tmp_path / 'missing.jpg'} does not exist; check the path",
    ]
    for box in (boxes[0], boxes[2]):
        tile = np.asarray(sheet.crop(box))
        assert (tile[0] == 150).all()
        assert (tile == 240).any(), "the word is written on the tile"
        assert (tile[..., 0] == tile[..., 2]).all()
    with Image.open(good) as original:
        assert sheet.crop(boxes[1]).tobytes() == original.convert("RGB").tobytes()


def text_below(sheet: Image.Image, box: tuple[int, int, int, int]) -> np.ndarray:
    """True where there is ink in the 80 rows below a tile, over the sheet's whole width."""
    return np.asarray(sheet.crop((0, box[3] + 4, sheet.width, box[3] + 80)).convert("L")) < 200


@pytest.mark.parametrize("text", ["W" * 5000, "many words " * 40, "★" * 60, "日" * 90])
def test_long_captions_stay_within_their_column(photo, text):
    sheet, _, boxes = sheet_of(Item(image=photo("a.png"), caption=text, note=text))
    ink = text_below(sheet, boxes[0])
    assert ink[:, boxes[0][0] : boxes[0][2]].any()
    assert not ink[:, : boxes[0][0] - 1].any()
    assert not ink[:, boxes[0][2] + 1 :].any()


def test_what_is_too_long_ends_in_an_ellipsis(photo):
    path = photo("a.png")
    long, cut = (sheet_of(Item(image=path, caption=c))[0] for c in ("HHHHHHHHHHHHHHHHHHHH", "HHHHH…"))
    assert long.tobytes() == cut.tobytes()


@pytest.mark.parametrize(
    "text",
    [
        "Größe naïve señor",
        "Закат",
        "夕焼けの海",
        "שלום",
        "👩‍👩‍👧 family",
        "a\nb\tc\x00d",
        "…",
        "\u0301",
        "\ud800",
    ],
)
def test_any_text_can_be_written(photo, text):
    items = [Item(image=photo("a.png"), caption=text, note=text, badge=text)]
    sheet, _ = draw_contact_sheet(
        [Section(title=text, items=items)], title=text, subtitle=text, columns=2, thumb=THUMB
    )
    assert sheet.mode == "RGB"


def test_letters_are_not_drawn_as_boxes_where_a_plain_letter_is_near(photo):
    path = photo("a.png")
    accented, plain = (
        sheet_of(Item(image=path, caption=c))[0] for c in ("Señor Ångström – 3×4", "Senor Angstrom - 3x4")
    )
    assert accented.tobytes() == plain.tobytes()


def test_stars_are_drawn_full_and_empty(photo):
    path = photo("a.png")

    def ink(stars):
        sheet, _, (box,) = sheet_of(Item(image=path, caption=stars))
        below = np.asarray(sheet.crop((box[0], box[3] + 4, box[2], box[3] + 44)).convert("L"))
        return (below < 100).sum(), ((below > 200) & (below < 210)).sum()

    (dark_3, pale_3), (dark_1, pale_1) = ink("★★★☆"), ink("★☆☆☆")
    assert dark_3 == pytest.approx(3 * dark_1, rel=0.1)
    assert pale_1 == pytest.approx(3 * pale_3, rel=0.1)


def test_badges_lie_on_the_photo_and_nowhere_else(photo):
    path = photo("a.png")
    without, _, (box,) = sheet_of(Item(image=path, caption="c"))
    with_badge, _, _ = sheet_of(Item(image=path, caption="c", badge="10"))
    changed = np.argwhere((np.asarray(without) != np.asarray(with_badge)).any(axis=-1))
    assert len(changed) > 1000
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert box[0] < left < right < box[2] - 20
    assert box[1] < top < bottom < box[3] - 20


def test_the_file_is_a_png_of_the_drawn_sheet(photo, tmp_path):
    sections = [Section(title="All", items=[Item(image=photo("a.png"), caption="a")])]
    out = tmp_path / "sheet.png"
    out.write_bytes(b"old")
    assert contact_sheet(sections, out, title="T", columns=2, thumb=THUMB) == []
    with Image.open(out) as written:
        assert written.format == "PNG"
        drawn, _ = draw_contact_sheet(sections, title="T", columns=2, thumb=THUMB)
        assert written.tobytes() == drawn.tobytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "sheet.png"]


def test_a_sheet_that_cannot_be_written_is_an_output_error(tmp_path):
    with pytest.raises(OutputError):
        contact_sheet([], tmp_path / "missing" / "sheet.png", title="T")


@pytest.mark.parametrize(("columns", "thumb"), [(0, (120, 90)), (3, (120, 47))])
def test_impossible_layouts_are_refused(columns, thumb):
    with pytest.raises(ShapeError) as caught:
        tile_boxes([], columns=columns, thumb=thumb)
    assert str(caught.value) == (
        f"a contact sheet of {columns} columns with photos of {thumb[0]} x {thumb[1]} pixels cannot be "
        "drawn, expected at least 1 column and 48 x 48 pixels; give larger numbers"
    )
