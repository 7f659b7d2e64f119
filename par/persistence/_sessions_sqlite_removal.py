"""Redaction and expiry of the sessions in an audit file, a bounded transaction at a time."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeAlias, final

import attrs

from par.persistence._redaction import Texts
from par.persistence._sessions_redaction import CONTENTS, Found
from par.persistence._sessions_sqlite_remove import (
    PAGE,
    Mark,
    bare_turns,
    drop_signals,
    find_in_page,
    remove_sessions,
    remove_turns,
)
from par.persistence._sqlite_connection import SqliteConnection
from par.persistence._sqlite_write import transaction

__all__ = ["SessionRemoval"]

_Remove: TypeAlias = Callable[[sqlite3.Connection, str, str | None, str], int]


@final
@attrs.frozen
class SessionRemoval:
    """Removes what sessions hold, beside what the audit tells of them."""

    _scope: str
    _writing: SqliteConnection
    _reader: SqliteConnection

    async def find(self, session: str | None, texts: Texts) -> Found:
        """Return where the texts are, in a session or in all of the scope."""
        all_found = Found()
        for content in CONTENTS:
            mark: Mark | None = None
            while True:
                found, mark = await self._reader.run(find_in_page, self._scope, session, texts, content, mark)
                all_found.turns.update(found.turns)
                all_found.signals.update(found.signals)
                if mark is None:
                    break
        return all_found

    async def bare(self, found: Found, now: str) -> None:
        """Remove the contents of what was found."""
        turns = sorted(found.turns)
        for first in range(0, len(turns), PAGE):
            await self._writing.run(_bare, self._scope, turns[first : first + PAGE], now)
        if found.signals:
            await self._writing.run(_drop, self._scope, sorted(found.signals))

    async def expire(self, session: str | None, before: str) -> int:
        """Remove the turns that ended before then, and the sessions that have none left; return how many rows."""
        gone = 0
        steps: tuple[_Remove, ...] = (remove_turns, remove_sessions)
        for remove in steps:
            while some := await self._writing.run(_removed, remove, self._scope, session, before):
                gone += some
        return gone


def _bare(connection: sqlite3.Connection, scope: str, turns: Sequence[tuple[str, int]], now: str) -> None:
    with transaction(connection):
        bare_turns(connection, scope, turns, now)


def _drop(connection: sqlite3.Connection, scope: str, signals: Sequence[tuple[str, str]]) -> None:
    with transaction(connection):
        drop_signals(connection, scope, signals)


def _removed(connection: sqlite3.Connection, remove: _Remove, scope: str, session: str | None, before: str) -> int:
    with transaction(connection):
        return remove(connection, scope, session, before)
