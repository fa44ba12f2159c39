"""Vectors of photos, remembered by the content of the photo and the model that made them."""
