"""One person's scores for thousands of people at once, over HTTP."""
