"""The painted album and the simulated people: deterministic, varied, and true to what they state."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from generic.errors import OutputError, ShapeError
from generic.seeds import stream
from piaa.demo.person import PERSONS, QUALITIES, SimulatedPerson, qualities
from piaa.demo.scenes import KINDS, Scene, draw_scenes, render, render_album

SMALL = (160, 120)
PLAIN = Scene(
    kind="seaside",
    light=0.6,
    warmth=0.5,
    saturation=0.5,
    contrast=0.5,
    sharpness=0.9,
    clutter=0.3,
    fog=0.1,
    horizon=0.5,
    subject=0.4,
    tilt=0.0,
    detail=5,
)


def pixels(scene: Scene) -> np.ndarray:
    return np.asarray(render(scene, SMALL), dtype=np.float64)


def luma(image: np.ndarray) -> np.ndarray:
    return image @ [0.299, 0.587, 0.114]


def brightness(image):
    return luma(image).mean()


def red_over_blue(image):
    return (image[..., 0] - image[..., 2]).mean()


def colourfulness(image):
    return (image.max(-1) - image.min(-1)).mean()


def spread(image):
    return luma(image).std()


def fine_detail(image):
    grey = luma(image)
    return np.abs(4 * grey - sum(np.roll(grey, s, a) for s in (1, -1) for a in (0, 1)))[2:-2, 2:-2].mean()


def edges(image):
    """Share of pixels on a steep step of any colour."""
    step = np.hypot(np.diff(image, axis=0)[:, :-1], np.diff(image, axis=1)[:-1]).max(-1)
    return (step > 25).mean()


def test_the_same_scene_gives_the_same_pixels():
    scene = draw_scenes(3, 7)[2]
    digests = {hashlib.sha256(render(scene).tobytes()).hexdigest() for _ in range(2)}
    assert len(digests) == 1


def test_another_seed_gives_other_pixels():
    assert (pixels(PLAIN) != pixels(replace(PLAIN, detail=6))).mean() > 0.3


def test_a_scene_does_not_depend_on_how_many_are_drawn():
    assert draw_scenes(5, 1) == draw_scenes(40, 1)[:5]
    assert draw_scenes(5, 1) != draw_scenes(5, 2)
    assert draw_scenes(0, 1) == []


def test_eight_scenes_in_a_row_show_every_kind():
    kinds = [scene.kind for scene in draw_scenes(24, 3)]
    assert [sorted(kinds[i : i + 8]) for i in (0, 8, 16)] == [sorted(KINDS)] * 3


def test_drawn_properties_cover_their_range():
    scenes = draw_scenes(200, 0)
    for name in ("light", "warmth", "saturation", "clutter"):
        values = [getattr(scene, name) for scene in scenes]
        assert min(values) < 0.1, name
        assert max(values) > 0.9, name


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_paints_every_extreme_at_the_size_asked(kind):
    for end, tilt, size in ((0.0, -10.0, (121, 83)), (1.0, 10.0, (160, 120)), (1.0, -10.0, (64, 180))):
        extreme = dict.fromkeys(
            (
                "light",
                "warmth",
                "saturation",
                "contrast",
                "sharpness",
                "clutter",
                "fog",
                "horizon",
                "subject",
            ),
            end,
        )
        image = render(replace(PLAIN, kind=kind, tilt=tilt, **extreme), size)
        assert (image.mode, image.size) == ("RGB", size)
        assert np.asarray(image).std() > 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("light", brightness),
        ("warmth", red_over_blue),
        ("saturation", colourfulness),
        ("contrast", spread),
        ("sharpness", fine_detail),
    ],
)
def test_more_of_a_property_measures_as_more(kind, name, measure):
    base = replace(PLAIN, kind=kind)
    low, middle, high = (measure(pixels(replace(base, **{name: value}))) for value in (0.1, 0.5, 0.9))
    assert low < middle < high


@pytest.mark.parametrize("kind", KINDS)
def test_clutter_adds_edges(kind):
    calm, some, busy = (edges(pixels(replace(PLAIN, kind=kind, clutter=value))) for value in (0.0, 0.5, 1.0))
    assert calm < some < busy
    # Leaves alone already fill a forest with edges, so twigs cannot add many.
    assert busy > (1.05 if kind == "forest" else 1.2) * calm


@pytest.mark.parametrize("kind", ["seaside", "mountains", "city night", "meadow", "street"])
def test_fog_takes_the_contrast_of_what_is_far(kind):
    clear, thick = (
        spread(pixels(replace(PLAIN, kind=kind, fog=value))[: SMALL[1] * 2 // 3]) for value in (0.0, 1.0)
    )
    assert thick < clear


def test_fog_greys_a_forest():
    # The trunks nearby stay dark before it, so the contrast says nothing here.
    clear, some, thick = (
        colourfulness(pixels(replace(PLAIN, kind="forest", fog=f))) for f in (0.0, 0.5, 1.0)
    )
    assert clear > some > thick


def test_a_higher_horizon_lies_higher_in_the_frame():
    def horizon_row(value):
        # Without clutter and with fog, the strongest step down a seaside photo is at its waterline or beach.
        return np.abs(np.diff(luma(pixels(replace(PLAIN, horizon=value, clutter=0.0))).mean(axis=1))).argmax()

    assert horizon_row(0.7) < horizon_row(0.3)


def test_the_subject_moves_across_the_frame():
    def brightest_column(subject):
        photo = luma(pixels(replace(PLAIN, subject=subject, clutter=0.0, light=0.3)))
        return photo[: SMALL[1] // 2].mean(axis=0).argmax() / SMALL[0]

    assert brightest_column(0.25) == pytest.approx(0.25, abs=0.08)
    assert brightest_column(0.75) == pytest.approx(0.75, abs=0.08)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tilt", [-10.0, 6.0])
def test_tilt_turns_the_photo_and_changes_nothing_else(kind, tilt):
    """Positive lifts the right side, which is Pillow's counterclockwise."""
    base = replace(PLAIN, kind=kind, sharpness=0.5)
    level, leaning = render(base, SMALL), pixels(replace(base, tilt=tilt))

    def difference(angle):
        turned = np.asarray(level.rotate(angle, Image.Resampling.BICUBIC), dtype=np.float64)
        middle = np.s_[SMALL[1] // 4 : -SMALL[1] // 4, SMALL[0] // 5 : -SMALL[0] // 5]
        return np.abs(turned[middle] - leaning[middle]).mean()

    assert difference(tilt) < 0.6 * min(difference(0.0), difference(-tilt), difference(tilt / 2))


@pytest.mark.parametrize(
    ("subject", "thirds"), [(1 / 3, 1.0), (2 / 3, 1.0), (0.5, 0.0), (0.0, 0.0), (0.25, 0.5)]
)
def test_thirds_is_one_on_the_lines_of_thirds(subject, thirds):
    assert replace(PLAIN, subject=subject).thirds == pytest.approx(thirds)


def test_an_impossible_scene_names_all_that_is_wrong():
    with pytest.raises(ValueError, match="impossible scene") as caught:
        replace(PLAIN, kind="moon", light=1.5, fog=float("nan"), tilt=-30.0)
    assert str(caught.value) == (
        "impossible scene: kind='moon' is not one of seaside, mountains, forest, city night, meadow, "
        "still life, street, portrait; light=1.5 is outside [0, 1]; fog=nan is outside [0, 1]; "
        "tilt=-30.0 is outside [-10, 10] degrees; give values inside the ranges"
    )


def test_too_small_a_photo_is_refused():
    with pytest.raises(ShapeError) as caught:
        render(PLAIN, (480, 9))
    assert str(caught.value) == "a scene of 480 x 9 pixels cannot be painted, expected at least 16 x 16"


def test_an_album_is_its_photos_and_their_description(tmp_path):
    folder = tmp_path / "new" / "album"
    album = render_album(folder, 3, 4)
    assert [name for name, _ in album] == ["scene-001.jpg", "scene-002.jpg", "scene-003.jpg"]
    assert [scene for _, scene in album] == draw_scenes(3, 4)
    with Image.open(folder / "scene-002.jpg") as photo:
        assert (photo.format, photo.size) == ("JPEG", (480, 360))
        difference = np.asarray(photo, dtype=np.float64) - np.asarray(render(album[1][1]), dtype=np.float64)
    assert np.abs(difference).mean() < 6
    with (folder / "scenes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["scene-001.jpg", "scene-002.jpg", "scene-003.jpg"]
    assert rows[0]["kind"] == album[0][1].kind
    assert float(rows[2]["light"]) == pytest.approx(album[2][1].light, abs=1e-4)


def test_an_album_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError) as caught:
        render_album(tmp_path / "file", 1, 0)
    assert str(caught.value) == (
        f"the painted album cannot be written to {tmp_path / 'file'}: File exists, "
        "expected a folder that can be written; give another folder"
    )


@pytest.mark.parametrize("person", PERSONS.values(), ids=PERSONS)
def test_ratings_follow_the_taste_and_use_the_whole_scale(person):
    album = [(f"scene-{i:03d}.jpg", scene) for i, scene in enumerate(draw_scenes(300, 11))]
    ratings = list(person.rate_album(album, 11).values())
    true = [person.true_score(scene) for _, scene in album]
    assert np.corrcoef(ratings, true)[0, 1] > 0.85
    counts = Counter(ratings)
    assert sorted(counts) == [1, 2, 3, 4, 5]
    assert min(counts.values()) >= 12
    assert max(counts, key=counts.__getitem__) == 3


@pytest.mark.parametrize("person", PERSONS.values(), ids=PERSONS)
def test_sixty_photos_are_enough_for_the_whole_scale(person):
    album = [(f"scene-{i:03d}.jpg", scene) for i, scene in enumerate(draw_scenes(60, 0))]
    assert set(person.rate_album(album, 0).values()) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("person", PERSONS.values(), ids=PERSONS)
def test_true_scores_are_standardised(person):
    true = [person.true_score(scene) for scene in draw_scenes(1000, 99)]
    assert np.mean(true) == pytest.approx(0.0, abs=0.15)
    assert np.std(true) == pytest.approx(1.0, abs=0.15)


def test_people_disagree():
    scenes = draw_scenes(300, 2)
    tastes = np.corrcoef([[person.true_score(scene) for scene in scenes] for person in PERSONS.values()])
    assert tastes[np.triu_indices(len(PERSONS), 1)].max() < 0.3


def test_one_rating_does_not_depend_on_the_others():
    album = [(f"scene-{i:03d}.jpg", scene) for i, scene in enumerate(draw_scenes(20, 5))]
    ana = PERSONS["Ana"]
    assert ana.rate_album(album[7:9], 5) == {name: ana.rate_album(album, 5)[name] for name, _ in album[7:9]}
    name, scene = album[3]
    rng = stream(5, "demo", "rating", "Ana", name)
    assert ana.rate(scene, rng) == ana.rate_album(album, 5)[name]


def test_without_noise_the_rating_follows_from_the_scene():
    person = SimulatedPerson(name="Eva", weights={"warmth": 1.0}, noise=0.0)
    ratings = [person.rate(replace(PLAIN, warmth=w), np.random.default_rng(0)) for w in np.linspace(0, 1, 21)]
    assert ratings == sorted(ratings)
    assert set(ratings) == {1, 2, 3, 4, 5}


def test_the_description_names_the_largest_weights_first():
    person = SimulatedPerson(
        name="Eva",
        weights={"fog": 0.2, "light": -2.0, "sharpness": 0.4, "warmth": 1.5, "clutter": -1.0, "thirds": 0.0},
        kinds={"forest": 0.3, "street": -0.1, "portrait": -0.6},
    )
    assert person.describe() == (
        "Eva likes low light, warm colours, uncluttered frames and forests; "
        "dislikes blur, clear air, portraits and streets."
    )
    assert SimulatedPerson(name="Bo", weights={"fog": 1.0}).describe() == "Bo likes fog."
    assert SimulatedPerson(name="Bo", weights={}, kinds={"street": -1.0}).describe() == "Bo dislikes streets."


def test_qualities_are_shares():
    values = [qualities(scene) for scene in draw_scenes(100, 0)]
    assert all(set(value) == set(QUALITIES) for value in values)
    assert all(0.0 <= number <= 1.0 for value in values for number in value.values())
    assert qualities(replace(PLAIN, tilt=-10.0))["straightness"] == 0.0


def test_an_impossible_person_names_all_that_is_wrong():
    with pytest.raises(ValueError, match="simulated person") as caught:
        SimulatedPerson(name="Eva", weights={"charm": 0.0}, kinds={"moon": 0.0}, noise=-1.0)
    assert str(caught.value) == (
        "simulated person 'Eva' cannot be: no quality 'charm'; no kind 'moon'; no weight differs from 0; "
        "noise=-1.0 is below 0; "
        "qualities are light, warmth, saturation, contrast, sharpness, clutter, fog, horizon, thirds, "
        "straightness; "
        "kinds are seaside, mountains, forest, city night, meadow, still life, street, portrait"
    )
