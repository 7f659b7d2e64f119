"""The tools that read, list, search, write and edit files of a workspace."""
