"""``par audit verify``, ``heads`` and ``sessions``: whether all is as it was written, and what to keep of it."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import attrs

from par._store import Head, Verification
from par.cli._audit_print import Printer
from par.cli._audit_store import Target, no_session, open_store, read_key
from par.codec import time_text
from par.errors import StoreError, UsageError, WrongKey
from par.persistence import AUDIT_SESSION, read_heads, sign_heads
from par.persistence._export_file import new_file

__all__ = ["Check", "heads", "sessions", "verify"]

_BROKEN = 3


@attrs.frozen(kw_only=True)
class Check:
    """What ``par audit verify`` is asked to do."""

    session: str | None
    key_file: Path | None
    heads: Path | None
    heads_key_file: Path | None
    as_json: bool


async def verify(target: Target, check: Check, printer: Printer) -> int:
    """Check the chains; return 0 if all are as they were written, else 3."""
    key = await read_key(check.key_file)
    known = await _known_heads(check, target)
    if key is not None:
        await _refuse_unkeyed(target)
    async with open_store(target, key=key) as store:
        found = await store.verify(check.session, heads=known)
    if check.session is not None and not found.sessions and found.ok:
        raise no_session(check.session, target)
    _tell(found, target, printer, as_json=check.as_json)
    return 0 if found.ok else _BROKEN


async def _refuse_unkeyed(target: Target) -> None:
    """Refuse a scope that is kept without a key: once opened with one, it would be kept with it from then on."""
    async with open_store(target) as store:
        try:
            await store.verify(AUDIT_SESSION)  # the one that is short
        except WrongKey:
            return
    raise StoreError(f"the scope {target.scope!r} is kept without a key: verify it without --key-file")


async def _known_heads(check: Check, target: Target) -> Sequence[Head]:
    key = await read_key(check.heads_key_file)
    if check.heads is None:
        if key is not None:
            raise UsageError("--heads-key-file is for --heads")
        return ()
    try:
        found = read_heads(await anyio.Path(check.heads).read_text(encoding="utf-8"), key=key)
    except OSError as error:
        raise UsageError(f"the heads {str(check.heads)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StoreError("the heads cannot be read: they are no text") from None
    others = {head.scope for head in found} - {target.scope}
    if others:
        raise UsageError(f"the heads are of the scope {min(others)!r}: name it with --scope")
    return [head for head in found if check.session in (None, head.session)]


def _tell(found: Verification, target: Target, printer: Printer, *, as_json: bool) -> None:
    for broken in found.broken:
        if as_json:
            printer.json({
                "kind": "break",
                "scope": target.scope,
                "session": broken.session,
                "seq": broken.seq,
                "problem": broken.problem,
            })
        else:
            printer.line(str(broken), "red")
    if as_json:
        printer.json({
            "kind": "verification",
            "scope": target.scope,
            "ok": found.ok,
            "sessions": found.sessions,
            "events": found.events,
            "broken": len(found.broken),
            "redacted": found.redacted,
            "expired": found.expired,
            "unkeyed": [*found.unkeyed],
        })
    elif found.ok:
        more = f", {found.redacted} redacted" if found.redacted else ""
        more += f", {found.expired} expired" if found.expired else ""
        more += f", {_counted(len(found.unkeyed), 'session')} without the key" if found.unkeyed else ""
        printer.line(f"audit: {found.events} events in {_counted(found.sessions, 'session')}, chain verified{more}")
    else:
        printer.line(f"audit: {_counted(len(found.broken), 'session')} of {found.sessions} broken", "bold red")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


async def heads(target: Target, output: Path | None, key_file: Path | None, printer: Printer) -> int:
    """Write the head of each session, sealed, to a file or to standard output."""
    key = await read_key(key_file)
    async with open_store(target) as store:
        text = sign_heads(await store.heads(), key=key)
    if output is None:
        printer.text(text)
    else:
        async with new_file(output) as file:
            await anyio.to_thread.run_sync(file.write, text.encode())
    return 0


async def sessions(target: Target, printer: Printer, *, as_json: bool) -> int:
    """List the sessions."""
    async with open_store(target) as store:
        found = await store.sessions()
    for one in found:
        first, last = time_text(one.first_at), time_text(one.last_at)
        if as_json:
            printer.json({"session": one.session, "events": one.events, "first_at": first, "last_at": last})
        else:
            printer.line(f"{one.last_at:%Y-%m-%d %H:%M:%S} {one.events:>8} {one.session}")
    return 0
