"""Ways to learn one person from rated photos, one method a file."""
