"""The experiment: datasets, splits, episodes, evaluation, reports."""
