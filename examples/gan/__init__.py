"""A generator and a discriminator with an optimizer each, in one file."""
