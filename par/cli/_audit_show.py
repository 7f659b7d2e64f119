"""``par audit show``: what happened in a session, run by run, with the runs that those started."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

import attrs

from par._store import SessionSummary
from par.cli._audit_print import Printer
from par.cli._audit_store import OpenStore, Target, no_session, open_store
from par.cli._audit_timeline import Timeline
from par.codec import encode, time_text
from par.events import Envelope, RunEnded, RunResumed, RunStarted

__all__ = ["show"]

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@attrs.define
class _Stream:
    """The events of a session that are still to be shown, with the next one in hand."""

    rest: AsyncIterator[Envelope]
    next: Envelope


async def show(target: Target, session: str, printer: Printer, *, full: bool, as_json: bool) -> int:
    """Print the timeline of a session."""
    timeline = Timeline(full=full)
    async with open_store(target) as store:
        summaries = {one.session: one for one in await store.sessions()}
        summary = summaries.get(session)
        if summary is None:
            raise no_session(session, target)
        if not as_json:
            span = f"{summary.first_at:%Y-%m-%d %H:%M:%S} to {summary.last_at:%Y-%m-%d %H:%M:%S} UTC"
            printer.line(f"session {session}: {summary.events} events, {span}", "bold")
        children = await _children(store, session, list(summaries.values()))
        streams = await _opened(store, [session])
        while streams:
            stream = min(streams, key=lambda one: one.next.at)  # the first of equals: outer runs before inner ones
            envelope = stream.next
            _print(envelope, timeline, printer, as_json=as_json)
            if isinstance(envelope.event, (RunStarted, RunResumed)):
                streams += await _opened(store, children.pop(envelope.run, []))
            following = await anext(stream.rest, None)
            if following is None:
                streams.remove(stream)
            else:
                stream.next = following
    return 0


async def _opened(store: OpenStore, sessions: list[str]) -> list[_Stream]:
    streams: list[_Stream] = []
    for session in sessions:
        rest = aiter(store.events(session))
        first = await anext(rest, None)
        if first is not None:
            streams.append(_Stream(rest, first))
    return streams


async def _children(store: OpenStore, session: str, summaries: list[SessionSummary]) -> dict[str, list[str]]:
    """Return the sessions of inner runs by the runs that started them.

    An inner run has a session of its own, which names the outer run in each event, and lies within its time.
    """
    spans = await _spans(store, session)
    children: dict[str, list[str]] = {}
    for one in summaries:
        if one.session == session or not any(first <= one.first_at and one.last_at <= last for first, last in spans):
            continue
        async for envelope in store.events(one.session, limit=1):
            if envelope.parent is not None:
                children.setdefault(envelope.parent, []).append(one.session)
    return children


async def _spans(store: OpenStore, session: str) -> list[tuple[datetime, datetime]]:
    """Return the times of the runs of a session; one that has no end may still go on."""
    spans: dict[str, tuple[datetime, datetime]] = {}
    async for envelope in store.events(session):
        first, last = spans.get(envelope.run, (envelope.at, _NEVER))
        spans[envelope.run] = (first, envelope.at if isinstance(envelope.event, RunEnded) else last)
    return list(spans.values())


def _print(envelope: Envelope, timeline: Timeline, printer: Printer, *, as_json: bool) -> None:
    if not as_json:
        for text, style in timeline.lines(envelope):
            printer.line(text, style)
        return
    depth, offset_s = timeline.place(envelope)
    printer.json({
        "session": envelope.session,
        "seq": envelope.seq,
        "run": envelope.run,
        "parent": envelope.parent,
        "depth": depth,
        "step": envelope.step,
        "at": time_text(envelope.at),
        "offset_s": offset_s,
        "event": encode(envelope.event),
    })
