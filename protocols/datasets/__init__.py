"""Datasets of rated photos: one loader a dataset, and what they become."""
