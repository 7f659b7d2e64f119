"""Tools on text, one file for each kind."""
