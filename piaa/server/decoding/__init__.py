"""Photos of strangers are decoded in processes of their own, which may be ended at any time."""
