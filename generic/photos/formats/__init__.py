"""How photo files are built, one module a format: what is the picture, and what is told about it."""
