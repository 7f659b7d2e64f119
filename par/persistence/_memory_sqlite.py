"""The memory of one scope in an audit file."""

from typing import final

import anyio

import par.persistence._memory_jobs as jobs
from par._clock import Clock
from par.memory import History, Memory
from par.persistence._memory_history import Search, index_step, is_behind, search
from par.persistence._memory_values import (
    INDEX_S,
    checked_limit,
    checked_memory,
    checked_owner,
    checked_query,
    storable,
)
from par.persistence._sqlite_connection import SqliteConnection

__all__ = ["SqliteMemory"]


@final
class SqliteMemory:
    """The memory of a scope, as ``par.memory.MemoryStore`` describes it, in the tables of an audit file.

    Writing jobs run on ``writer`` and reading ones on ``reader``, which may be the same connection. ``store_scope`` is
    the scope to which the store is confined, and ``owner`` the part of it, ``None`` for all of it.

    Raises:
        ValueError: for an owner that is empty, longer than 500 characters, or no text that can be stored.
    """

    def __init__(
        self,
        writer: SqliteConnection,
        reader: SqliteConnection,
        store_scope: str,
        owner: str | None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._place = jobs.Place(store_scope, checked_owner(owner))
        self._clock = clock or Clock()

    async def remember(
        self, content: str, /, *, summary: str = "", categories: tuple[str, ...] = (), source: str = ""
    ) -> Memory:
        """Keep a text and return what was kept; a text that is there already is kept once, with the new facts.

        What no encoding can write (half a surrogate pair) becomes a question mark. A cancelled caller stops waiting;
        the text may be kept all the same.

        Raises:
            ValueError: for a content without any letter or digit, or of more than 20,000 characters; for a summary
                of more than 1,000, more than 20 categories, or one of more than 100 characters.
            StoreError: if the scope has 10,000 memories.
            StoreUnavailable: if the file cannot be written now.
        """
        memory = checked_memory(content, summary, categories, source, self._clock)
        return await self._writer.run(jobs.remember, self._place, memory)

    async def recall(self, query: str, /, *, limit: int = 5) -> tuple[Memory, ...]:
        """Return what holds any word of the query, best first, of equally good ones the newest first.

        Any text is a query; one without letters and digits finds nothing, and of one of more than 10,000 characters the
        beginning counts. Words match in any case, with and without accents, English ones in any form.

        Raises:
            ValueError: for a limit outside of 1 to 50.
            StoreUnavailable: if the file cannot be read now.
        """
        checked_limit(limit)
        return await self._reader.run(jobs.recall, self._place, checked_query(query), limit)

    async def forget(self, id: str, /) -> bool:  # noqa: A002 # the protocol's name
        """Remove a memory, with all traces in the index; tell whether it was there.

        Raises:
            StoreUnavailable: if the file cannot be written now.
        """
        return await self._writer.run(jobs.forget, self._place, storable(id))

    async def search_history(self, query: str, /, *, limit: int = 10, without_session: str | None = None) -> History:
        """Return where users and models said any word of the query, in at most ``limit`` sessions of the scope.

        Events that were stored since the last search are indexed first, for at most four seconds; if that was not
        enough, ``complete`` is False. Their contents are as they are in the audit, masked where ``PiiMask`` is in
        the chain. What was redacted or has expired is not found.

        Raises:
            ValueError: for a limit outside of 1 to 50.
            StoreUnavailable: if the file cannot be read, or the index not be written now.
        """
        checked_limit(limit)
        without = None if without_session is None else storable(without_session)
        asked = Search(query=checked_query(query), limit=limit, without_session=without)
        complete = await self._indexed()
        hits = await self._reader.run(search, self._place, asked)
        return History(hits=hits, complete=complete)

    async def _indexed(self) -> bool:
        enough = anyio.current_time() + INDEX_S
        while await self._reader.run(is_behind):
            if await self._writer.run(index_step):
                return True
            if anyio.current_time() >= enough:
                return False
        return True
