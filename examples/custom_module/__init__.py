"""A custom layer, optimizer and schedule, each right and wrong."""
