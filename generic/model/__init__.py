"""Generic models: a file with network, preprocessing and score scale that turns photos into vectors."""
