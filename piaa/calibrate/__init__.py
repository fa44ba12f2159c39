"""A model's generic score, learned again from an app's own raters where people it never saw gain."""
