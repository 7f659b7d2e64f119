"""The tools that remember."""
