from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from generic.errors import PiaaError
from generic.seeds import stream
from protocols.fewshot import summary
from protocols.fewshot.summary import (
    bootstrap_interval,
    compare,
    format_mean_std,
    holm,
    summarise,
    user_means,
    wilcoxon_p,
)

NAN = float("nan")


def rows_of(values, *, adapter="ridge", k=10, train="A", test="B", users=None, metric="srcc"):
    """Rows of one adapter from values of shape (n_users, n_repeats)."""
    users = users or [f"u{number}" for number in range(len(values))]
    return [
        {"train": train, "test": test, "adapter": adapter, "k": k, "repeat": r, "user": u, metric: value}
        for u, row in zip(users, values, strict=True)
        for r, value in enumerate(row)
    ]


def columns(*parts):
    rows = [row for part in parts for row in part]
    return {name: [row[name] for row in rows] for name in rows[0]}


def one(values, **options):
    metric = options.get("metric", "srcc")
    (line,) = summarise(columns(rows_of(values, metric=metric)), **options)
    return line


def test_mean_and_std_are_over_repeats_of_the_mean_over_users():
    values = np.array([[0.1, 0.3], [0.5, 0.9], [0.6, 0.6]])
    line = one(values)
    macro = [0.4, 0.6]
    assert line.mean == pytest.approx(0.5, abs=1e-15)
    assert line.std == pytest.approx(np.std(macro, ddof=1), abs=1e-15)
    assert line.std_users == pytest.approx(np.std([0.2, 0.7, 0.6], ddof=1), abs=1e-15)
    assert (line.n_users, line.n_repeats, line.dropped_users, line.dropped_results) == (3, 2, 0, 0)
    assert (line.train, line.test, line.adapter, line.k, line.metric) == ("A", "B", "ridge", 10, "srcc")
    assert line.text == "0.500±0.141"
    assert line.low <= line.mean <= line.high


def test_dropped_results_leave_the_means_they_belong_to_and_are_counted():
    line = one([[0.2, NAN], [0.6, 0.8], [NAN, NAN]])
    # Repeat 0: (0.2 + 0.6) / 2; repeat 1: 0.8. Users: 0.2 and 0.7.
    assert line.mean == pytest.approx((0.4 + 0.8) / 2, abs=1e-15)
    assert line.std == pytest.approx(0.4 / math.sqrt(2), abs=1e-15)
    assert line.std_users == pytest.approx(0.5 / math.sqrt(2), abs=1e-15)
    assert (line.n_users, line.dropped_users, line.dropped_results) == (2, 1, 3)


def test_zero_puts_no_correlation_in_the_place_of_none():
    line = one([[0.2, NAN], [0.6, 0.8], [NAN, NAN]], nan="zero")
    assert line.mean == pytest.approx(((0.8 + 0.8) / 3) / 2, abs=1e-15)
    assert (line.n_users, line.dropped_users, line.dropped_results) == (3, 0, 0)


def test_an_undefined_error_is_never_a_perfect_one():
    line = one([[1.0, NAN], [2.0, 2.0]], nan="zero", metric="mae")
    assert line.mean == 1.75
    assert line.dropped_results == 1


def test_a_table_of_nothing_but_nan_has_no_mean():
    line = one([[NAN, NAN], [NAN, NAN]])
    assert np.isnan([line.mean, line.std, line.std_users, line.low, line.high]).all()
    assert (line.n_users, line.dropped_users, line.dropped_results) == (0, 2, 4)
    assert line.text == "–"


def test_one_user_and_one_repeat_have_a_mean_and_no_spread():
    line = one([[0.4]])
    assert line.mean == 0.4
    assert np.isnan([line.std, line.std_users, line.low, line.high]).all()
    assert line.text == "0.400"


def test_lines_stand_in_order_of_first_appearance_whatever_the_rows():
    values = np.random.default_rng(0).random((6, 4))
    parts = [
        rows_of(values, adapter="zeta", k=100),
        rows_of(values[:, :2], adapter="alpha"),
        rows_of(values[:3], adapter="alpha", k=100, train="C"),
    ]
    lines = summarise(columns(*parts))
    assert [(x.train, x.adapter, x.k) for x in lines] == [
        ("A", "zeta", 100),
        ("A", "alpha", 10),
        ("C", "alpha", 100),
    ]
    rows = [row for part in parts for row in part]
    order = np.random.default_rng(1).permutation(len(rows))
    mixed = summarise(columns([rows[place] for place in order]))
    assert sorted(map(repr, mixed)) == sorted(map(repr, lines))
    arrays = {name: np.array(column, dtype=object) for name, column in columns(*parts).items()}
    assert summarise(arrays) == lines


def test_the_same_seed_gives_the_same_bits_and_adapters_share_their_draws():
    values = np.random.default_rng(0).random((9, 3))
    table = columns(rows_of(values, adapter="a"), rows_of(values, adapter="b"))
    first, second = summarise(table, seed=4)
    assert (first.low, first.high) == (second.low, second.high)
    assert summarise(table, seed=4) == [first, second]
    assert summarise(table, seed=5)[0].low != first.low


@pytest.mark.parametrize(
    ("spoil", "n", "repeat"),
    [(lambda rows: rows[:-1], 0, 1), (lambda rows: [*rows, rows[-1]], 2, 1), (lambda rows: rows[1:], 0, 0)],
)
def test_a_table_with_holes_or_doubles_is_refused(spoil, n, repeat):
    user = "u0" if repeat == 0 else "u1"
    table = columns(spoil(rows_of([[0.1, 0.2], [0.3, 0.4]])))
    for call in (summarise, compare, user_means):
        with pytest.raises(PiaaError) as caught:
            call(table)
        assert str(caught.value) == (
            f"adapter 'ridge' at k=10, A -> B: user {user!r} has {n} results of repeat {repeat}, "
            "expected 1 (1 such places); run the evaluation to its end"
        )


def test_the_policy_is_one_of_two():
    with pytest.raises(PiaaError) as caught:
        one([[0.1]], nan="mean")
    assert str(caught.value) == "the NaN policy is 'mean', expected 'drop' or 'zero'; name one of the two"


def test_the_interval_is_the_percentile_bootstrap_over_users():
    """Against SciPy's own, up to the noise of 2,000 draws."""
    values = np.random.default_rng(3).exponential(size=60)
    low, high = bootstrap_interval(values[:, None], stream(0, "bootstrap", "B"), resamples=20_000)
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (low, high) == (pytest.approx(reference.low, abs=0.012), pytest.approx(reference.high, abs=0.012))


def test_the_interval_draws_users_and_not_results():
    """Ten copies of a repeat say nothing new about the users."""
    values = np.random.default_rng(3).normal(size=(30, 1))
    once = bootstrap_interval(values, stream(0, "x"))
    assert bootstrap_interval(np.repeat(values, 10, axis=1), stream(0, "x")) == pytest.approx(once, abs=1e-12)


def test_the_interval_of_a_table_with_gaps_is_that_of_its_mean(monkeypatch):
    """Every draw by hand, in blocks that do not divide the draws."""
    values = np.array([[0.2, NAN], [0.6, 0.8], [0.1, 0.4], [NAN, 0.5]])
    monkeypatch.setattr(summary, "_BLOCK", 12)
    got = bootstrap_interval(values, stream(0, "x"), resamples=100)
    generator, drawn = stream(0, "x"), []
    for start in range(0, 100, 3):
        for picks in generator.integers(4, size=(min(3, 100 - start), 4)):
            sample = values[picks]
            macro = [column[~np.isnan(column)].mean() for column in sample.T if not np.isnan(column).all()]
            drawn.append(np.mean(macro))
    assert got == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1e-12)


def test_the_interval_holds_the_true_mean_as_often_as_it_says():
    """500 studies of 40 users; a percentile interval of so few users is a little short of 95 %."""
    generator = np.random.default_rng(0)
    hits = 0
    for number in range(500):
        tastes = 0.6 + 0.15 * generator.standard_normal((40, 1))
        study = tastes + 0.1 * generator.standard_normal((40, 5))
        low, high = bootstrap_interval(study, stream(number, "bootstrap", "B"))
        hits += low <= 0.6 <= high
    assert 0.92 <= hits / 500 <= 0.97


def test_wilcoxon_is_scipys_on_the_users_means():
    generator = np.random.default_rng(0)
    first, second = generator.random((25, 4)), generator.random((25, 4)) + 0.1
    table = columns(rows_of(first, adapter="a"), rows_of(second, adapter="b"))
    (found,) = compare(table)
    assert found.p == stats.wilcoxon(first.mean(axis=1), second.mean(axis=1)).pvalue
    assert found.p_holm == found.p
    assert found.difference == pytest.approx(first.mean() - second.mean(), abs=1e-15)
    assert (found.first, found.second, found.n_users) == ("a", "b", 25)


@pytest.mark.parametrize("n", [1, 2, 12, 49, 51, 200])
def test_wilcoxon_with_zeros_and_ties_is_scipys(n):
    differences = np.random.default_rng(n).integers(-2, 4, n) / 8
    differences[0] = 0.25
    assert wilcoxon_p(differences) == stats.wilcoxon(differences).pvalue


def test_wilcoxon_by_hand():
    """Six users, all better: two of the 64 sign patterns are as extreme."""
    assert wilcoxon_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])) == 2 / 64


def test_no_difference_is_no_finding_and_no_users_are_none():
    values = [[0.1, 0.2], [0.3, 0.4]]
    (same,) = compare(columns(rows_of(values, adapter="a"), rows_of(values, adapter="b")))
    assert (same.p, same.p_holm, same.difference) == (1.0, 1.0, 0.0)
    (apart,) = compare(columns(rows_of(values, adapter="a"), rows_of(values, adapter="b", users=["x", "y"])))
    assert np.isnan([apart.p, apart.p_holm, apart.difference]).all()
    assert apart.n_users == 0


def test_holm_by_hand():
    # Sorted: 0.01 * 4, then max with 0.02 * 3, 0.03 * 2, and 0.5 * 1.
    assert holm([0.03, 0.5, 0.01, 0.02]) == pytest.approx([0.06, 0.5, 0.04, 0.06], abs=1e-15)
    assert holm([0.04, 0.03]) == [0.06, 0.06]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    # What could not be tested is no test.
    assert holm([NAN, 0.02, 0.04])[1:] == [0.04, 0.04]
    assert math.isnan(holm([NAN, 0.02])[0])


def test_a_family_is_all_pairs_of_one_train_test_and_k():
    generator = np.random.default_rng(1)
    parts = [
        rows_of(generator.random((12, 2)), adapter=adapter, k=k, train=train)
        for train in ("A", "C")
        for k in (10, 100)
        for adapter in ("x", "y", "z")
    ]
    found = compare(columns(*parts))
    assert len(found) == 2 * 2 * 3
    for family in (found[start : start + 3] for start in range(0, 12, 3)):
        assert [(c.first, c.second) for c in family] == [("x", "y"), ("x", "z"), ("y", "z")]
        assert len({(c.train, c.k) for c in family}) == 1
        assert [c.p_holm for c in family] == holm([c.p for c in family])


def test_only_users_with_both_numbers_are_compared():
    first = [[0.1], [0.2], [NAN], [0.9], [0.5]]
    second = [[0.2], [0.4], [0.9], [1.0]]
    table = columns(rows_of(first, adapter="a"), rows_of(second, adapter="b"))
    (found,) = compare(table)
    assert found.n_users == 3
    assert found.p == stats.wilcoxon([-0.1, -0.2, 0.9 - 1.0]).pvalue
    (zero,) = compare(table, nan="zero")
    assert zero.n_users == 4
    assert user_means(table)["A", "B", "a", 10] == {"u0": 0.1, "u1": 0.2, "u3": 0.9, "u4": 0.5}


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (0.593, 0.005, "0.593±0.005"),
        (0.59349, 0.0051, "0.593±0.005"),
        (-0.0001, 0.2, "0.000±0.200"),
        (0.5, NAN, "0.500"),
        (NAN, NAN, "–"),
    ],
)
def test_the_literatures_format(mean, std, text):
    assert format_mean_std(mean, std) == text


def test_ten_thousand_users_are_summarised():
    values = np.random.default_rng(0).normal(0.5, 0.2, (10_000, 3))
    line = one(values)
    assert line.n_users == 10_000
    half = 1.96 * values.mean(axis=1).std() / 100
    assert (line.high - line.low) / 2 == pytest.approx(half, rel=0.1)
