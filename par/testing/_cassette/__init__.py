"""Recording what is said with a server, and replaying it."""

__all__: list[str] = []
