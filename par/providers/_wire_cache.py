"""Remembers the wire form of immutable messages, so that a long history is not rebuilt at every step."""

from collections.abc import Callable
from typing import Generic, final

from typing_extensions import TypeVar

__all__ = ["WireCache"]

M = TypeVar("M")
W = TypeVar("W")

_GENERATION = 512


@final
class WireCache(Generic[M, W]):
    """Builds the form of a message once while the message is in use; holds at most 1024 of them.

    Two generations: what is not asked for while a new one fills up is forgotten. Messages are told apart by
    identity; each entry keeps its message alive, so an identity cannot be reused. Whoever gets a form must not
    change it.
    """

    __slots__ = ("_build", "_new", "_old")

    def __init__(self, build: Callable[[M], W]) -> None:
        self._build = build
        self._new: dict[int, tuple[M, W]] = {}
        self._old: dict[int, tuple[M, W]] = {}

    def get(self, message: M) -> W:
        """Return the wire form of ``message``."""
        key = id(message)
        entry = self._new.get(key)
        if entry is None:
            entry = self._old.get(key)
            if entry is None:
                entry = (message, self._build(message))
            if len(self._new) >= _GENERATION:
                self._old, self._new = self._new, {}
            self._new[key] = entry
        return entry[1]
