"""Envelopes for tests of stores."""

from datetime import UTC, datetime, timedelta

from par._ids import new_ulid
from par.events import Envelope, Event, ToolCallEnded

START = datetime(2025, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


def event(content: str = "sunny") -> Event:
    return ToolCallEnded(call_id="c1", name="weather", outcome="done", content=content, duration_s=0.25)


def envelope(session: str = "s", seq: int = 1, content: str = "sunny", **changes: object) -> Envelope:
    fields = {
        "id": new_ulid(),
        "session": session,
        "run": "r1",
        "step": 1,
        "parent": None,
        "at": START + timedelta(seconds=seq % 1000),
        "seq": seq,
        "event": event(content),
    }
    return Envelope(**{**fields, **changes})


def envelopes(session: str = "s", count: int = 3, first: int = 1) -> list[Envelope]:
    return [envelope(session, seq, content=f"{session} {seq}") for seq in range(first, first + count)]
