"""One person on top of a generic model: fitted, scored, learned on, asked."""
