"""The scenarios that every provider must pass."""

__all__: list[str] = []
