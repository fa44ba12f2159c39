"""The demonstration that needs no data: a painted album, and people with a stated taste."""
