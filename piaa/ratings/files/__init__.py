"""Files of rows, in any format: ``read.py`` is the way in, each format is one module beside it."""
