"""The memory of one scope in an audit in Postgres."""

from typing import final

import anyio
import attrs

import par.persistence._memory_postgres_jobs as jobs
from par._clock import Clock
from par.memory import History, Memory
from par.persistence._memory_jobs import Place
from par.persistence._memory_values import (
    INDEX_S,
    checked_limit,
    checked_memory,
    checked_owner,
    checked_query,
    storable,
)
from par.persistence._postgres_pool import PgPool

__all__ = ["PostgresMemory"]


@final
class PostgresMemory:
    """The memory of a scope, as ``par.memory.MemoryStore`` describes it, in the tables of an audit in Postgres.

    ``owner`` is the part of the pool's scope, ``None`` for all of it.

    Raises:
        ValueError: for an owner that is empty, longer than 500 characters, or no text that can be stored.
    """

    def __init__(self, pool: PgPool, owner: str | None, *, clock: Clock | None = None) -> None:
        self._pool = pool
        self._place = Place(pool.scope, checked_owner(owner))
        self._clock = clock or Clock()

    async def remember(
        self, content: str, /, *, summary: str = "", categories: tuple[str, ...] = (), source: str = ""
    ) -> Memory:
        """Keep a text and return what was kept; a text that is there already is kept once, with the new facts.

        What the database cannot keep (NUL, and half a surrogate pair) becomes a question mark.

        Raises:
            ValueError: for a content without any letter or digit, or of more than 20,000 characters; for a summary
                of more than 1,000, more than 20 categories, or one of more than 100 characters.
            StoreError: if the scope has 10,000 memories.
            StoreUnavailable: if the database cannot be written now, or the login may only read.
        """
        checked = checked_memory(content, summary, categories, source, self._clock)
        memory = attrs.evolve(
            checked,
            content=_kept(checked.content),
            summary=_kept(checked.summary),
            categories=tuple([_kept(category) for category in checked.categories]),
            source=_kept(checked.source),
        )
        return await self._pool.run(lambda connection: jobs.remember(connection, self._place, memory), again=True)

    async def recall(self, query: str, /, *, limit: int = 5) -> tuple[Memory, ...]:
        """Return what holds any word of the query, best first, of equally good ones the newest first.

        Any text is a query; one without letters and digits finds nothing, and of one of more than 10,000 characters the
        beginning counts. Words match in any case, with and without accents, English ones in any form.

        Raises:
            ValueError: for a limit outside of 1 to 50.
            StoreUnavailable: if the database cannot be read now.
        """
        checked_limit(limit)
        asked = checked_query(query)
        return await self._pool.run(lambda connection: jobs.recall(connection, self._place, asked, limit), again=True)

    async def forget(self, id: str, /) -> bool:  # noqa: A002 # the protocol's name
        """Remove a memory and its words; tell whether it was there.

        No query finds them afterwards; their bytes leave the files with the next VACUUM, and those of words that
        nothing else holds the index with the next REINDEX.

        Raises:
            StoreUnavailable: if the database cannot be written now, or the login may only read.
        """
        gone = _kept(storable(id))
        return await self._pool.run(lambda connection: jobs.forget(connection, self._place, gone))

    async def search_history(self, query: str, /, *, limit: int = 10, without_session: str | None = None) -> History:
        """Return where users and models said any word of the query, in at most ``limit`` sessions of the scope.

        Events that were stored since the last search are indexed first, for at most four seconds; if that was not
        enough, or the login may only read, ``complete`` is False. Their contents are as they are in the audit, masked
        where ``PiiMask`` is in the chain. What was redacted or has expired is not found. Of a word that was said more
        often than 10,000 times the newest places count.

        Raises:
            ValueError: for a limit outside of 1 to 50.
            StoreUnavailable: if the database cannot be read, the index not be written now, or the login may only
                append.
        """
        checked_limit(limit)
        asked = checked_query(query)
        without = None if without_session is None else storable(without_session)
        if without is not None and "\0" in without:
            without = None  # no session has such a name
        complete = await self._indexed()
        hits = await self._pool.run(
            lambda connection: jobs.find(connection, self._place, asked, limit, without), again=True
        )
        return History(hits=hits, complete=complete)

    async def _indexed(self) -> bool:
        enough = anyio.current_time() + INDEX_S
        while True:
            state = await self._pool.run(jobs.how_far, again=True)
            if not (state.behind and state.may_write):
                return not state.behind
            if anyio.current_time() >= enough:
                return False
            await self._pool.run(lambda connection: jobs.index_step(connection, self._place.scope), again=True)


def _kept(text: str) -> str:
    return text.replace("\0", "?")
