"""Work on more photos and people than one machine holds: manifests, shards, and what is computed of them."""
