"""How content leaves the sessions of an audit file. The functions run in the thread of the connection they are given."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, cast

import attrs

from par.codec import time_of
from par.persistence._redaction import Texts
from par.persistence._sessions_redaction import Content, Found, bare_approval, bare_turn, matches
from par.persistence._sessions_values import approval_row, turn_row

__all__ = [
    "PAGE",
    "Mark",
    "bare_turns",
    "drop_signals",
    "find_in_page",
    "remove_sessions",
    "remove_turns",
    "turns_with",
]

PAGE: Final = 500
"""Rows that are looked at in one go, and turns that one transaction changes at most."""

_WITH: Final = """
    SELECT number FROM turn
    WHERE scope = ? AND session = ? AND first_seq <= ? AND (last_seq IS NULL OR last_seq >= ?)
"""
_TURN: Final = "SELECT facts FROM turn WHERE scope = ? AND session = ? AND number = ?"
_BARE: Final = """
    UPDATE turn SET
        state = ?, ended_at = ?, facts = ?, input = NULL, messages = NULL,
        last_seq = coalesce(last_seq, (SELECT seq FROM head WHERE scope = turn.scope AND session = turn.session), 0)
    WHERE scope = ? AND session = ? AND number = ?
"""
_STEPS: Final = "UPDATE step SET result = NULL, inbox = NULL WHERE scope = ? AND session = ? AND turn = ?"
_SIGNALS: Final = "UPDATE signal SET body = NULL WHERE scope = ? AND session = ? AND turn = ?"
_APPROVALS: Final = "SELECT body FROM approval WHERE scope = ? AND session = ? AND turn = ?"
_BARE_APPROVAL: Final = "UPDATE approval SET status = ?, body = ? WHERE scope = ? AND session = ? AND id = ?"
# who works at the turn has lost it, with all that it knows
_FAIL: Final = """
    UPDATE session SET state = ?, open = 0, fence = fence + 1, lease_until = NULL, waits_until = '', updated_at = ?
    WHERE scope = ? AND id = ? AND turns = ? AND open = 1
"""
_DROP: Final = "DELETE FROM signal WHERE scope = ? AND session = ? AND id = ? AND turn IS NULL"
_OLD: Final = """
    SELECT session, number FROM turn WHERE scope = :scope AND ended_at < :before
    AND (:session IS NULL OR session = :session) LIMIT :limit
"""
_REMOVE_SIGNALS: Final = "DELETE FROM signal WHERE scope = ? AND session = ? AND turn = ?"
_REMOVE: Final = "DELETE FROM turn WHERE scope = ? AND session = ? AND number = ?"
_EMPTY: Final = """
    SELECT id FROM session WHERE scope = :scope AND open = 0 AND updated_at < :before
    AND (lease_until IS NULL OR lease_until < :before) AND (:session IS NULL OR id = :session)
    AND NOT EXISTS (SELECT 1 FROM turn WHERE turn.scope = session.scope AND turn.session = session.id)
    LIMIT :limit
"""
_REMOVE_SESSION: Final = "DELETE FROM session WHERE scope = ? AND id = ?"


@attrs.frozen
class Mark:
    """Up to where a table was looked at: the session and the key of the last row."""

    after: tuple[object, ...]


def find_in_page(
    connection: sqlite3.Connection, scope: str, session: str | None, texts: Texts, content: Content, mark: Mark | None
) -> tuple[Found, Mark | None]:
    """Look for the texts in the next rows of a table; return where to go on, ``None`` at its end."""
    after = ("", *content.start) if mark is None else mark.after
    query = content.query("?", None if session is None else "?", ", ".join("?" * len(after)), str(PAGE))
    values = (scope, *after) if session is None else (scope, *after, session)
    rows = cast("list[tuple[object, ...]]", connection.execute(query, values).fetchall())
    found = Found()
    matches(content, texts, rows, found)
    if len(rows) < PAGE:
        return found, None
    key = rows[-1][: len(after)]
    return found, Mark(tuple([one.decode() if isinstance(one, bytes) else one for one in key]))


def turns_with(connection: sqlite3.Connection, scope: str, session: str, seqs: Iterable[int]) -> list[tuple[str, int]]:
    """Return the turns to which these events belong."""
    numbers = {number for seq in seqs for (number,) in connection.execute(_WITH, (scope, session, seq, seq)).fetchall()}
    return [(session, number) for number in sorted(numbers)]


def bare_turns(connection: sqlite3.Connection, scope: str, turns: Iterable[tuple[str, int]], now: str) -> None:
    """Remove the contents of turns, and of what belongs to them. Within a transaction."""
    run = connection.execute
    at = time_of(now)
    for session, number in turns:
        key = (scope, session, number)
        row = run(_TURN, key).fetchone()
        if row is None:
            continue  # it has expired since it was found
        turn = bare_turn(row[0], at)
        _, _, state, _, ended, facts, _, _ = turn_row(turn)
        run(_BARE, (state, ended, facts, *key))
        run(_STEPS, key)
        run(_SIGNALS, key)
        for (body,) in run(_APPROVALS, key).fetchall():
            name, _, _, status, _, _, text = approval_row(bare_approval(body, at))
            run(_BARE_APPROVAL, (status, text, scope, session, name))
        run(_FAIL, (state, now, *key))


def drop_signals(connection: sqlite3.Connection, scope: str, signals: Iterable[tuple[str, str]]) -> None:
    """Remove signals that nobody has taken. Within a transaction."""
    connection.executemany(_DROP, [(scope, *signal) for signal in signals])


def remove_turns(connection: sqlite3.Connection, scope: str, session: str | None, before: str) -> int:
    """Remove some turns that ended before then, with what belongs to them; return how many. Within a transaction."""
    values = {"scope": scope, "session": session, "before": before, "limit": PAGE}
    old: Sequence[tuple[str, int]] = connection.execute(_OLD, values).fetchall()
    connection.executemany(_REMOVE_SIGNALS, [(scope, *one) for one in old])
    connection.executemany(_REMOVE, [(scope, *one) for one in old])
    return len(old)


def remove_sessions(connection: sqlite3.Connection, scope: str, session: str | None, before: str) -> int:
    """Remove some sessions that have no turns left; return how many. Within a transaction."""
    values = {"scope": scope, "session": session, "before": before, "limit": PAGE}
    empty: Sequence[tuple[str]] = connection.execute(_EMPTY, values).fetchall()
    connection.executemany(_REMOVE_SESSION, [(scope, name) for (name,) in empty])
    return len(empty)
