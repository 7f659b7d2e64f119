"""``par sessions list``, ``show`` and ``approvals``: what the store knows, whoever runs the sessions."""

from collections import Counter
from datetime import UTC, datetime
from typing import Final

import attrs

from par import Runtime
from par._json import Json, JsonObject
from par.cli._audit_print import Printer
from par.cli._audit_store import OpenStore, Target
from par.cli._audit_tail import follow
from par.cli._screen import event_line
from par.cli._sessions_store import open_sessions
from par.cli._sessions_words import (
    approval_lines,
    message_lines,
    session_document,
    session_lines,
    session_table,
    step_document,
    step_line,
    turn_line,
)
from par.codec import encode, tag_of
from par.events import Envelope, RunEnded
from par.messages import Message
from par.sessions import Approval, SessionInfo, SessionStatus, TurnInfo
from par.states import TaskState

__all__ = ["Show", "approvals", "list_sessions", "show"]

_AWAY_S: Final = 30.0
"""How long following survives a server that restarts."""


async def list_sessions(
    target: Target, status: SessionStatus | None, limit: int | None, printer: Printer, *, as_json: bool
) -> int:
    """Print the sessions, one a line."""
    async with open_sessions(target) as (_, rt):
        infos = await rt.sessions(status=status, limit=limit)
        waiting = Counter(approval.session for approval in await rt.approvals())
    if as_json:
        for info in infos:
            printer.json(session_document(info, waiting[info.id]))
    else:
        for line in session_table(infos, waiting, datetime.now(UTC)):
            printer.line(line)
    return 0


async def approvals(target: Target, session: str | None, printer: Printer, *, decided: bool, as_json: bool) -> int:
    """Print the calls that wait for a person, and with ``decided`` those that have waited."""
    async with open_sessions(target) as (_, rt):
        if session is not None:
            await rt.session(session)  # which says so if there is none
        found = await rt.approvals(session, pending=not decided)
    _print_approvals(found, printer, as_json=as_json)
    return 0


def _print_approvals(found: tuple[Approval, ...], printer: Printer, *, as_json: bool) -> None:
    now = datetime.now(UTC)
    for approval in found:
        if as_json:
            printer.json(encode(approval))
        else:
            for text, style in approval_lines(approval, now):
                printer.line(text, style)


@attrs.frozen(kw_only=True)
class Show:
    """What ``par sessions show`` is asked to do."""

    session: str
    full: bool
    follow: bool
    as_json: bool


@attrs.frozen(kw_only=True)
class _Known:
    """A session as it was when it was read."""

    info: SessionInfo
    turns: tuple[TurnInfo, ...]
    said: tuple[Message, ...]
    approvals: tuple[Approval, ...]

    def said_in(self, turn: TurnInfo) -> tuple[Message, ...]:
        """Return what was said in a turn, in the open one as far as it is recorded."""
        before = sum(len(one.messages) for one in self.turns if one.number < turn.number)
        return turn.messages or self.said[before:]


async def show(target: Target, options: Show, printer: Printer) -> int:
    """Print a session, and with ``follow`` each event of it from then on, until its turn has ended."""
    async with open_sessions(target, give_up_s=_AWAY_S if options.follow else None) as (store, rt):
        # the number comes first: what is stored from here on is followed, be it the end of the turn
        after = await store.last_seq(options.session)
        known = await _read(rt, options.session)
        if options.as_json:
            printer.json(await _document(rt, known))
        else:
            await _print(rt, known, printer, full=options.full)
        printer.flush()
        if options.follow and _goes_on(known.info):
            await _follow(store, options, after, printer)
            _print_approvals(await rt.approvals(options.session), printer, as_json=options.as_json)
    return 0


async def _read(rt: Runtime, session: str) -> _Known:
    return _Known(
        info=await rt.session(session),
        turns=await rt.turns(session),
        said=await rt.messages(session),
        approvals=await rt.approvals(session),
    )


def _goes_on(info: SessionInfo) -> bool:
    return info.status == "running" and info.state is not TaskState.SUSPENDED


async def _document(rt: Runtime, known: _Known) -> JsonObject:
    turns: list[Json] = []
    for turn in known.turns:
        steps: list[Json] = [step_document(step) for step in await rt.steps(known.info.id, turn.number)]
        messages: list[Json] = [encode(message) for message in known.said_in(turn)]
        turns.append({**encode(turn), "messages": messages, "steps": steps})
    waiting: list[Json] = [encode(approval) for approval in known.approvals]
    return {**session_document(known.info, len(waiting)), "turns": turns, "approvals": waiting}


async def _print(rt: Runtime, known: _Known, printer: Printer, *, full: bool) -> None:
    for text, style in session_lines(known.info, datetime.now(UTC)):
        printer.line(text, style)
    for turn in known.turns:
        printer.line("")
        printer.line(turn_line(turn), "bold")
        for step in await rt.steps(known.info.id, turn.number):
            printer.line(step_line(step), "dim")
        for message in known.said_in(turn):
            for line in message_lines(message, full=full):
                printer.line(line)
    if known.approvals:
        printer.line("")
        _print_approvals(known.approvals, printer, as_json=False)


async def _follow(store: OpenStore, options: Show, after: int, printer: Printer) -> None:
    def tell(envelope: Envelope) -> bool:
        if options.as_json:
            printer.json(encode(envelope))
        else:
            told = event_line(envelope.event)
            text = told[0] if told else tag_of(envelope.event)
            printer.line(f"{envelope.at:%H:%M:%S.%f} {text}", told[1] if told else "dim")
        return not isinstance(envelope.event, RunEnded)

    await follow(store, options.session, after, frozenset(), tell, printer)
