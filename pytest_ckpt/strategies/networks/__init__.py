"""Modules: drawn layer by layer as recipes, built from them, and a project's own among them."""
