"""A training script of plain functions, and what it loses when its checkpoint is the one of the tutorial."""
