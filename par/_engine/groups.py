"""Groups raise groups; at the public edge a group of one is that one."""

__all__ = ["unwrapped"]


def unwrapped(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the only member of a group of one, else the group itself. One level, no more.

    What several tasks met alike, such as a store that failed, is one member.
    """
    first = group.exceptions[0]
    return first if all(error is first for error in group.exceptions) else group
