"""Few-shot tests: a user's ratings in episodes, every adapter on each, and the table of results."""
