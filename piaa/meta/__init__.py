"""Meta-learning: a start from which a few gradient steps on a person's ratings reach her taste."""
