"""A run kept as the reference: what its checkpoint is made of, and whether other versions of the code still read it."""
