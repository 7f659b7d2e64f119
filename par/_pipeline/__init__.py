"""Calls, layers and the onion that they make."""
