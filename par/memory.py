"""What an agent may remember from one conversation to the next, and what a place must do that keeps it."""

from datetime import datetime
from typing import Literal, Protocol

import attrs

__all__ = ["History", "HistoryHit", "Memory", "MemoryBackend", "MemoryStore"]


@attrs.frozen(kw_only=True)
class Memory:
    """Something that was remembered."""

    id: str
    """A ULID."""
    content: str
    summary: str = ""
    categories: tuple[str, ...] = ()
    at: datetime
    """When it was remembered, or remembered again; UTC."""
    source: str = ""
    """Where it comes from: the session in which a tool remembered it, or whatever the program says."""


@attrs.frozen(kw_only=True)
class HistoryHit:
    """A place in an earlier conversation."""

    session: str
    at: datetime
    role: Literal["user", "assistant"]
    """Who said it."""
    excerpt: str
    """What was said around the first word that was looked for, at most 500 characters."""


@attrs.frozen(kw_only=True)
class History:
    """What a search in earlier conversations found: the best place of each conversation, the best one first."""

    hits: tuple[HistoryHit, ...]
    complete: bool
    """Whether all that is stored was looked at. ``False`` while old conversations are still being indexed: the
    same search finds more later."""


class MemoryStore(Protocol):
    """The memory of one scope. Nothing of another scope can be seen, changed or removed through it."""

    async def remember(
        self, content: str, /, *, summary: str = "", categories: tuple[str, ...] = (), source: str = ""
    ) -> Memory:
        """Keep a text and return what was kept; a text that is there already is kept once, with the new facts.

        Raises:
            ValueError: for a content without any letter or digit, or a text that is too long.
            StoreError: if it cannot be stored, or the memory is full.
        """
        ...

    async def recall(self, query: str, /, *, limit: int = 5) -> tuple[Memory, ...]:
        """Return what holds any word of the query, best first, of equally good ones the newest first.

        Any text is a query; one without letters and digits finds nothing.

        Raises:
            ValueError: for a limit outside of 1 to 50.
            StoreError: if the store cannot be read.
        """
        ...

    async def forget(self, id: str, /) -> bool:  # noqa: A002 # it is what it is called
        """Remove what was remembered, with all traces in the index; tell whether it was there.

        Raises:
            StoreError: if the store cannot be written.
        """
        ...

    async def search_history(self, query: str, /, *, limit: int = 10, without_session: str | None = None) -> History:
        """Return where users and models said any word of the query, in at most ``limit`` conversations.

        ``without_session`` leaves one conversation out, mostly the present one.

        Raises:
            ValueError: for a limit outside of 1 to 50.
            StoreError: if the store cannot be read.
        """
        ...


class MemoryBackend(Protocol):
    """Has the memories of many scopes."""

    def memory(self, scope: str | None, /) -> MemoryStore:
        """Return the memory of a scope.

        The conversations of a scope are the session of that name and those whose names begin with it and a slash:
        ``user-7`` has ``user-7/monday``. ``None`` is what all share who use the same store, with the conversations
        of all.

        Raises:
            ValueError: if the scope is empty, or no text that can be stored.
        """
        ...
