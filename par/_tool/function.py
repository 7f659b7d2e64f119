"""A function of unknown signature, called by keyword."""

from typing import Protocol

__all__ = ["Function"]


class Function(Protocol):
    """Stands for any function whose parameters are known only from its signature at run time."""

    __name__: str
    __qualname__: str
    __module__: str

    def __call__(self, *args: object, **kwargs: object) -> object: ...
