"""What is said of a number of ratings: what was measured, and nothing else."""

from __future__ import annotations

import json

import pytest

from generic.model.checkpoint import read_header
from generic.model.registry import find_model
from piaa.people.estimate import RankEstimate
from piaa.people.expected import TABLE, Measured, in_words, measured_with

SHIPPED = read_header(find_model("piaa-lite")).hash


@pytest.mark.parametrize(("k", "row"), [(1, 1), (2, 1), (3, 3), (10, 10), (29, 10), (30, 30), (5000, 100)])
def test_of_so_many_ratings_the_next_fewer_were_measured(k, row):
    found = measured_with(k, "auto", SHIPPED)
    assert found == Measured(**next(one for one in json.loads(TABLE.read_text())["rows"] if one["k"] == row))


def test_nothing_is_said_of_what_was_not_measured():
    assert measured_with(0, "auto", SHIPPED) is None
    assert measured_with(10, "ridge", SHIPPED) is None
    assert measured_with(10, "auto", "0" * 64) is None


def test_in_words():
    estimate = RankEstimate(srcc=0.5, error=0.2, generic=0.4, pairwise=0.714, pairwise_generic=0.6751)
    measured = Measured(k=1, users=651, pairwise=0.7272, pairwise_generic=0.7266, worse=0.4332)
    own = "of 100 pairs of your photos it puts about 71 in your order, the crowd's ranking about 68"
    assert in_words(None, None) == []
    assert in_words(estimate, None) == [own]
    assert in_words(None, measured) == [
        "measured on 651 people with 1 rating: of 1,000 pairs of photos it puts 727 in their order, the "
        "crowd's ranking 727; 43 of 100 people are still ranked worse than by the crowd's ranking"
    ]
    assert in_words(estimate, measured) == [
        own,
        "measured on 651 people with 1 rating: 43 of 100 people are still ranked worse than by the crowd's "
        "ranking",
    ]
