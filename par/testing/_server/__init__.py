"""A provider on this machine that refuses what the real ones refuse, and misbehaves when told to."""

__all__: list[str] = []
