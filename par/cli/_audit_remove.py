"""``par audit redact`` and ``expire``: what leaves an audit, for good and on the record."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import attrs

from par._store import Expired, Redaction
from par.cli._audit_ask import confirmed
from par.cli._audit_export import Progress
from par.cli._audit_print import Printer
from par.cli._audit_store import Target, no_session, open_store
from par.errors import UsageError

__all__ = ["Redact", "expire", "redact", "user_of"]

_FAILED: Final = 1
_USERS: Final = ("LOGNAME", "USER", "USERNAME")


@attrs.frozen(kw_only=True)
class Redact:
    """What ``par audit redact`` is asked to do."""

    session: str | None
    all_sessions: bool
    seqs: tuple[int, ...]
    texts: tuple[str, ...]
    reason: str
    by: str
    yes: bool
    as_json: bool


def user_of(by: str | None, env: Mapping[str, str]) -> str:
    """Return who does it: as the command line says, else the user's name.

    Raises:
        UsageError: if nobody knows.
    """
    found = by if by is not None else next((env[name] for name in _USERS if env.get(name)), "")
    if not found.strip():
        raise UsageError("who does it is recorded: say it with --by")
    return found


async def redact(target: Target, options: Redact, printer: Printer) -> int:
    """Remove contents, after asking; return 1 if the person says no."""
    if options.all_sessions is (options.session is not None):
        raise UsageError("name a session, or say --all-sessions")
    if options.all_sessions and not options.texts:
        raise UsageError("--all-sessions looks for a --text: numbers are those of one session")
    if not options.reason.strip() or any(not text.strip() for text in options.texts):
        raise UsageError("the reason and the texts must not be empty")
    what = f"the events {_shown(options.seqs)}" if options.seqs else "each event in which the text occurs"
    where = "every session" if options.session is None else f"the session {options.session!r}"
    async with open_store(target) as store:
        if options.session is not None and not await store.last_seq(options.session):
            raise no_session(options.session, target)
        if not await confirmed(
            f"Remove the contents of {what} in {where} of {target.shown!r} for good?", yes=options.yes
        ):
            return _FAILED
        done: tuple[Redaction, ...]
        if options.session is None:
            done = await store.redact_person(options.texts, reason=options.reason, by=options.by)
        elif options.seqs:
            seqs = options.seqs
            done = (await store.redact(options.session, seqs=seqs, reason=options.reason, by=options.by),)
        else:
            texts = options.texts
            done = (await store.redact(options.session, texts=texts, reason=options.reason, by=options.by),)
    for one in done:
        if options.as_json:
            printer.json({"session": one.session, "seqs": [*one.seqs], "redacted": len(one.seqs)})
        else:
            named = f": {_shown(one.seqs)}" if one.seqs else ""
            printer.line(f"{one.session}: {len(one.seqs)} event{'s' if len(one.seqs) != 1 else ''} redacted{named}")
    if not done and not options.as_json:
        printer.line("no event holds the text")
    return 0


def _shown(seqs: tuple[int, ...]) -> str:
    most = 12
    return ", ".join([f"#{seq}" for seq in seqs[:most]]) + (f" and {len(seqs) - most} more" if len(seqs) > most else "")


async def expire(
    target: Target, older_than: timedelta, session: str | None, printer: Printer, *, yes: bool, as_json: bool
) -> int:
    """Remove old events, after asking; return 1 if the person says no."""
    progress = Progress()

    def tell(now: Expired) -> None:
        progress.tell(f"{now.events:,} events of {now.sessions:,} sessions removed")

    where = "every session" if session is None else f"the session {session!r}"
    question = f"Remove what is older than {older_than} from the front of {where} of {target.shown!r} for good?"
    async with open_store(target) as store:
        if session is not None and not await store.last_seq(session):
            raise no_session(session, target)
        if not await confirmed(question, yes=yes):
            return _FAILED
        try:
            done = await store.expire(older_than=older_than, session=session, progress=tell)
        finally:
            progress.done()
    if as_json:
        printer.json({"sessions": done.sessions, "events": done.events})
    else:
        printer.line(f"{done.events} events of {done.sessions} sessions removed")
    return 0
