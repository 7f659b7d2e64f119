"""What is left of a turn when its content is removed, and where content is looked for. The same for every database."""

from datetime import datetime
from typing import Final

import attrs

from par import codec
from par.persistence._redaction import Texts
from par.persistence._sessions_values import text_of
from par.sessions import Approval, TurnInfo
from par.states import TaskState, transition

__all__ = ["CONTENTS", "Content", "Found", "bare_approval", "bare_turn", "matches"]

_CAUSE: Final = "its content was redacted"
_WAY: Final = {
    TaskState.PENDING: (TaskState.SCHEDULED, TaskState.RUNNING, TaskState.FAILED),
    TaskState.SCHEDULED: (TaskState.RUNNING, TaskState.FAILED),
}


@attrs.frozen(kw_only=True)
class Content:
    """A table with content: its key after scope and session, the number of the turn, and the columns to look at."""

    table: str
    key: tuple[str, ...]
    start: tuple[int | str, ...]
    """What comes before every key."""
    turn: str
    columns: tuple[str, ...]

    def query(self, scope: str, session: str | None, after: str, limit: str) -> str:
        """Return the statement that reads a page, given the placeholders of its values."""
        where = [f"scope = {scope}", f"(session, {', '.join(self.key)}) > ({after})"]
        if session is not None:
            where.append(f"session = {session}")
        columns = ", ".join(["session", *self.key, self.turn, *self.columns])
        order = ", ".join(["session", *self.key])
        return f"SELECT {columns} FROM {self.table} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT {limit}"  # noqa: S608 # names of this file


CONTENTS: Final = (
    Content(table="turn", key=("number",), start=(0,), turn="number", columns=("facts", "input", "messages")),
    Content(table="step", key=("turn", "ord"), start=(0, 0), turn="turn", columns=("result", "inbox")),
    Content(table="approval", key=("id",), start=("",), turn="turn", columns=("body",)),
    Content(table="signal", key=("id",), start=("",), turn="turn", columns=("body",)),
)


@attrs.frozen
class Found:
    """Where texts were found: turns by session and number, and signals that no turn has taken by session and id."""

    turns: set[tuple[str, int]] = attrs.Factory(set[tuple[str, int]])
    signals: set[tuple[str, str]] = attrs.Factory(set[tuple[str, str]])


def matches(content: Content, texts: Texts, rows: list[tuple[object, ...]], found: Found) -> None:
    """Add the rows of a page in which one of the texts is."""
    turn = 1 + len(content.key)
    for row in rows:
        if not any(texts.are_in(text_of(column)) for column in row[turn + 1 :] if column is not None):
            continue
        session, number = text_of(row[0]), row[turn]
        if isinstance(number, int):
            found.turns.add((session, number))
        else:
            found.signals.add((session, text_of(row[1])))


def bare_turn(facts: object, now: datetime) -> TurnInfo:
    """Return what is told of a turn without its content; one that was open has failed."""
    turn = codec.loads(TurnInfo, text_of(facts))
    error = None if turn.error is None else attrs.evolve(turn.error, message="")
    if not turn.is_open:
        return attrs.evolve(turn, cause=_CAUSE, error=error)
    state = turn.state
    for target in _WAY.get(state, (TaskState.FAILED,)):
        state = transition(state, target)
    return attrs.evolve(turn, state=state, stop_reason="failed", cause=_CAUSE, error=error, ended_at=now)


def bare_approval(body: object, now: datetime) -> Approval:
    """Return what is told of an approval without its content; nobody can decide on it any more."""
    approval = codec.loads(Approval, text_of(body))
    is_pending = approval.status == "pending"
    return attrs.evolve(
        approval,
        arguments={},
        key="",
        prompt="",
        details={},
        note="",
        decided_by="",
        modified=None,
        status="withdrawn" if is_pending else approval.status,
        decided_at=now if is_pending else approval.decided_at,
    )
