"""The demonstration that needs no data: a painted album and a person with a stated taste."""
