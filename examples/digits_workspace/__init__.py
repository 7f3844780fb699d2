"""A digit classifier, the workspace that trains and saves it, and the ways in which that can go wrong."""
