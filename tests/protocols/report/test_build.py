from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from generic.errors import PiaaError
from protocols.datasets.flickr_aes import TEST_WORKERS
from protocols.fewshot.harm import harm
from protocols.fewshot.summary import compare, summarise, user_means
from protocols.fewshot.two_way import two_way_interval
from protocols.report.build import collect
from protocols.report.grid import harm_text
from protocols.report.published import CROSS, published_methods
from protocols.report.table import MEASURED, PUBLISHED

NAN = math.nan
BLG = (
    "BLG-PIAA as published meta-learns the whole network; the meta-learned starts of this toolkit adapt a "
    "small head on a frozen one"
)


def people(rng, users, low=0.2, repeats=3):
    return {user: list(rng.uniform(low, low + 0.5, repeats)) for user in users}


@pytest.fixture(scope="module")
def crossed(make_results):
    """Two adapters, trained on and tested on FLICKR-AES and AADB, at 10 and 100 shots."""
    rng = np.random.default_rng(4)
    users = {"flickr-aes": TEST_WORKERS, "aadb": [f"w{number}" for number in range(6)]}
    return make_results(
        {
            (train, test, adapter, k): people(rng, users[test], low)
            for train in users
            for test in users
            for adapter, low in (("generic", 0.2), ("ridge", 0.3))
            for k in (10, 100)
        },
        seed=3,
        query="rest",
    )


def test_every_number_is_the_summary_s(crossed):
    report = collect(crossed, nan="drop")
    lines = {
        metric: {
            (line.train, line.test, line.adapter, line.k): line
            for line in summarise(crossed.columns, metric=metric, seed=3)
        }
        for metric in ("srcc", "plcc", "pairwise", "mae", "coverage")
    }
    users = user_means(crossed.columns)
    p_values = {(c.train, c.test, c.k): c.p_holm for c in compare(crossed.columns)}
    seen = 0
    for table in report.tables:
        for row in table.of(MEASURED):
            for k, cell in row.cells.items():
                key = (row.train, table.test, row.name, k)
                line = lines["srcc"][key]
                assert (cell.mean, cell.std) == (line.mean, line.std)
                assert cell.detail.srcc == line
                assert cell.detail.others == {name: lines[name][key].mean for name in list(lines)[1:]}
                assert cell.detail.users == users[key]
                assert cell.detail.p_holm == (
                    None if row.name == "generic" else p_values[row.train, table.test, k]
                )
                assert cell.detail.oracle_epoch is None
                seen += 1
    assert seen == 16


def test_rows_measured_here_come_first_then_the_published_ones(crossed):
    report = collect(crossed)
    assert [table.test for table in report.tables] == ["flickr-aes", "aadb"]
    for table in report.tables:
        assert table.shots == (10, 100)
        assert table.baseline == "generic"
        published = published_methods(table.test)
        assert [row.source for row in table.rows] == [MEASURED] * 4 + [PUBLISHED] * len(published)
        assert [(row.train, row.name) for row in table.of(MEASURED)] == [
            *(("flickr-aes", "generic"), ("flickr-aes", "ridge"), ("aadb", "generic"), ("aadb", "ridge"))
        ]
        for row, method in zip(table.of(PUBLISHED), published, strict=True):
            assert (row.name, row.cite) == (method.name, method.cite)
            for k, (mean, std) in method.srcc.items():
                assert row.cells[k].mean == mean
                assert row.cells[k].std == std or (std is None and math.isnan(row.cells[k].std))


def test_what_is_comparable_is_said(crossed, make_results):
    flickr, aadb = collect(crossed).tables
    assert flickr.comparable
    assert flickr.cautions == ()
    assert not aadb.comparable
    assert flickr.notes == (
        "measured here: mean±std over 3 repeats of the mean over 37 users, generic model and priors trained "
        "on FLICKR-AES, AADB, the one in brackets behind a name",
        BLG,
    )
    assert aadb.cautions == (
        "not comparable worker for worker: the 22 test workers of the papers were never published, "
        "rows measured here test workers chosen by our own rule",
    )
    assert aadb.notes == (
        "measured here: mean±std over 3 repeats of the mean over 6 users, generic model and priors trained "
        "on FLICKR-AES, AADB, the one in brackets behind a name",
        "the published rows are of methods pre-trained on FLICKR-AES and then trained on AADB's training "
        "part (EAT paper, Table 6: at 100 shots EAT and TAPP-PIAA have the figures of Table 7's AADB to "
        "AADB); the input size is not stated",
        BLG,
    )

    some = {("flickr-aes", "flickr-aes", "generic", 100): {user: [0.5] for user in (*TEST_WORKERS[:3], "x")}}
    (table,) = collect(make_results(some)).tables
    assert not table.comparable
    assert table.cautions == (
        "not comparable worker for worker: rows measured here test 4 users, 3 of them among the 37 official "
        "test workers",
    )
    all_of_them = {("flickr-aes", "flickr-aes", "generic", 100): {user: [0.5] for user in TEST_WORKERS}}
    assert collect(make_results(all_of_them)).tables[0].comparable
    (table,) = collect(make_results(all_of_them, query="common")).tables
    assert not table.comparable
    assert table.cautions == (
        "not comparable photo for photo: rows measured here test the same photos at every k, published rows "
        "all photos beyond the support",
    )


def test_the_split_s_rule_is_told(make_results):
    values = {("oasis", "table", "generic", 10): {"ana": [0.5], "bo": [0.1]}}
    results = make_results(values, splits={"table": {"hash": "0", "rule": "the users of a file"}})
    assert collect(results).tables[0].notes[1] == "test users measured here: the users of a file"


def test_published_rows_without_a_figure_at_our_shots_are_left_out(make_results):
    values = {("flickr-aes", "flickr-aes", "generic", k): {"ana": [0.5], "bo": [0.1]} for k in (5, 20)}
    (table,) = collect(make_results(values)).tables
    assert table.of(PUBLISHED) == ()
    assert table.cautions == ()


def test_dropped_results_and_users_are_counted(make_results):
    values = {
        ("a", "table", "generic", 10): {"ana": [0.5, NAN], "bo": [NAN, NAN], "cy": [0.3, 0.2]},
        ("a", "table", "ridge", 10): {"ana": [0.5, 0.4], "bo": [0.1, 0.2], "cy": [0.3, 0.2]},
    }
    (table,) = collect(make_results(values)).tables
    generic, ridge = (row.cells[10] for row in table.rows)
    assert generic.mean == pytest.approx((0.4 + 0.2) / 2, abs=1e-15)
    assert (generic.detail.srcc.n_users, generic.detail.srcc.dropped_users) == (2, 1)
    assert generic.detail.srcc.dropped_results == 3
    assert set(generic.detail.users) == {"ana", "cy"}
    assert set(ridge.detail.users) == {"ana", "bo", "cy"}
    assert table.notes == (
        "measured here: mean±std over 2 repeats of the mean over 2 to 3 users, generic model and priors "
        "trained on a",
        "3 of 12 results (a user's repeat) have no SRCC, because all her ratings to predict are equal, and "
        "were left out; so was up to 1 user without any other",
    )

    (table,) = collect(make_results(values), nan="zero").tables
    assert table.rows[0].cells[10].mean == pytest.approx((0.8 / 3 + 0.2 / 3) / 2, abs=1e-15)
    assert table.rows[0].cells[10].detail.users == {"ana": 0.25, "bo": 0.0, "cy": 0.25}
    assert table.notes[1:] == ("where a user's ratings to predict are all equal, her SRCC counts as 0",)


def test_the_interval_shown_is_over_people_and_photos_where_such_draws_were_kept(small):
    key, draws = ("oasis", "table", "my_ridge", 20), np.array([0.5, 0.6, 0.7, NAN])
    report = collect(replace(small, draws={key: draws}))
    (table,) = report.tables
    generic, ridge = (row.cells[20] for row in table.rows)
    assert ridge.detail.interval == ridge.detail.two_way == two_way_interval(ridge.mean, draws)
    assert ridge.detail.interval == pytest.approx((0.6 - 0.196, 0.6 + 0.196), abs=1e-12)
    assert generic.detail.interval == (generic.detail.srcc.low, generic.detail.srcc.high)
    assert np.isnan(generic.detail.two_way).all()
    assert table.draws_photos
    assert not collect(small).tables[0].draws_photos


def test_whom_an_adapter_serves_worse_is_counted_against_the_first(small):
    generic, ridge = (row.cells[10].detail for row in collect(small).tables[0].rows)
    # ana loses 0.15, bo 0.05, cy gains 0.2.
    assert generic.harm is None
    assert (ridge.harm.n_users, ridge.harm.below) == (3, 2 / 3)
    assert ridge.harm.worst == pytest.approx(-0.15, abs=1e-12)
    assert ridge.harm.one_in_twenty == pytest.approx(-0.15 + 0.1 * 0.1, abs=1e-12)


def test_nobody_to_compare_is_no_harm():
    nobody = harm({"ana": 0.5}, {"bo": 0.5})
    assert nobody.n_users == 0
    assert np.isnan([nobody.below, nobody.one_in_twenty, nobody.worst]).all()
    assert harm_text(nobody) == "–"


def test_the_best_row_is_the_best_as_printed(make_results):
    values = {
        ("a", "table", name, 10): {"ana": [mean], "bo": [mean]}
        for name, mean in (("generic", 0.6001), ("ridge", 0.6004), ("pam", 0.599))
    }
    (table,) = collect(make_results(values)).tables
    assert table.best(10) == {0, 1}


def test_published_rows_are_never_best_where_they_are_not_comparable(crossed):
    flickr, aadb = collect(crossed).tables
    best = {table.test: [table.rows[place].name for place in table.best(100)] for table in (flickr, aadb)}
    assert best["flickr-aes"] == ["EAT 512"]
    assert max(row.cells[100].mean for row in aadb.of(MEASURED)) < 0.646
    assert best["aadb"] == ["ridge"]


def test_an_undefined_mean_is_never_best(make_results):
    values = {
        ("a", "table", "generic", 10): {"ana": [NAN], "bo": [NAN]},
        ("a", "table", "ridge", 10): {"ana": [0.1], "bo": [0.2]},
    }
    (table,) = collect(make_results(values)).tables
    assert math.isnan(table.rows[0].cells[10].mean)
    assert table.best(10) == {1}


def test_matrices_hold_every_pair_and_the_published_table(crossed):
    report = collect(crossed)
    assert [(matrix.k, matrix.name, matrix.source) for matrix in report.matrices] == [
        (10, "generic", MEASURED),
        (10, "ridge", MEASURED),
        (100, "generic", MEASURED),
        (100, "ridge", MEASURED),
        (100, "TAPP-PIAA", PUBLISHED),
        (100, "EAT", PUBLISHED),
    ]
    rows = {
        (row.train, table.test, row.name): row.cells for table in report.tables for row in table.of(MEASURED)
    }
    for matrix in report.matrices:
        assert (matrix.trains, matrix.tests) == (("flickr-aes", "aadb"), ("flickr-aes", "aadb"))
        for (train, test), cell in matrix.cells.items():
            if matrix.source == MEASURED:
                assert cell is rows[train, test, matrix.name][matrix.k]
            else:
                assert cell.mean == CROSS[matrix.name][train, test]
        assert len(matrix.cells) == 4


def test_one_pair_of_datasets_is_no_matrix(small):
    assert collect(small).matrices == ()


def test_published_matrices_show_only_pairs_that_were_run(make_results):
    pairs = (("flickr-aes", "aadb"), ("list 1", "aadb"))
    values = {(*pair, "generic", 100): {"ana": [0.5], "bo": [0.1]} for pair in pairs}
    matrices = {matrix.name: matrix for matrix in collect(make_results(values)).matrices}
    assert set(matrices["EAT"].cells) == {("flickr-aes", "aadb")}
    assert set(matrices["generic"].cells) == set(pairs)


def test_oracle_epochs_stand_beside_the_result_and_never_in_its_place(make_results):
    scores = {"ana": [0.5, 0.4], "bo": [0.1, 0.2], "cy": [0.3, 0.2]}
    better = {user: [value + 0.2 for value in values] for user, values in scores.items()}
    plain = {("a", "table", name, 10): scores for name in ("generic", "finetune")}
    honest = collect(make_results(plain))
    (table,) = collect(make_results(plain | {("a", "table", "finetune+oracle_epoch", 10): better})).tables
    assert [row.name for row in table.rows] == ["generic", "finetune"]
    assert table.oracle_shots() == (10,)
    assert honest.tables[0].oracle_shots() == ()
    cell, before = table.rows[1].cells[10], honest.tables[0].rows[1].cells[10]
    assert cell.detail.oracle_epoch.mean == pytest.approx(before.mean + 0.2, abs=1e-12)
    assert (cell.mean, cell.std, cell.detail.p_holm) == (before.mean, before.std, before.detail.p_holm)
    assert table.best(10) == {0, 1}


def test_an_oracle_epoch_alone_is_an_error(make_results):
    values = {("a", "table", name, 10): {"ana": [0.5]} for name in ("generic", "lora+oracle_epoch")}
    with pytest.raises(PiaaError) as caught:
        collect(make_results(values))
    assert str(caught.value) == (
        "adapter 'lora+oracle_epoch' has no results of 'lora' to stand beside; evaluate 'lora' too"
    )
