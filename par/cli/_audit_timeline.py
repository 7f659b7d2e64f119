"""A run as a timeline: each event a line, at its time since the run began."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, TypeAlias, final

import attrs

from par._json import dump_json
from par.cli._screen import event_line, printable
from par.codec import dumps, tag_of
from par.events import (
    BashCompleted,
    BashInvoked,
    Envelope,
    Event,
    ModelAttempted,
    ModelCallEnded,
    Redacted,
    RunEnded,
    RunResumed,
    RunStarted,
    ToolCallEnded,
    ToolCallStarted,
)
from par.messages import Assistant, Message, Reasoning, Text, User
from par.usage import Usage

__all__ = ["Line", "Timeline"]

Line: TypeAlias = tuple[str, str]
"""A text and its style."""

_CLIP: Final = 160
_ANSWER_LINES: Final = 20


@attrs.define
class _Run:
    """What is known of a run while its events go by."""

    start: datetime
    depth: int
    answer: str = ""


@final
class Timeline:
    """Makes lines of events; runs that other runs started stand further right."""

    def __init__(self, *, full: bool = False) -> None:
        self._full = full
        self._runs: dict[str, _Run] = {}

    def place(self, envelope: Envelope) -> tuple[int, float]:
        """Return how deep in the tree of runs an event is, and how many seconds after the start of its run."""
        run = self._of(envelope)
        return run.depth, (envelope.at - run.start).total_seconds()

    def _of(self, envelope: Envelope) -> _Run:
        run = self._runs.get(envelope.run)
        if run is None:
            outer = self._runs.get(envelope.parent or "")
            run = self._runs[envelope.run] = _Run(envelope.at, 0 if outer is None else outer.depth + 1)
        return run

    def lines(self, envelope: Envelope) -> Iterator[Line]:
        """Return what is printed of an event."""
        run, event = self._of(envelope), envelope.event
        margin = "    " * run.depth
        if isinstance(event, RunStarted):
            yield "", ""
            yield f"{margin}run {envelope.run}  agent {event.agent or '-'}, model {event.model}", "bold"
            yield f"{margin}began {envelope.at:%Y-%m-%d %H:%M:%S.%f} UTC", "dim"
            yield from _block(margin, _asked(event.input), None if self._full else 1)
            return
        if isinstance(event, RunResumed):
            yield "", ""
            yield f"{margin}run {envelope.run}  agent {event.agent or '-'}, model {event.model}", "bold"
            yield f"{margin}goes on with turn {event.turn}, which run {event.turn_id} began", "dim"
            return
        offset = (envelope.at - run.start).total_seconds()
        for text, style in _told(event):
            yield f"{margin}{offset:>+10.3f} s  {text}", style
        if isinstance(event, ModelCallEnded) and event.message is not None and not event.message.tool_uses:
            run.answer = event.message.text
        if self._full:
            yield from _block(margin + " " * 14, _contents(event), None)
        elif isinstance(event, RunEnded) and event.stop_reason == "finished" and run.answer:
            yield f"{margin}answer", "bold"
            yield from _block(margin, run.answer, _ANSWER_LINES)


def _clip(text: str) -> str:
    flat = " ".join(printable(text).split())
    return flat if len(flat) <= _CLIP else flat[: _CLIP - 3] + "..."


def _block(margin: str, text: str, most: int | None) -> Iterator[Line]:
    lines = text.strip("\n").split("\n") if text.strip() else []
    for line in lines[:most]:
        yield f"{margin}  {line if most is None or most > 1 else _clip(line)}", "" if most != 1 else "italic"
    if most is not None and len(lines) > most:
        yield f"{margin}  ... {len(lines) - most} more lines: --full shows all", "dim"


def _asked(messages: tuple[Message, ...]) -> str:
    return "\n".join([message.text for message in messages if isinstance(message, User)])


def _told(event: Event) -> list[Line]:
    match event:
        case RunEnded():
            return [_end(event)]
        case ModelAttempted(outcome="answered"):
            return []
        case ModelAttempted():
            return [
                (f"         attempt {event.attempt} with {event.model} {event.outcome}: {event.error_type}", "yellow")
            ]
        case ModelCallEnded(error=None, usage=Usage() as usage):
            line = event_line(event)
            return [(f"{line[0]}{_cost(usage)}", line[1])] if line else []
        case BashInvoked():
            by = f", approved by {event.approved_by}" if event.approved_by else ""
            ran = " ".join(event.argv) or dump_json(event.command)
            return [
                (f"command  {_clip(f'{event.op}: {ran}')} (risk {event.risk}, wall {event.wall or 'none'}{by})", "blue")
            ]
        case BashCompleted():
            return [_completed(event)]
        case ToolCallEnded(outcome="done") if len(event.content) <= _CLIP and "\n" not in event.content.strip():
            took = f"({event.duration_s * 1000:.0f} ms)"
            return [(f"         {event.name} done: {_clip(event.content)} {took}", "green")]
        case Redacted():
            return [(f"redacted {event.kind}", "magenta")]
        case _:
            return [event_line(event) or (f"         {tag_of(event)} {_clip(dumps(event))}", "dim")]


def _cost(usage: Usage) -> str:
    tokens = f", {usage.total_tokens:,} tokens" if usage.total_tokens else ""
    return tokens + (f", cost {usage.cost_micro / 1e6:.6f}" if usage.cost_micro else "")


def _end(event: RunEnded) -> Line:
    why = f" ({_clip(event.cause)})" if event.cause else ""
    failed = f": {event.error.type} {_clip(event.error.message)}" if event.error else ""
    text = f"run      {event.stop_reason}{why}{failed} after {event.steps} model calls"
    style = "bold" if event.stop_reason == "finished" else "bold red"
    return f"{text}{_cost(event.usage)}, {event.duration_s:.2f} s", style


def _completed(event: BashCompleted) -> Line:
    if event.error_code:
        ended = f"failed ({event.error_code})"
    else:
        ended = "ended by a signal" if event.exit_code is None else f"exit code {event.exit_code}"
    cut = ", cut" if event.truncated else ""
    sizes = f"{event.stdout_bytes:,} bytes out, {event.stderr_bytes:,} bytes err{cut}"
    return (
        f"         {event.op} {ended}, {sizes} ({event.duration_s * 1000:.0f} ms)",
        "blue" if event.exit_code == 0 else "yellow",
    )


def _contents(event: Event) -> str:
    match event:
        case ModelCallEnded(message=Assistant() as message):
            return "\n".join([_said(block) for block in message.content])
        case ToolCallStarted():
            return dump_json(event.arguments)
        case ToolCallEnded():
            return event.content
        case BashInvoked():
            return dump_json([*event.argv]) if event.argv else dump_json(event.command)
        case BashCompleted():
            return dump_json(event.details) if event.details else ""
        case _:
            return ""


def _said(block: object) -> str:
    if isinstance(block, Text):
        return block.text
    if isinstance(block, Reasoning):
        return f"(thought) {block.text}"
    return dumps(block)
