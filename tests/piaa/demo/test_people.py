"""Simulated people: drawn and not chosen, and true to the taste that they state."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from piaa.demo.people import SimulatedPerson, draw_people
from piaa.demo.scenes import KINDS, QUALITIES, draw_scenes

ALBUM = draw_scenes(120, 11)
NOBODY_CARES = dict.fromkeys(QUALITIES, 0.0)


def test_a_person_does_not_depend_on_how_many_are_drawn():
    assert draw_people(2, 4) == draw_people(9, 4)[:2]
    assert draw_people(2, 4) != draw_people(2, 5)


@pytest.mark.parametrize("person", draw_people(4, 0), ids=lambda one: str(one.number))
def test_ratings_follow_the_taste_and_use_the_whole_scale(person):
    ratings = person.rate(ALBUM, 0)
    likings = [person.liking(scene) for scene in ALBUM]
    assert np.corrcoef(ratings, likings)[0, 1] > 0.65
    counts = Counter(ratings)
    assert sorted(counts) == [1, 2, 3, 4, 5]
    assert max(counts, key=counts.__getitem__) == 3


def test_people_disagree():
    likings = np.corrcoef([[one.liking(scene) for scene in ALBUM] for one in draw_people(20, 0)])
    assert abs(likings[np.triu_indices(20, 1)].mean()) < 0.1


def test_what_a_scene_shows_counts_more_than_how_it_was_taken():
    for person in draw_people(20, 0):
        bare = SimulatedPerson(number=0, kinds=person.kinds, qualities=NOBODY_CARES)
        both = [[one.liking(scene) for scene in ALBUM] for one in (person, bare)]
        assert np.corrcoef(both)[0, 1] > 0.5


def test_the_description_names_the_ends():
    kinds = dict(zip(KINDS, (0.2, 3.0, -1.0, 0.1, 2.0, -4.0), strict=True))
    person = SimulatedPerson(number=0, kinds=kinds, qualities=NOBODY_CARES)
    assert person.describe("Eva") == "Eva likes mountains and flowers most, forest and fruit least."
