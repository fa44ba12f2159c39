from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols.fewshot.results import Results


@pytest.fixture(scope="session")
def make_results() -> Callable[..., Results]:
    """Results from SRCC values: ``make({(train, test, adapter, k): {user: [one value per repeat]}})``.

    The other metrics are simple functions of the SRCC, so that a test can work them out.
    """

    def make(values, **config) -> Results:
        return Results.from_rows(
            config,
            [
                {
                    **{"train": train, "test": test, "adapter": adapter, "k": k, "repeat": repeat},
                    **{"user": user, "n_query": 20, "srcc": srcc, "plcc": srcc / 2},
                    **{"pairwise": (1 + srcc) / 2, "mae": 1 - srcc, "coverage": 0.8},
                }
                for (train, test, adapter, k), people in values.items()
                for user, repeats in people.items()
                for repeat, srcc in enumerate(repeats)
            ],
        )

    return make


@pytest.fixture(scope="session")
def small(make_results) -> Results:
    """Three users, two repeats, two adapters and two k on the plain dataset ``table``."""
    people = {
        ("generic", 10): {"ana": [0.5, 0.6], "bo": [0.2, 0.3], "cy": [0.4, 0.1]},
        ("generic", 20): {"ana": [0.5, 0.5], "bo": [0.3, 0.3], "cy": [0.2, 0.3]},
        ("my_ridge", 10): {"ana": [0.4, 0.4], "bo": [0.1, 0.3], "cy": [0.5, 0.4]},
        ("my_ridge", 20): {"ana": [0.8, 0.7], "bo": [0.6, 0.5], "cy": [0.4, 0.6]},
    }
    values = {("oasis", "table", adapter, k): scores for (adapter, k), scores in people.items()}
    return make_results(values, query="rest", seed=0)
