"""``par audit``: verify the chain, and read what was recorded."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from par._json import dump_json
from par.cli._screen import event_line
from par.codec import encode
from par.events import Envelope
from par.persistence import open_sqlite

__all__ = ["tail", "verify"]

BROKEN = 3


async def verify(path: Path, session: str | None, out: Console) -> int:
    """Check the chains of a file; return 0 if all are as they were written, else 3."""
    async with open_sqlite(path, create=False) as store:
        verification = await store.verify(session)
    for broken in verification.broken:
        out.print(escape(str(broken)), style="red", highlight=False, soft_wrap=True)
    if not verification.ok:
        return BROKEN
    sessions = f"{verification.sessions} session{'s' if verification.sessions != 1 else ''}"
    out.print(f"audit: {verification.events} events in {sessions}, chain verified", highlight=False)
    return 0


async def tail(path: Path, session: str | None, count: int, out: Console, *, as_json: bool) -> int:
    """Print the last ``count`` events of a session, or of the whole file."""
    last: list[Envelope] = []
    async with open_sqlite(path, create=False) as store:
        async for envelope in store.events(session):
            last.append(envelope)
            del last[:-count]
    for envelope in last:
        if as_json:
            out.print(dump_json(encode(envelope)), markup=False, highlight=False, soft_wrap=True)
        else:
            out.print(escape(_line(envelope)), highlight=False, soft_wrap=True)
    return 0


def _line(envelope: Envelope) -> str:
    told = event_line(envelope.event)
    text = told[0] if told else type(envelope.event).__name__
    return f"{envelope.at:%Y-%m-%d %H:%M:%S.%f} {envelope.session} #{envelope.seq} {text}"
