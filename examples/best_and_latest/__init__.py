"""A folder of checkpoints: the last three epochs, and the best one."""
