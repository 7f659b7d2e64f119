"""Groups raise groups; at the public edge a group of one is that one."""

from par.errors import StoreError

__all__ = ["unwrapped"]


def unwrapped(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the only member of a group of one, else the group itself. One level, no more.

    What several tasks met alike is one member: the very same error, or a store that failed.
    """
    first = group.exceptions[0]
    alike = all(error is first or _is_of_the_store(error, first) for error in group.exceptions)
    return first if alike else group


def _is_of_the_store(error: BaseException, first: BaseException) -> bool:
    return isinstance(error, StoreError) and type(error) is type(first)
