"""``piaa-lite``, the embedded default: its network, and how it is trained."""
