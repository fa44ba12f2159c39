"""What a dataset gives to training, and the test of what came of it."""
