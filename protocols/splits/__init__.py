"""Who and what may be trained on, and who and what is tested."""
