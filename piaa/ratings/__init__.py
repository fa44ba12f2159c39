"""What people said of photos: scales, tables of ratings and comparisons, and the files they mean."""
