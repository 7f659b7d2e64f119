"""The tables of each database, in one module per feature."""
