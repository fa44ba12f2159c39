"""Where people are kept: one SQLite file, or a database that several servers share."""
