"""Durable sessions as rows, and rows as what is told of them. The same for every database.

What a model or a user may have written is JSON text, which keeps every character and can be removed; columns of their
own have what is looked for. Text may come as bytes, and times as text: so the reading connection of a file gives them.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import isfinite
from typing import Final, TypeAlias, cast

import attrs

from par import codec
from par._durable.log import Change, Signal, SignalName, StepRecord
from par._json import Json, JsonObject, JsonSyntaxError, load_json
from par.calls import ModelReply
from par.codec import time_of, time_text
from par.errors import DecodeError, StoreError
from par.messages import Message
from par.outcomes import ToolOutcome
from par.persistence._chain import AUDIT_SESSION
from par.sessions import Approval, SessionInfo, StepKind, StepStatus, TurnInfo
from par.states import TaskState

__all__ = [
    "ApprovalRow",
    "SignalRow",
    "StepRow",
    "TurnRow",
    "Work",
    "approval_of",
    "approval_row",
    "checked_lease_s",
    "checked_limit",
    "checked_name",
    "checked_session",
    "info_of",
    "signal_of",
    "signal_row",
    "step_of",
    "step_row",
    "text_of",
    "turn_of",
    "turn_row",
    "work_of",
]

TurnRow: TypeAlias = tuple[int, str, str, str | None, str | None, str, str | None, str | None]
"""number id state message_id ended_at facts input messages"""
StepRow: TypeAlias = tuple[int, int, str, str, int, str, str | None, str | None]
"""turn ord kind status attempt label result inbox"""
SignalRow: TypeAlias = tuple[str, str, str, str]
"""id name body at"""
ApprovalRow: TypeAlias = tuple[str, int, int, str, str, str | None, str]
"""id turn ord status asked_at expires_at body"""

_DEPTH: Final = 144
"""Levels of JSON that a stored result may nest: as many as the codec reads."""
_OUTCOMES: Final = ("done", "failed", "timed_out", "cancelled", "unknown", "handoff", "needs_approval")


@attrs.frozen(kw_only=True)
class Work:
    """A change as it is written: what ``Change`` says, as rows. ``at`` is the time of the change."""

    scope: str
    session: str
    owner: str
    fence: int
    at: str
    number: int | None
    """The turn that it is about; ``None`` for the last one."""
    agent: str | None
    turn: TurnRow | None
    steps: tuple[StepRow, ...]
    clears: bool
    takes: tuple[tuple[str, int], ...]
    approvals: tuple[ApprovalRow, ...]
    state: str | None
    totals: tuple[int, int, int] | None
    """Steps, tokens, cost."""
    releases: bool


def work_of(change: Change, scope: str, at: datetime) -> Work:
    """Turn a change into what is written.

    Raises:
        StoreError: if something in it cannot be stored: what JSON cannot express, a result that does not belong to the
            kind of its step, a name with a NUL or half a surrogate pair in it, or approvals of another session.
        ValueError: if it clears the results of no turn.
    """
    if change.clears_results and change.turn is None:
        raise ValueError("a change that clears results names their turn")
    if any(approval.session != change.lease.session for approval in change.approvals):
        raise StoreError(f"a change of session {change.lease.session!r} cannot hold approvals of another one")
    turn = change.turn
    numbers = {step.turn for step in change.steps} | ({turn.number} if turn is not None else set[int]())
    if len(numbers) > 1:
        raise StoreError(f"a change of session {change.lease.session!r} cannot be about several turns")
    totals = change.totals
    return Work(
        scope=scope,
        session=checked_session(change.lease.session),
        owner=checked_name("an owner", change.lease.owner),
        fence=change.lease.fence,
        at=time_text(at),
        number=next(iter(numbers), None),
        agent=None if turn is None else checked_name("the name of an agent", turn.agent),
        turn=None if turn is None else turn_row(turn),
        steps=tuple([step_row(step) for step in change.steps]),
        clears=change.clears_results,
        takes=tuple([(checked_name("the id of a signal", name), ordinal) for name, ordinal in change.takes.items()]),
        approvals=tuple([approval_row(approval) for approval in change.approvals]),
        state=change.state.value if change.state is not None else turn.state.value if turn is not None else None,
        totals=None if totals is None else (totals.steps, totals.tokens, totals.cost_micro),
        releases=change.releases,
    )


def checked_name(what: str, name: str) -> str:
    """Return a name that every database can keep.

    Raises:
        StoreError: if it is empty, or has a NUL or half a surrogate pair in it.
    """
    if not name or "\0" in name or (not name.isascii() and any("\ud800" <= char <= "\udfff" for char in name)):
        raise StoreError(f"{what} must be plain text, got {name!r}")
    return name


def checked_session(session: str) -> str:
    """Return the id of a session that may be durable.

    Raises:
        StoreError: if it is empty or no plain text, or names the session in which the store tells what it did.
    """
    if session == AUDIT_SESSION:
        raise StoreError(f"the session {AUDIT_SESSION!r} is the store's own: name another one")
    return checked_name("the id of a session", session)


def checked_lease_s(lease_s: float) -> float:
    """Return how long a lease holds.

    Raises:
        ValueError: unless it is a positive number of seconds.
    """
    if isinstance(lease_s, bool) or not isfinite(lease_s) or lease_s <= 0:
        raise ValueError(f"lease_s must be a positive number of seconds, got {lease_s!r}")
    return lease_s


def checked_limit(limit: int | None) -> int | None:
    """Return how many sessions are wanted at most.

    Raises:
        ValueError: for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be 1 or more, got {limit}")
    return limit


def text_of(stored: object) -> str:
    """Return stored text."""
    return stored.decode(errors="replace") if isinstance(stored, bytes) else cast("str", stored)


def _written(what: str, value: object) -> str:
    try:
        return codec.dumps(value)
    except (TypeError, ValueError) as error:
        raise StoreError(f"{what} cannot be stored: {error}") from error


def _free(what: str, value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))  # ASCII: so half a surrogate pair survives
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"{what} cannot be stored: {error}") from error


def _messages(what: str, messages: Iterable[Message]) -> str:
    return f"[{','.join([_written(what, message) for message in messages])}]"


def _read(what: str, stored: object) -> Json:
    try:
        return load_json(text_of(stored), max_depth=_DEPTH)
    except JsonSyntaxError as error:
        raise DecodeError(what, str(error)) from error


def _messages_of(what: str, stored: object) -> tuple[Message, ...]:
    if stored is None:
        return ()
    found = _read(what, stored)
    if not isinstance(found, list):
        raise DecodeError(what, "it is no list of messages")
    return tuple([cast("Message", codec.decode(Message, one)) for one in found])  # what decode returns is a member


def turn_row(turn: TurnInfo) -> TurnRow:
    """Return the row of a turn, without the place of its events.

    Raises:
        StoreError: if it cannot be stored.
    """
    what = f"turn {turn.number}"
    if turn.message_id is not None:
        checked_name("the id of a message", turn.message_id)
    return (
        turn.number,
        checked_name("the id of a turn", turn.id),
        turn.state.value,
        turn.message_id,
        None if turn.ended_at is None else time_text(turn.ended_at),
        _written(what, attrs.evolve(turn, input=(), messages=())),
        _messages(what, turn.input),
        _messages(what, turn.messages),
    )


def turn_of(row: Sequence[object]) -> TurnInfo:
    """Read ``facts input messages``.

    Raises:
        DecodeError: if this par cannot read it.
    """
    facts, given, messages = row
    turn = codec.loads(TurnInfo, text_of(facts))
    what = f"turn {turn.number}"
    return attrs.evolve(turn, input=_messages_of(what, given), messages=_messages_of(what, messages))


def step_row(step: StepRecord) -> StepRow:
    """Return the row of a step.

    Raises:
        StoreError: if it cannot be stored, or its result does not belong to its kind.
    """
    return (
        step.turn,
        step.ordinal,
        step.kind,
        step.status,
        step.attempt,
        json.dumps([step.name, step.key], separators=(",", ":")),
        _result(step),
        _messages(f"step {step.ordinal}", step.inbox) if step.inbox else None,
    )


def _result(step: StepRecord) -> str | None:
    what, result = f"the result of step {step.ordinal}", step.result
    if step.status == "started" or (result is None and step.kind in ("model", "tool")):
        return None
    if step.kind == "model":
        if not isinstance(result, ModelReply):
            raise StoreError(f"{what} cannot be stored: a model call has a ModelReply, not {type(result).__name__}")
        return _written(what, result)
    if step.kind == "tool":
        if codec.TAGS.get(type(result)) not in _OUTCOMES:
            raise StoreError(f"{what} cannot be stored: a tool call has an outcome, not {type(result).__name__}")
        return _written(what, result)
    return _free(what, result)


def step_of(row: Sequence[object]) -> StepRecord:
    """Read ``turn ord kind status attempt label result inbox``.

    Raises:
        DecodeError: if this par cannot read it.
    """
    turn, ordinal, kind, status, attempt, label, result, inbox = row
    what = f"step {ordinal}"
    name, key = cast("list[str]", _read(what, label))  # as step_row writes it
    kind_text = text_of(kind)
    return StepRecord(
        turn=cast("int", turn),  # the schema's CHECKs say so, here and below
        ordinal=cast("int", ordinal),
        kind=cast("StepKind", kind_text),
        name=name,
        key=key,
        status=cast("StepStatus", text_of(status)),
        attempt=cast("int", attempt),
        result=None if result is None else _result_of(what, kind_text, result),
        inbox=_messages_of(what, inbox),
    )


def _result_of(what: str, kind: str, stored: object) -> object:
    if kind == "model":
        return codec.loads(ModelReply, text_of(stored))
    if kind == "tool":
        return codec.loads(ToolOutcome, text_of(stored))
    return _read(what, stored)


def signal_row(signal: Signal) -> SignalRow:
    """Return the row of a signal that waits.

    Raises:
        StoreError: if it cannot be stored.
    """
    name = checked_name("the id of a signal", signal.id)
    return name, signal.name, _free(f"signal {name}", signal.body), time_text(signal.at)


def signal_of(row: Sequence[object]) -> Signal:
    """Read ``id name body at``.

    Raises:
        DecodeError: if this par cannot read it.
    """
    name, kind, body, at = row
    found = _read(f"signal {text_of(name)}", body)
    return Signal(
        id=text_of(name),
        name=cast("SignalName", text_of(kind)),
        body=cast("JsonObject", found),  # as signal_row writes it
        at=_time(at),
    )


def approval_row(approval: Approval) -> ApprovalRow:
    """Return the row of an approval.

    Raises:
        StoreError: if it cannot be stored.
    """
    return (
        checked_name("the id of an approval", approval.id),
        approval.turn,
        approval.ordinal,
        approval.status,
        time_text(approval.asked_at),
        None if approval.expires_at is None else time_text(approval.expires_at),
        _written(f"approval {approval.id}", approval),
    )


def approval_of(body: object) -> Approval:
    """Read the ``body`` of an approval.

    Raises:
        DecodeError: if this par cannot read it.
    """
    return codec.loads(Approval, text_of(body))


def info_of(row: Sequence[object], owner: str | None, lease_until: object) -> SessionInfo:
    """Read ``id agent state turns steps tokens cost_micro created_at updated_at``, and who works at it until when."""
    name, agent, state, turns, steps, tokens, cost, created, updated = row
    return SessionInfo(
        id=text_of(name),
        agent=text_of(agent),
        state=TaskState(text_of(state)),
        turns=cast("int", turns),
        steps=cast("int", steps),
        tokens=cast("int", tokens),
        cost_micro=cast("int", cost),
        created_at=_time(created),
        updated_at=_time(updated),
        owner=owner,
        lease_until=None if owner is None else _time(lease_until),
    )


def _time(stored: object) -> datetime:
    return stored if isinstance(stored, datetime) else time_of(text_of(stored))
