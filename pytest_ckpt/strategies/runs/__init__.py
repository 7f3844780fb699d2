"""Whole training programs, put together from drawn modules, optimizers and schedulers."""
