"""An image, and what people on average think of it; knows no user."""
