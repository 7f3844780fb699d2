"""A file format of a project's own, checked like the built-in ones."""
