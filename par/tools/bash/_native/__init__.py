"""The commands that need no program."""
