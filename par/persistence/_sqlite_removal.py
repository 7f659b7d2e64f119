"""Redaction and expiry in an audit file, a bounded transaction at a time."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, final

import anyio

from par._store import Expired, Redaction
from par.errors import StoreError, StoreUnavailable
from par.persistence._chain import AUDIT_SESSION, Linker
from par.persistence._own_records import Scribe
from par.persistence._redaction import Texts, checked_seqs, checked_word
from par.persistence._sessions_redaction import Found
from par.persistence._sessions_sqlite_removal import SessionRemoval
from par.persistence._sqlite_connection import SqliteConnection
from par.persistence._sqlite_remove import (
    BATCH,
    empty_journal,
    find_old,
    find_texts,
    remove_contents,
    remove_fronts,
)

__all__ = ["Removal"]

_EMPTY_S: Final = 10.0
"""How long redaction waits for others to let go of the journal."""


@final
class Removal:
    """Removes what may be removed. Each transaction runs in the thread of the writing connection, among others'."""

    def __init__(
        self, scribe: Scribe, linker: Linker, writing: SqliteConnection, reader: SqliteConnection, where: str
    ) -> None:
        self._scribe = scribe
        self._scope = scribe.scope
        self._linker = linker
        self._writing = writing
        self._reader = reader
        self._where = where
        self._sessions = SessionRemoval(scribe.scope, writing, reader)

    async def redact(
        self, session: str, seqs: Iterable[int] | None, texts: Iterable[str] | None, reason: str, by: str
    ) -> Redaction:
        """See ``SqliteStore.redact``."""
        _checked_session(session)
        if (seqs is None) is (texts is None):
            raise ValueError("one of seqs and texts must be given")
        checked_word("reason", reason)
        checked_word("by", by)
        held = Found()
        if seqs is not None:
            numbers = checked_seqs(seqs)
        else:
            wanted = Texts(texts or ())
            found = await self._find(session, wanted)
            numbers = tuple(found.get(session, ()))
            held = await self._sessions.find(session, wanted)
        removed = await self._remove(session, numbers, reason, by)
        await self._sessions.bare(held, self._scribe.now())
        await self._empty_journal()
        return removed

    async def redact_person(self, texts: Iterable[str], reason: str, by: str) -> tuple[Redaction, ...]:
        """See ``SqliteStore.redact_person``."""
        checked_word("reason", reason)
        checked_word("by", by)
        wanted = Texts(texts)
        found, held = await self._find(None, wanted), await self._sessions.find(None, wanted)
        removed = [await self._remove(session, seqs, reason, by) for session, seqs in sorted(found.items())]
        await self._sessions.bare(held, self._scribe.now())
        await self._empty_journal()
        return tuple(one for one in removed if one.seqs)

    async def _find(self, session: str | None, texts: Texts) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        after, end = 0, False
        while not end:
            marks = await self._reader.run(find_texts, self._scope, session, texts, after)
            for name, seq in marks.found:
                found.setdefault(name, []).append(seq)
            after, end = marks.after, marks.end
        return found

    async def _remove(self, session: str, seqs: Iterable[int], reason: str, by: str) -> Redaction:
        numbers = tuple(seqs)
        removed: list[int] = []
        for first in range(0, len(numbers), BATCH):
            part = numbers[first : first + BATCH]
            removed += await self._writing.run(
                remove_contents, self._linker, self._scribe.tell, self._scope, session, part, reason, by
            )
        return Redaction(session=session, seqs=tuple(removed))

    async def _empty_journal(self) -> None:
        # removed bytes are overwritten in the file (secure_delete), but the journal has them until it is cut
        give_up = anyio.current_time() + _EMPTY_S
        while not await self._writing.run(empty_journal):
            if anyio.current_time() >= give_up:
                raise StoreUnavailable(
                    self._where,
                    "the contents were removed, but another process holds the journal, so their bytes are still in "
                    "it. Call again",
                )
            await anyio.sleep(0.05)

    async def expire(
        self,
        older_than: timedelta | None,
        before: datetime | None,
        session: str | None,
        progress: Callable[[Expired], None] | None,
    ) -> Expired:
        """See ``SqliteStore.expire``."""
        limit = self._scribe.limit_of(older_than, before)
        events, touched = 0, set[str]()
        after: str | None = None
        left: tuple[str, ...] = () if session is None else (_checked_session(session),)
        while True:
            if not left and session is None:
                left = await self._reader.run(find_old, self._scope, limit, after)
            if not left:
                break
            after = left[-1]
            while left:
                front = await self._writing.run(
                    remove_fronts, self._linker, self._scribe.tell, self._scope, limit, left
                )
                left = front.left
                events += sum(number for _, number in front.removed)
                touched.update(name for name, _ in front.removed)
                if progress is not None and front.removed:
                    progress(Expired(sessions=len(touched), events=events))
            if session is not None:
                break
        gone = await self._sessions.expire(session, limit)
        if events or gone:
            await self._writing.run(empty_journal)  # a courtesy: what holds the journal lets go of it one day
        return Expired(sessions=len(touched), events=events)


def _checked_session(session: str) -> str:
    if session == AUDIT_SESSION:
        raise StoreError(f"the session {AUDIT_SESSION!r} tells what was removed: nothing can be removed from it")
    return session
