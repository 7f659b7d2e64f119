"""The guarded client, what makes pages readable, search, and the tools on them."""
