"""What a change does to the rows of a session, within a transaction. Runs in the thread of the writing connection."""

import sqlite3
from typing import Final, final

from par.errors import LeaseLost
from par.persistence._sessions_values import Work

__all__ = ["Sessions"]

_MINE: Final = "SELECT 1 FROM session WHERE scope = ? AND id = ? AND owner = ? AND fence = ?"
# the one that most steps need touches no index
_COUNT: Final = """
    UPDATE session SET
        updated_at = :at, steps = coalesce(:steps, steps), tokens = coalesce(:tokens, tokens),
        cost_micro = coalesce(:cost, cost_micro)
    WHERE scope = :scope AND id = :session AND owner = :owner AND fence = :fence
"""
_CHANGE: Final = """
    UPDATE session SET
        updated_at = :at, steps = coalesce(:steps, steps), tokens = coalesce(:tokens, tokens),
        cost_micro = coalesce(:cost, cost_micro),
        state = coalesce(:state, state),
        agent = CASE WHEN :turn >= turns THEN :agent ELSE agent END,
        open = CASE WHEN :turn >= turns THEN :open ELSE open END,
        waits_until = CASE WHEN :turn > turns THEN '' ELSE waits_until END,
        rival = CASE WHEN :turn > turns THEN 0 ELSE rival END,
        turns = CASE WHEN :turn > turns THEN :turn ELSE turns END,
        lease_until = CASE WHEN :releases THEN NULL ELSE lease_until END
    WHERE scope = :scope AND id = :session AND owner = :owner AND fence = :fence
"""
_TURN: Final = """
    INSERT INTO turn (scope, session, first_seq, last_seq, number, id, state, message_id, ended_at, facts, input, messages)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (scope, session, number) DO UPDATE SET
        id = excluded.id, state = excluded.state, message_id = excluded.message_id, ended_at = excluded.ended_at,
        last_seq = CASE WHEN ended_at IS NULL THEN excluded.last_seq ELSE last_seq END,
        facts = excluded.facts, input = excluded.input, messages = excluded.messages
"""
_STEP: Final = """
    INSERT INTO step (scope, session, turn, ord, kind, status, attempt, label, result, inbox)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (scope, session, turn, ord) DO UPDATE SET
        kind = excluded.kind, status = excluded.status, attempt = excluded.attempt, label = excluded.label,
        result = excluded.result, inbox = excluded.inbox
    WHERE status = 'started'
"""
_CLEAR: Final = """
    UPDATE step SET result = NULL, inbox = NULL
    WHERE scope = ? AND session = ? AND turn = ? AND (result IS NOT NULL OR inbox IS NOT NULL)
"""
_TAKE: Final = """
    UPDATE signal SET ord = ?, turn = coalesce(?, (SELECT turns FROM session WHERE scope = signal.scope AND id = signal.session))
    WHERE scope = ? AND session = ? AND id = ? AND turn IS NULL
"""
_APPROVAL: Final = """
    INSERT INTO approval (scope, session, id, turn, ord, status, asked_at, expires_at, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (scope, session, id) DO UPDATE SET
        status = excluded.status, expires_at = excluded.expires_at, body = excluded.body
"""
_WAIT: Final = """
    UPDATE session SET waits_until = coalesce((
        SELECT max(coalesce(expires_at, '~')) FROM approval
        WHERE scope = session.scope AND approval.session = session.id AND turn = session.turns AND status = 'pending'
    ), '')
    WHERE scope = ? AND id = ?
"""
_WAITING: Final = "SELECT 1 FROM signal WHERE scope = ? AND session = ? AND turn IS NULL LIMIT 1"


@final
class Sessions:
    """The sessions that one transaction changes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def lost(self, work: Work) -> LeaseLost | None:
        """Return the error of a former owner."""
        mine = (work.scope, work.session, work.owner, work.fence)
        return LeaseLost(work.session) if self._connection.execute(_MINE, mine).fetchone() is None else None

    def change(self, work: Work, first: int, last: int) -> LeaseLost | None:
        """Carry out the work, or nothing of it. ``first`` is the number of its first event, ``last`` of the last one."""
        run = self._connection.execute
        key = (work.scope, work.session)
        turn = work.turn
        steps, tokens, cost = work.totals or (None, None, None)
        values = {
            "scope": work.scope,
            "session": work.session,
            "owner": work.owner,
            "fence": work.fence,
            "at": work.at,
            "steps": steps,
            "tokens": tokens,
            "cost": cost,
        }
        if turn is None and work.state is None and not work.releases:
            done = run(_COUNT, values)
        else:
            number, is_open = (None, None) if turn is None else (turn[0], turn[4] is None)
            values |= {
                "state": work.state,
                "agent": work.agent,
                "turn": number,
                "open": is_open,
                "releases": work.releases,
            }
            done = run(_CHANGE, values)
        if not done.rowcount:
            return LeaseLost(work.session)
        if turn is not None:
            run(_TURN, (*key, first, None if turn[4] is None else last, *turn))
        if work.steps:
            self._connection.executemany(_STEP, [(*key, *step) for step in work.steps])
        if work.clears:
            run(_CLEAR, (*key, work.number))
        if work.takes:
            self._connection.executemany(_TAKE, [(ordinal, work.number, *key, one) for one, ordinal in work.takes])
        if work.approvals:
            self._connection.executemany(_APPROVAL, [(*key, *approval) for approval in work.approvals])
            run(_WAIT, key)
        return None

    def waits(self, work: Work) -> bool:
        """Tell whether signals wait for the session."""
        return self._connection.execute(_WAITING, (work.scope, work.session)).fetchone() is not None
