"""Redaction and expiry in an audit in Postgres, a bounded transaction at a time."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import final

from par._store import Expired, Redaction
from par.errors import StoreError
from par.persistence._chain import AUDIT_SESSION, Linker
from par.persistence._own_records import Scribe
from par.persistence._postgres_pool import PgPool
from par.persistence._postgres_remove import BATCH, Remover, find_old, find_texts
from par.persistence._redaction import Texts, checked_seqs, checked_word
from par.persistence._sessions_postgres_remove import SessionRemoval
from par.persistence._sessions_redaction import Found

__all__ = ["Removal"]


@final
class Removal:
    """Removes what may be removed. A transaction whose outcome is unknown, because the line was lost, is reported."""

    def __init__(self, scribe: Scribe, linker: Linker, pool: PgPool) -> None:
        self._scribe = scribe
        self._scope = scribe.scope
        self._pool = pool
        self._remover = Remover(linker, scribe.tell, scribe.scope)
        self._sessions = SessionRemoval(scribe.scope, pool)

    async def redact(
        self, session: str, seqs: Iterable[int] | None, texts: Iterable[str] | None, reason: str, by: str
    ) -> Redaction:
        """See ``PostgresStore.redact``."""
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
        return removed

    async def redact_person(self, texts: Iterable[str], reason: str, by: str) -> tuple[Redaction, ...]:
        """See ``PostgresStore.redact_person``."""
        checked_word("reason", reason)
        checked_word("by", by)
        wanted = Texts(texts)
        found, held = await self._find(None, wanted), await self._sessions.find(None, wanted)
        removed = [await self._remove(session, seqs, reason, by) for session, seqs in sorted(found.items())]
        await self._sessions.bare(held, self._scribe.now())
        return tuple(one for one in removed if one.seqs)

    async def _find(self, session: str | None, texts: Texts) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        after, end = 0, False
        while not end:
            start = after
            marks = await self._pool.run(lambda c: find_texts(c, self._scope, session, texts, start), again=True)  # noqa: B023 # it runs before the next round
            for name, seq in marks.found:
                found.setdefault(name, []).append(seq)
            after, end = marks.after, marks.end
        return found

    async def _remove(self, session: str, seqs: Iterable[int], reason: str, by: str) -> Redaction:
        numbers = tuple(seqs)
        removed: list[int] = []
        for first in range(0, len(numbers), BATCH):
            part = numbers[first : first + BATCH]
            removed += await self._pool.run(lambda c: self._remover.contents(c, session, part, reason, by))  # noqa: B023 # it runs before the next round
        return Redaction(session=session, seqs=tuple(removed))

    async def expire(
        self,
        older_than: timedelta | None,
        before: datetime | None,
        session: str | None,
        progress: Callable[[Expired], None] | None,
    ) -> Expired:
        """See ``PostgresStore.expire``."""
        limit = self._scribe.limit_of(older_than, before)
        events, touched = 0, set[str]()
        after: str | None = None
        left: tuple[str, ...] = () if session is None else (_checked_session(session),)
        while True:
            if not left and session is None:
                last = after
                left = await self._pool.run(lambda c: find_old(c, self._scope, limit, last), again=True)  # noqa: B023 # it runs before the next round
            if not left:
                break
            after = left[-1]
            while left:
                some = left
                front = await self._pool.run(lambda c: self._remover.fronts(c, limit, some))  # noqa: B023 # it runs before the next round
                left = front.left
                events += sum(number for _, number in front.removed)
                touched.update(name for name, _ in front.removed)
                if progress is not None and front.removed:
                    progress(Expired(sessions=len(touched), events=events))
            if session is not None:
                break
        await self._sessions.expire(session, limit)
        return Expired(sessions=len(touched), events=events)


def _checked_session(session: str) -> str:
    if session == AUDIT_SESSION:
        raise StoreError(f"the session {AUDIT_SESSION!r} tells what was removed: nothing can be removed from it")
    return session
