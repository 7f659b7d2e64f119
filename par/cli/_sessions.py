"""``par sessions``: look at durable sessions, resume them, decide for them."""

import argparse
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, cast

from rich.console import Console

from par.cli._audit_print import Printer
from par.cli._audit_remove import user_of
from par.cli._audit_store import Target, target_of
from par.cli._screen import Screen
from par.cli._sessions_change import Cancel, Decision, Verb, cancel, decide, steer
from par.cli._sessions_look import Show, approvals, list_sessions, show
from par.cli._sessions_resume import Resume, resume, resume_all

__all__ = ["sessions_command"]

Work: TypeAlias = Callable[[], Coroutine[object, object, int]]

_READING: Final = frozenset({"list", "show", "approvals"})
"""The commands of which somebody may read as much as he likes, and leave."""


def sessions_command(arguments: argparse.Namespace, env: Mapping[str, str], out: Console, err: Console) -> Work:
    """Return what ``par sessions`` is to do.

    Raises:
        UsageError: if the command line asks for what cannot be.
    """
    printer = Printer(out)
    target = target_of(arguments, env)
    if arguments.sessions_command in _READING:
        work = _looking(arguments, target, printer)
    elif arguments.sessions_command == "resume":
        work = _resuming(arguments, target, printer, Screen(out, err))
    else:
        work = _changing(arguments, target, env, printer)
    return partial(_printed, work, printer, may_leave=arguments.sessions_command in _READING)


async def _printed(work: Work, printer: Printer, *, may_leave: bool) -> int:
    try:
        code = await work()
        printer.flush()
    except BrokenPipeError:
        printer.forget_reader()
        if may_leave:
            return 0
        raise
    return code


def _looking(arguments: argparse.Namespace, target: Target, printer: Printer) -> Work:
    as_json: bool = arguments.as_json
    match arguments.sessions_command:
        case "list":
            return partial(list_sessions, target, arguments.status, arguments.limit, printer, as_json=as_json)
        case "approvals":
            return partial(approvals, target, arguments.session, printer, decided=arguments.decided, as_json=as_json)
        case _:
            options = Show(session=arguments.session, full=arguments.full, follow=arguments.follow, as_json=as_json)
            return partial(show, target, options, printer)


def _resuming(arguments: argparse.Namespace, target: Target, printer: Printer, screen: Screen) -> Work:
    session: str | None = arguments.session
    options = Resume(
        session=session,
        agents=tuple(arguments.agent),
        key_file=arguments.key_file,
        timeout_s=arguments.timeout,
        wait_s=arguments.wait,
        migrate=arguments.migrate,
    )
    if session is None:
        return partial(resume_all, target, options, printer)
    return partial(resume, target, session, options, screen)


def _changing(arguments: argparse.Namespace, target: Target, env: Mapping[str, str], printer: Printer) -> Work:
    key_file: Path | None = arguments.key_file
    session: str = arguments.session
    match arguments.sessions_command:
        case "steer":
            return partial(steer, target, key_file, session, arguments.text, printer, follow_up=arguments.follow_up)
        case "cancel":
            options = Cancel(session=session, cause=arguments.cause, gently=arguments.gently, wait_s=arguments.wait)
            return partial(cancel, target, key_file, options, printer)
        case _:
            decision = Decision(
                verb=cast("Verb", arguments.sessions_command),  # one of its four words, all others are above
                session=session,
                approval=arguments.approval,
                by=user_of(arguments.by, env),
                roles=tuple(arguments.role),
                note=arguments.note,
                arguments=getattr(arguments, "arguments", ""),
                to=tuple(getattr(arguments, "to", ())),
                expires=getattr(arguments, "expires", None),
                as_json=arguments.as_json,
            )
            return partial(decide, target, key_file, decision, printer)
