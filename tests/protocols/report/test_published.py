from __future__ import annotations

import math
import re

import pytest

from protocols.report.published import (
    CAUTIONS,
    CROSS,
    CROSS_CITES,
    CROSS_K,
    METHODS,
    NOTES,
    REFERENCES,
    SHOTS,
    TITLES,
    published_methods,
    title,
)


def test_counts_and_some_values():
    assert len(published_methods("flickr-aes")) == 11
    assert len(published_methods("aadb")) == 5
    assert published_methods("ava") == ()
    found = {(method.test, method.name): dict(method.srcc) for method in METHODS}
    assert len(found) == len(METHODS) == 16
    assert found["flickr-aes", "PAM"] == {10: (0.520, 0.003), 100: (0.553, 0.012)}
    assert found["flickr-aes", "ResNext 512"] == {10: (0.612, None), 100: (0.706, None)}
    assert found["flickr-aes", "EAT 512"] == {10: (0.644, 0.003), 100: (0.732, 0.015)}
    assert found["aadb", "BA-PIAA"] == {10: (0.450, 0.001), 100: (0.513, 0.005)}
    assert found["aadb", "EAT"] == {10: (0.551, 0.004), 100: (0.646, 0.005)}


def test_the_cross_dataset_table():
    pairs = [(train, test) for train in ("flickr-aes", "aadb") for test in ("flickr-aes", "aadb")]
    assert {name: [figures[pair] for pair in pairs] for name, figures in CROSS.items()} == {
        "TAPP-PIAA": [0.685, 0.540, 0.615, 0.612],
        "EAT": [0.689, 0.593, 0.632, 0.646],
    }
    assert CROSS_K == 100


def test_every_row_cites_a_reference_and_every_reference_is_cited():
    cited = {method.cite for method in METHODS} | set(CROSS_CITES.values())
    assert cited == set(REFERENCES)
    assert set(CROSS_CITES) == set(CROSS)
    assert all(
        key.startswith(f"{ref.authors.split()[0].lower()}{ref.year}") for key, ref in REFERENCES.items()
    )


def test_only_datasets_with_published_rows_have_notes_about_them():
    assert set(NOTES) | set(CAUTIONS) <= {method.test for method in METHODS} <= set(TITLES)
    assert title("aadb") == "AADB"
    assert title("my photos") == "my photos"


def test_values_are_those_of_the_design(shared_data):
    design = shared_data.parent / "DESIGN.md"
    if not design.is_file():
        pytest.skip(reason="no design beside the data")
    text = design.read_text(encoding="utf-8")
    expected = {}
    lines = text.split("### Published figures")[1].split("Cross-dataset")[0].splitlines()
    for line in lines[4:]:
        if line.startswith("|"):
            name, *places = (part.strip() for part in line.strip("|").split("|"))
            for test, place in zip(("flickr-aes", "aadb"), places, strict=True):
                if place != "–":
                    figures = [figure(part) for part in place.split("/")]
                    plain = name.replace("(", "").replace(")", "")
                    # The design names the row of both tables; Table 6 states no size.
                    label = "EAT" if (test, plain) == ("aadb", "EAT 224") else plain
                    expected[test, label] = dict(zip(SHOTS, figures, strict=True))
    assert {(method.test, method.name): dict(method.srcc) for method in METHODS} == expected

    sentence = text.split("Cross-dataset, 100 shot, train -> test:")[1].split("Reports print")[0]
    eat, tapp = sentence.split("(EAT);")
    assert sorted(map(float, re.findall(r" (\.\d+)", eat))) == sorted(CROSS["EAT"].values())
    pairs = [(train, test) for train in ("flickr-aes", "aadb") for test in ("flickr-aes", "aadb")]
    assert list(map(float, re.findall(r"(\.\d{3})", tapp))) == [CROSS["TAPP-PIAA"][pair] for pair in pairs]


def figure(text):
    mean, _, std = text.strip().partition("±")
    return float(mean), float(std) if std else None


def test_published_means_are_correlations():
    for method in METHODS:
        for mean, std in method.srcc.values():
            assert 0.4 < mean < 0.8
            assert std is None or (not math.isnan(std) and 0 < std < 0.02)
