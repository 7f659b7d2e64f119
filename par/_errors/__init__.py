"""The errors, one file for each thing that the caller can do. Their door and their tree: ``par.errors``."""
