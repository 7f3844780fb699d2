"""A trial of a random search, whose checkpoint holds the configuration that rebuilds it."""
