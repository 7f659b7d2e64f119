"""The memory of one scope in an audit file."""

from typing import Final, final

import anyio

from par._clock import Clock
from par._ids import new_ulid
from par.memory import History, Memory
from par.persistence import _memory_jobs as jobs
from par.persistence._memory_history import Search, index_step, is_behind, search
from par.persistence._memory_words import has_words
from par.persistence._sqlite_connection import SqliteConnection

__all__ = ["SqliteMemory"]

_CONTENT_CHARS: Final = 20_000
_SUMMARY_CHARS: Final = 1_000
_CATEGORIES: Final = 20
_CATEGORY_CHARS: Final = 100
_SOURCE_CHARS: Final = 500
_SCOPE_CHARS: Final = 500
_QUERY_CHARS: Final = 10_000
_LIMIT: Final = 50
_INDEX_S: Final = 4.0
"""How long one search indexes before it answers with what there is; the next one goes on. Less than a tool may take."""


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
        if owner is not None:
            _check_owner(owner)
        self._writer = writer
        self._reader = reader
        self._place = jobs.Place(store_scope, owner or "")
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
        memory = Memory(
            id=new_ulid(),
            content=_checked("content", content, _CONTENT_CHARS),
            summary=_checked("summary", summary, _SUMMARY_CHARS),
            categories=tuple([_checked("categories", category, _CATEGORY_CHARS) for category in categories]),
            at=self._clock.now(),
            source=_checked("source", source, _SOURCE_CHARS),
        )
        if len(memory.categories) > _CATEGORIES:
            raise ValueError(f"categories must be at most {_CATEGORIES}, got {len(memory.categories)}")
        if not has_words(memory.content):
            raise ValueError("content must have a letter or a digit: nothing else can be found again")
        return await self._writer.run(jobs.remember, self._place, memory)

    async def recall(self, query: str, /, *, limit: int = 5) -> tuple[Memory, ...]:
        """Return what holds any word of the query, best first, of equally good ones the newest first.

        Any text is a query; one without letters and digits finds nothing, and of one of more than 10,000 characters the
        beginning counts. Words match in any case, with and without accents, English ones in any form.

        Raises:
            ValueError: for a limit outside of 1 to 50.
            StoreUnavailable: if the file cannot be read now.
        """
        _check_limit(limit)
        return await self._reader.run(jobs.recall, self._place, query[:_QUERY_CHARS], limit)

    async def forget(self, id: str, /) -> bool:  # noqa: A002 # the protocol's name
        """Remove a memory, with all traces in the index; tell whether it was there.

        Raises:
            StoreUnavailable: if the file cannot be written now.
        """
        return await self._writer.run(jobs.forget, self._place, _storable(id))

    async def search_history(self, query: str, /, *, limit: int = 10, without_session: str | None = None) -> History:
        """Return where users and models said any word of the query, in at most ``limit`` sessions of the scope.

        Events that were stored since the last search are indexed first, for at most four seconds; if that was not
        enough, ``complete`` is False. Their contents are as they are in the audit, masked where ``PiiMask`` is in
        the chain. What was redacted or has expired is not found.

        Raises:
            ValueError: for a limit outside of 1 to 50.
            StoreUnavailable: if the file cannot be read, or the index not be written now.
        """
        _check_limit(limit)
        without = None if without_session is None else _storable(without_session)
        asked = Search(query=query[:_QUERY_CHARS], limit=limit, without_session=without)
        complete = await self._indexed()
        hits = await self._reader.run(search, self._place, asked)
        return History(hits=hits, complete=complete)

    async def _indexed(self) -> bool:
        enough = anyio.current_time() + _INDEX_S
        while await self._reader.run(is_behind):
            if await self._writer.run(index_step):
                return True
            if anyio.current_time() >= enough:
                return False
        return True


def _check_owner(owner: str) -> None:
    if not owner or len(owner) > _SCOPE_CHARS:
        raise ValueError(f"scope must have 1 to {_SCOPE_CHARS} characters, got {len(owner)}")
    if "\0" in owner or _storable(owner) != owner:
        raise ValueError("scope must be a text that can be stored: no NUL, no half of a surrogate pair")


def _check_limit(limit: int) -> None:
    if type(limit) is not int or not 1 <= limit <= _LIMIT:
        raise ValueError(f"limit must be a whole number from 1 to {_LIMIT}, got {limit!r}")


def _checked(name: str, text: str, limit: int) -> str:
    if len(text) > limit:
        raise ValueError(f"{name} must be at most {limit} characters, got {len(text)}")
    return _storable(text)


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode()
