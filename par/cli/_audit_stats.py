"""``par audit stats``: what an audit holds, in numbers."""

from collections import Counter
from datetime import datetime
from typing import final

from par._json import JsonObject
from par.cli._audit_print import Printer
from par.cli._audit_store import Target, no_session, open_store
from par.codec import tag_of, time_text
from par.events import Envelope, ModelAttempted, Redacted, RunEnded, RunStarted, ToolCallEnded
from par.usage import Usage

__all__ = ["stats"]

_WELL = ("done", "handoff")


@final
class _Count:
    """Counts events."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.sessions: set[str] = set()
        self.runs = 0
        self.stops: Counter[str] = Counter()
        self.models: dict[str, Usage] = {}
        self.attempts: Counter[str] = Counter()
        self.failed_attempts: Counter[str] = Counter()
        self.tools: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.redacted = 0
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, envelope: Envelope) -> None:
        """Count an event."""
        event = envelope.event
        self.sessions.add(envelope.session)
        self.first = envelope.at if self.first is None else min(self.first, envelope.at)
        self.last = envelope.at if self.last is None else max(self.last, envelope.at)
        self.kinds[event.kind if isinstance(event, Redacted) else tag_of(event)] += 1
        match event:
            case RunStarted():
                self.runs += 1
            case RunEnded():
                self.stops[event.stop_reason] += 1
            case ModelAttempted():
                self.attempts[event.model] += 1
                self.failed_attempts[event.model] += event.outcome != "answered"
                self.models[event.model] = self.models.get(event.model, Usage()) + (event.usage or Usage())
            case ToolCallEnded():
                self.tools[event.name] += 1
                self.failures[event.name] += event.outcome not in _WELL
            case Redacted():
                self.redacted += 1
            case _:
                pass

    def document(self) -> JsonObject:
        """Return the numbers as JSON; each key is always there."""
        whole = sum(self.models.values(), Usage())
        return {
            "events": sum(self.kinds.values()),
            "sessions": len(self.sessions),
            "first_at": None if self.first is None else time_text(self.first),
            "last_at": None if self.last is None else time_text(self.last),
            "redacted": self.redacted,
            "kinds": dict(self.kinds.most_common()),
            "runs": {"started": self.runs, "ended": dict(self.stops.most_common())},
            "usage": _usage(whole),
            "models": {
                name: {"requests": self.attempts[name], "failed": self.failed_attempts[name], **_usage(usage)}
                for name, usage in self.models.items()
            },
            "tools": {
                name: {"calls": calls, "failed": self.failures[name]} for name, calls in self.tools.most_common()
            },
        }


def _usage(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "cost_micro": usage.cost_micro,
    }


async def stats(target: Target, session: str | None, printer: Printer, *, as_json: bool) -> int:
    """Read every event of the scope, or of a session, and print how many there are of what."""
    count = _Count()
    async with open_store(target) as store:
        async for envelope in store.events(session):
            count.add(envelope)
    if session is not None and not count.sessions:
        raise no_session(session, target)
    if as_json:
        printer.json(count.document())
    else:
        _tell(count, printer)
    return 0


def _tell(count: _Count, printer: Printer) -> None:
    sessions = f"{len(count.sessions):,} session{'s' if len(count.sessions) != 1 else ''}"
    printer.line(f"events    {sum(count.kinds.values()):,} in {sessions}", "bold")
    if count.first is not None and count.last is not None:
        printer.line(f"time      {count.first:%Y-%m-%d %H:%M:%S} to {count.last:%Y-%m-%d %H:%M:%S} UTC")
    if count.redacted:
        printer.line(f"redacted  {count.redacted:,}")
    for kind, number in count.kinds.most_common():
        printer.line(f"  {number:>10,}  {kind}")
    printer.line(f"runs      {count.runs:,} started", "bold")
    for reason, number in count.stops.most_common():
        printer.line(f"  {number:>10,}  {reason}")
    whole = sum(count.models.values(), Usage())
    printer.line(f"tokens    {whole.total_tokens:,}, cost {whole.cost_micro / 1e6:.6f}", "bold")
    for name, usage in count.models.items():
        told = f"{usage.input_tokens:,} in, {usage.output_tokens:,} out, cost {usage.cost_micro / 1e6:.6f}"
        failed = f", {count.failed_attempts[name]:,} failed" if count.failed_attempts[name] else ""
        printer.line(f"  {count.attempts[name]:>10,}  requests to {name}{failed}: {told}")
    printer.line(f"tools     {sum(count.tools.values()):,} calls", "bold")
    for name, number in count.tools.most_common():
        failed = f", {count.failures[name]:,} failed" if count.failures[name] else ""
        printer.line(f"  {number:>10,}  {name}{failed}")
