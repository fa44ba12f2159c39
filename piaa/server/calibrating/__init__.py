"""A server's people are calibrated from while it serves, in a process of its own."""
