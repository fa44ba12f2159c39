"""The commands of the protocols: data, evaluate, cross-evaluate."""
