"""A layer whose files have changed their meaning, and that still reads the old ones."""
