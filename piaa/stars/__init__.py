"""Stars that other programs gave photos, read and learned from; and scores written for those programs."""
