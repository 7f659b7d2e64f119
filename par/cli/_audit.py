"""``par audit``: read, verify, copy and clean what was recorded."""

import argparse
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Final, TypeAlias

from rich.console import Console

from par.cli._audit_check import Check, heads, sessions, verify
from par.cli._audit_export import Export, export
from par.cli._audit_letters import delete_letters, list_letters, replay_letters, show_letter
from par.cli._audit_print import Printer
from par.cli._audit_remove import Redact, expire, redact, user_of
from par.cli._audit_show import show
from par.cli._audit_stats import stats
from par.cli._audit_store import Target, target_of
from par.cli._audit_tail import Tail, tail

__all__ = ["audit_command"]

Work: TypeAlias = Callable[[], Coroutine[object, object, int]]

_READING: Final = frozenset({"tail", "show", "sessions", "stats"})
"""The commands of which somebody may read as much as he likes, and leave."""


def audit_command(arguments: argparse.Namespace, env: Mapping[str, str], out: Console) -> Work:
    """Return what ``par audit`` is to do.

    Raises:
        UsageError: if the command line asks for what cannot be.
    """
    printer = Printer(out)
    target = target_of(arguments, env)
    work = _reading(arguments, target, printer) or _other(arguments, target, env, printer)
    return partial(_printed, work, printer, arguments.audit_command in _READING)


async def _printed(work: Work, printer: Printer, may_leave: bool) -> int:
    try:
        code = await work()
        printer.flush()
    except BrokenPipeError:
        printer.forget_reader()
        if may_leave:
            return 0
        raise
    return code


def _reading(arguments: argparse.Namespace, target: Target, printer: Printer) -> Work | None:
    match arguments.audit_command:
        case "tail":
            options = Tail(
                session=arguments.session,
                count=arguments.count,
                follow=arguments.follow,
                as_json=arguments.as_json,
            )
            return partial(tail, target, options, printer)
        case "show":
            return partial(show, target, arguments.session, printer, full=arguments.full, as_json=arguments.as_json)
        case "sessions":
            return partial(sessions, target, printer, as_json=arguments.as_json)
        case "stats":
            return partial(stats, target, arguments.session, printer, as_json=arguments.as_json)
        case _:
            return None


def _other(arguments: argparse.Namespace, target: Target, env: Mapping[str, str], printer: Printer) -> Work:
    match arguments.audit_command:
        case "verify":
            check = Check(
                session=arguments.session,
                key_file=arguments.key_file,
                heads=arguments.heads,
                heads_key_file=arguments.heads_key_file,
                as_json=arguments.as_json,
            )
            return partial(verify, target, check, printer)
        case "heads":
            return partial(heads, target, arguments.output, arguments.key_file, printer)
        case "export":
            options = Export(
                output=arguments.output,
                format=arguments.format,
                session=arguments.session,
                since=arguments.since,
                until=arguments.until,
                kinds=tuple(arguments.kind),
            )
            return partial(export, target, options, printer)
        case "expire":
            return partial(
                expire,
                target,
                arguments.older_than,
                arguments.session,
                printer,
                yes=arguments.yes,
                as_json=arguments.as_json,
            )
        case "redact":
            return partial(redact, target, _redact(arguments, env), printer)
        case _:
            return _letters(arguments, target, printer)


def _redact(arguments: argparse.Namespace, env: Mapping[str, str]) -> Redact:
    seqs: set[int] = set()
    for part in arguments.seq or ():
        seqs.update(*part)
    return Redact(
        session=arguments.session,
        all_sessions=arguments.all_sessions,
        seqs=tuple(sorted(seqs)),
        texts=tuple(arguments.text or ()),
        reason=arguments.reason,
        by=user_of(arguments.by, env),
        yes=arguments.yes,
        as_json=arguments.as_json,
    )


def _letters(arguments: argparse.Namespace, target: Target, printer: Printer) -> Work:
    as_json: bool = arguments.as_json
    match arguments.letters_command:
        case "show":
            return partial(show_letter, target, arguments.id, printer, as_json=as_json)
        case "delete":
            return partial(delete_letters, target, arguments.id, printer, as_json=as_json)
        case "replay":
            return partial(replay_letters, target, arguments.id, arguments.handler, printer, as_json=as_json)
        case _:
            subscriber: str | None = getattr(arguments, "subscriber", None)
            session: str | None = getattr(arguments, "session", None)
            return partial(list_letters, target, subscriber, session, printer, as_json=as_json)
