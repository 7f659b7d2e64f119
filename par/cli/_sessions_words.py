"""How sessions, turns and approvals are told in lines, and as JSON. What models and users have said is escaped."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from par._json import JsonObject, dump_json
from par._to_json import to_json
from par.approvals import shown
from par.cli._screen import printable
from par.codec import time_text
from par.messages import Assistant, Message, Reasoning, System, Text, ToolResults, User
from par.sessions import Approval, SessionInfo, StepInfo, TurnInfo

__all__ = [
    "ago",
    "approval_lines",
    "as_text",
    "decision_line",
    "message_lines",
    "session_document",
    "session_lines",
    "session_table",
    "step_document",
    "step_line",
    "turn_line",
]

_NAME: Final = 120
_CLIP: Final = 160
_ARGUMENTS: Final = 4_000
"""Characters of arguments that a person is shown: he decides about all of them, so this is a lot."""
_HEADS: Final = ("SESSION", "STATE", "AGENT", "TURNS", "STEPS", "TOKENS", "COST", "CHANGED", "WAITS", "OWNER")
_RIGHT: Final = frozenset({"TURNS", "STEPS", "TOKENS", "COST", "CHANGED", "WAITS"})


def ago(span: timedelta) -> str:
    """Return how long ago something was: ``5s``, ``3m``, ``2h``, ``4d``."""
    left = max(0, int(span.total_seconds()))
    for size, letter in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if left >= size:
            return f"{left // size}{letter}"
    return f"{left}s"


def _cost(micro: int) -> str:
    return f"{micro / 1e6:.6f}"


def session_table(infos: Sequence[SessionInfo], waiting: dict[str, int], now: datetime) -> Iterator[str]:
    """Return the lines of a table of sessions, its head first; nothing for none."""
    if not infos:
        return
    rows = [_HEADS] + [
        (
            shown(info.id, _NAME),
            info.state.value,
            shown(info.agent, _NAME),
            f"{info.turns}",
            f"{info.steps}",
            f"{info.tokens}",
            _cost(info.cost_micro),
            ago(now - info.updated_at),
            f"{waiting.get(info.id, 0) or '-'}",
            shown(info.owner or "-", _NAME),
        )
        for info in infos
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADS))]
    for row in rows:
        cells = [
            cell.rjust(width) if head in _RIGHT else cell.ljust(width)
            for cell, width, head in zip(row, widths, _HEADS, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def session_document(info: SessionInfo, waits: int) -> JsonObject:
    """Return what is known of a session; ``waits`` counts the calls that wait for a person."""
    return {
        "session": info.id,
        "agent": info.agent,
        "state": info.state.value,
        "status": info.status,
        "turns": info.turns,
        "steps": info.steps,
        "tokens": info.tokens,
        "cost_micro": info.cost_micro,
        "waits": waits,
        "created_at": time_text(info.created_at),
        "updated_at": time_text(info.updated_at),
        "owner": info.owner,
        "lease_until": None if info.lease_until is None else time_text(info.lease_until),
    }


def session_lines(info: SessionInfo, now: datetime) -> Iterator[tuple[str, str]]:
    """Return what stands above the turns of a session, each line with its style."""
    yield f"session {shown(info.id, _NAME)}: {info.state.value}, agent {shown(info.agent, _NAME)}", "bold"
    yield f"began {info.created_at:%Y-%m-%d %H:%M:%S} UTC, changed {ago(now - info.updated_at)} ago", "dim"
    if info.owner is not None:
        until = "" if info.lease_until is None else f", its lease holds until {info.lease_until:%H:%M:%S} UTC"
        yield f"worked at by {shown(info.owner, _NAME)}{until}", "dim"
    counts = f"{_counted(info.turns, 'turn')}, {_counted(info.steps, 'step')}"
    yield f"{counts}, {info.tokens:,} tokens, cost {_cost(info.cost_micro)}", ""


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def turn_line(turn: TurnInfo) -> str:
    """Return the line of a turn."""
    cause = f" ({shown(turn.cause, _CLIP)})" if turn.cause else ""
    failed = f": {turn.error.type} {shown(turn.error.message, _CLIP)}".rstrip() if turn.error else ""
    attempts = f", {turn.attempt} attempts" if turn.attempt > 1 else ""
    message = f", message {shown(turn.message_id, _NAME)}" if turn.message_id else ""
    why = f": {turn.stop_reason}" if turn.stop_reason else ""
    return f"turn {turn.number}  {turn.state.value}{why}{cause}{failed}{attempts}{message}"


def step_line(step: StepInfo) -> str:
    """Return the line of a step."""
    attempts = f", attempt {step.attempt}" if step.attempt > 1 else ""
    status = "" if step.status == "done" else f"  {step.status}"
    return f"  step {step.ordinal:>3}  {step.kind:<5}  {shown(step.name, _NAME)}{status}{attempts}"


def step_document(step: StepInfo) -> JsonObject:
    """Return what is known of a step."""
    return {
        "ordinal": step.ordinal,
        "kind": step.kind,
        "name": step.name,
        "key": step.key,
        "status": step.status,
        "attempt": step.attempt,
    }


def message_lines(message: Message, *, full: bool) -> Iterator[str]:
    """Return the lines of a message: its beginning on one, or all of it."""
    for who, text in _parts(message):
        lines = printable(text).strip("\n").split("\n")
        if not full:
            lines = [_clip(text)]
        for number, line in enumerate(lines):
            yield f"  {who if not number else '':<10} {line}"


def _clip(text: str) -> str:
    flat = " ".join(printable(text).split())
    return flat if len(flat) <= _CLIP else flat[: _CLIP - 3] + "..."


def _parts(message: Message) -> Iterator[tuple[str, str]]:
    match message:
        case System():
            yield "system", message.text
        case User():
            yield "user", message.text
        case Assistant():
            for block in message.content:
                if isinstance(block, Text):
                    yield "assistant", block.text
                elif isinstance(block, Reasoning):
                    yield "thought", block.text
            for use in message.tool_uses:
                yield "calls", f"{use.name} {dump_json(use.arguments)}"
        case ToolResults():
            for result in message.results:
                yield result.outcome, f"{result.name}: {result.content}"


def approval_lines(approval: Approval, now: datetime) -> Iterator[tuple[str, str]]:
    """Return what a person has to know to decide, each line with its style."""
    late = approval.expires_at is not None and approval.expires_at <= now
    status = "expired" if approval.status == "pending" and late else approval.status
    yield f"{approval.id}  {status}  {shown(approval.session, _NAME)}  {shown(approval.tool, _NAME)}", "bold yellow"
    yield f"  asks       {shown(approval.prompt, _ARGUMENTS)}", ""
    yield f"  arguments  {shown(dump_json(approval.arguments), _ARGUMENTS)}", ""
    if approval.modified is not None:
        yield f"  instead    {shown(dump_json(approval.modified), _ARGUMENTS)}", ""
    risk = f"risk {approval.risk}, " if approval.risk else ""
    who = ", ".join(shown(role, _NAME) for role in approval.roles) or "anybody"
    until = "" if approval.expires_at is None else f", until {approval.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  {risk}asked {ago(now - approval.asked_at)} ago, {who} may decide{until}", "dim"
    if approval.decided_by or approval.note:
        note = f": {shown(approval.note, _ARGUMENTS)}" if approval.note else ""
        yield f"  decided by {shown(approval.decided_by or 'nobody', _NAME)}{note}", ""


def decision_line(approval: Approval, verb: str, by: str) -> str:
    """Return what was decided, about which call."""
    arguments = approval.arguments if approval.modified is None else approval.modified
    call = f"{shown(approval.tool, _NAME)} {shown(dump_json(arguments), _ARGUMENTS)}"
    return f"{verb} {approval.id} by {shown(by, _NAME)}: {call}"


def as_text(value: object) -> str:
    """Return what a run came to as text."""
    return value if isinstance(value, str) else dump_json(to_json(value))
