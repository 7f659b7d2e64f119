"""Something that belongs to one event loop, made when it is first needed there."""

from collections.abc import Callable
from typing import Generic, final

from anyio.lowlevel import RunVar
from typing_extensions import TypeVar

__all__ = ["PerLoop"]

T = TypeVar("T")


@final
class PerLoop(Generic[T]):
    """Makes one ``T`` for each event loop that asks.

    Connections cannot outlive their loop, and ``run_sync`` starts a new one each time.
    """

    __slots__ = ("_make", "_var")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._var: RunVar[T | None] = RunVar("par.providers")

    def get(self) -> T:
        """Return the one of this loop; whatever making it raises passes through."""
        value = self._var.get(None)
        if value is None:
            value = self._make()
            self._var.set(value)
        return value

    def take(self) -> T | None:
        """Give away the one of this loop, if it was made; the next ``get`` makes another."""
        value = self._var.get(None)
        self._var.set(None)
        return value
