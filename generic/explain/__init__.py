"""What a generic model saw in a photo: where its attention looked, and what raised the score."""
