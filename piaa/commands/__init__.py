"""The commands that need nothing above this layer; cli.py puts them together."""
