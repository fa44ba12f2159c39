"""Meta-learning: a start from which a few gradient steps on a person's ratings reach her taste.

Close to BLG-PIAA (Zhu et al., IEEE Transactions on Cybernetics 2020) in purpose, not in kind: that
meta-learns and adapts the whole network on photos, this a small head on the vectors of a frozen one.
"""
