"""Groups raise groups; at the public edge a group of one is that one."""

__all__ = ["unwrapped"]


def unwrapped(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the only member of a group of one, else the group itself. One level, no more."""
    return group.exceptions[0] if len(group.exceptions) == 1 else group
