"""A regression whose checkpoint holds more than state dicts: arrays, a configuration, closures, random state."""
