"""``par sessions approve``, ``reject``, ``modify``, ``escalate``, ``steer`` and ``cancel``: what people say to sessions."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

import anyio.to_thread
import attrs

from par import Runtime
from par._json import JsonObject, JsonSyntaxError, load_json
from par.approvals import shown
from par.cli._audit_print import Printer
from par.cli._audit_store import Target
from par.cli._sessions_store import open_sessions
from par.cli._sessions_words import decision_line
from par.codec import encode
from par.errors import SessionError, UsageError
from par.sessions import Approval

__all__ = ["Cancel", "Decision", "Verb", "cancel", "decide", "steer"]

Verb: TypeAlias = Literal["approve", "reject", "modify", "escalate"]

_DONE: Final[dict[Verb, str]] = {
    "approve": "approved",
    "reject": "rejected",
    "modify": "modified",
    "escalate": "escalated",
}
_NAME: Final = 120


@attrs.frozen(kw_only=True)
class Decision:
    """What somebody says about a call that waits."""

    verb: Verb
    session: str
    approval: str | None
    by: str
    roles: tuple[str, ...]
    note: str
    arguments: str = ""
    to: tuple[str, ...] = ()
    expires: timedelta | None = None
    as_json: bool


async def decide(target: Target, key_file: Path | None, decision: Decision, printer: Printer) -> int:
    """Write the decision down."""
    arguments = await _read_arguments(decision.arguments) if decision.verb == "modify" else {}
    async with open_sessions(target, key_file=key_file) as (_, rt):
        approval = decision.approval or (await _only(rt, decision.session)).id
        decided = await _decided(rt, approval, decision, arguments)
    if decision.as_json:
        printer.json(encode(decided))
        return 0
    printer.line(decision_line(decided, _DONE[decision.verb], decision.by))
    if decision.verb == "escalate":
        printer.line(f"may decide now: {', '.join(shown(role, _NAME) for role in decided.roles)}")
    else:
        printer.line("to go on: par sessions resume, or the program's own rt.recover()", "dim")
    return 0


async def _decided(rt: Runtime, approval: str, said: Decision, arguments: JsonObject) -> Approval:
    session, by, roles, note = said.session, said.by, said.roles, said.note
    match said.verb:
        case "approve":
            return await rt.approve(session, approval, by=by, roles=roles, note=note)
        case "reject":
            return await rt.reject(session, approval, by=by, roles=roles, note=note)
        case "modify":
            return await rt.modify(session, approval, arguments, by=by, roles=roles, note=note)
        case "escalate":
            expires_s = None if said.expires is None else said.expires.total_seconds()
            return await rt.escalate(session, approval, to=said.to, by=by, roles=roles, note=note, expires_s=expires_s)


async def _only(rt: Runtime, session: str) -> Approval:
    await rt.session(session)  # which says so if there is none
    waiting = list(await rt.approvals(session))
    if not waiting:
        raise SessionError(session, "it waits for no decision")
    if len(waiting) > 1:
        ids = ", ".join(approval.id for approval in waiting)
        raise UsageError(f"session {session!r} waits for {len(waiting)} decisions, name one: {ids}")
    return waiting[0]


async def _read_arguments(text: str) -> JsonObject:
    if text == "-":
        text = await anyio.to_thread.run_sync(sys.stdin.read)
    try:
        found = load_json(text)
    except JsonSyntaxError as error:
        raise UsageError(f"the arguments are no JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError('the arguments are a JSON object, such as {"euros": 5}')
    return found


async def steer(
    target: Target, key_file: Path | None, session: str, text: str, printer: Printer, *, follow_up: bool
) -> int:
    """Send a message to a session."""
    async with open_sessions(target, key_file=key_file) as (_, rt):
        if follow_up:
            await rt.follow_up(session, text)
        else:
            await rt.steer(session, text)
    when = "once it has answered" if follow_up else "at its next model call"
    printer.line(f"sent: session {shown(session, _NAME)} sees it {when}")
    return 0


@attrs.frozen(kw_only=True)
class Cancel:
    """What ``par sessions cancel`` is asked to do."""

    session: str
    cause: str
    gently: bool
    wait_s: float


async def cancel(target: Target, key_file: Path | None, options: Cancel, printer: Printer) -> int:
    """End the open turn of a session."""
    session = shown(options.session, _NAME)
    async with open_sessions(target, key_file=key_file) as (_, rt):
        if options.gently:
            await rt.interrupt(options.session, options.cause)
            printer.line(f"session {session} was told to end its turn before its next step")
        else:
            await rt.cancel(options.session, options.cause, wait_s=options.wait_s)
            printer.line(f"the turn of session {session} is cancelled")
    return 0
