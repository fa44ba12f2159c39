"""A ranking to look at: a page of thumbnails in a folder, which any browser opens as a file."""
