"""The root of the errors."""

from typing import TypeVar

__all__ = ["ParError"]

_E = TypeVar("_E", bound="ParError")


class ParError(Exception):
    """The root of par's errors. Facts are attributes; ``str()`` is a sentence made of them."""

    def __reduce__(self) -> tuple[object, ...]:
        # facts are keyword arguments of the leaves, so rebuild from the state instead of calling __init__
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))


def _rebuild(cls: type[_E], args: tuple[object, ...], state: dict[str, object]) -> _E:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error
