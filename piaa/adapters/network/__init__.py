"""Tuning the network itself to one person: personal copies, what is trained in them, and the loop."""
