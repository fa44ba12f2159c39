"""A model's generic score, learned again from an app's own raters where that is a gain for people it never saw."""
