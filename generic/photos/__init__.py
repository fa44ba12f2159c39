"""Photo files: found, opened, turned upright, resized, packed."""
