"""A training run: what it writes, and how that is read again."""
