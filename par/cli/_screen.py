"""Show a run in the terminal: each call as it happens, the answer as it streams. Plain text when piped."""

from typing import final

from rich.console import Console
from rich.markup import escape

from par._json import JsonObject, dump_json
from par.deltas import ReasoningDelta, StreamRestarted, TextDelta, ToolUseDelta
from par.events import (
    ApprovalDecided,
    ApprovalRequested,
    BashCompleted,
    BashInvoked,
    Event,
    MessagesReceived,
    ModelAttempted,
    ModelCallEnded,
    ModelCallStarted,
    OutputSanitized,
    PiiMasked,
    RateLimitWaited,
    ReplyContinued,
    ReplyRepaired,
    Retried,
    RunEnded,
    RunResumed,
    RunStarted,
    ToolCallEnded,
    ToolCallStarted,
    ToolProgress,
)
from par.messages import User

__all__ = ["Screen", "event_line", "printable"]

_ARGUMENTS_CHARS = 140
_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """Return text without control characters: what a model or a file says must not steer the terminal."""
    return text.translate(_CONTROLS)


def _clip(text: str, limit: int) -> str:
    flat = " ".join(printable(text).split())
    return flat if len(flat) <= limit else flat[: limit - 3] + "..."


def _arguments(arguments: JsonObject) -> str:
    command = arguments.get("command")
    shown = command if isinstance(command, dict) else arguments
    op = shown.get("op")
    rest = {key: value for key, value in shown.items() if key != "op"} if isinstance(op, str) else shown
    parts = " ".join(f"{key}={dump_json(value)}" for key, value in rest.items())
    return _clip(f"{op} {parts}" if isinstance(op, str) else parts, _ARGUMENTS_CHARS)


def event_line(event: Event) -> tuple[str, str] | None:
    """Return a line for an event and its style; ``None`` for an event that others already tell."""
    match event:
        case RunStarted():
            return f"run      {event.agent} with {event.model}", "bold"
        case RunResumed():
            known = f"{event.steps} step{'s' if event.steps != 1 else ''}"
            changed = ", defined otherwise than before" if event.migrated else ""
            return f"run      {event.agent} goes on with turn {event.turn}, {known} recorded{changed}", "bold"
        case ModelCallStarted():
            return f"model    asked, with {event.messages} messages and {event.tools} tools", "cyan"
        case ModelCallEnded(error=None):
            uses = len(event.message.tool_uses) if event.message else 0
            said = f"asks for {uses} tool{'s' if uses != 1 else ''}" if uses else "answered"
            return f"model    {said} ({event.duration_s * 1000:.0f} ms)", "cyan"
        case ModelCallEnded():
            return f"model    failed: {_clip(event.error.message if event.error else '', 200)}", "red"
        case ToolCallStarted():
            return f"tool     {event.name} {_arguments(event.arguments)}", "green"
        case ToolCallEnded():
            return _tool_line(event)
        case ToolProgress():
            done = "" if event.fraction is None else f" ({event.fraction:.0%})"
            return f"         {event.name}: {_clip(event.message, 120)}{done}", "dim"
        case RunEnded():
            return _end_line(event)
        case _:
            return _note(event)


def _tool_line(event: ToolCallEnded) -> tuple[str, str]:
    took = f"({event.duration_s * 1000:.0f} ms)"
    if event.outcome == "done":
        return f"         {event.name} done, {len(event.content)} characters {took}", "green"
    return f"         {event.name} {event.outcome}: {_clip(event.content, 200)} {took}", "yellow"


def _end_line(event: RunEnded) -> tuple[str, str]:
    why = f" ({_clip(event.cause, 120)})" if event.cause else ""
    failed = f": {_clip(event.error.message, 200)}" if event.error else ""
    tokens = f", {event.usage.total_tokens} tokens" if event.usage.total_tokens else ""
    text = (
        f"run      {event.stop_reason}{why}{failed} after {event.steps} model calls{tokens}, {event.duration_s:.2f} s"
    )
    return text, "bold" if event.stop_reason == "finished" else "red"


def _note(event: Event) -> tuple[str, str] | None:
    match event:
        case Retried():
            return f"         retried after {event.error_type}, in {event.delay_s:.1f} s", "yellow"
        case RateLimitWaited():
            return f"         waited {event.waited_s:.1f} s for the rate limit", "yellow"
        case ReplyRepaired():
            return f"         asked to repair its answer: {_clip(event.problem, 120)}", "yellow"
        case ReplyContinued():
            return "         asked to go on where its answer was cut", "yellow"
        case PiiMasked():
            return f"         masked in the {event.where}: {_counts(event.found)}", "magenta"
        case OutputSanitized():
            return f"         cleaned the output of {event.name}: {_counts(event.findings)}", "magenta"
        case ModelAttempted() | BashInvoked() | BashCompleted():
            return None
        case _:
            return _said_to_it(event)


def _said_to_it(event: Event) -> tuple[str, str] | None:
    match event:
        case ApprovalRequested():
            return f"approval {event.approval} asked: {_clip(event.prompt, 200)}", "yellow"
        case ApprovalDecided():
            by = f" by {_clip(event.by, 80)}" if event.by else ""
            note = f": {_clip(event.note, 200)}" if event.note else ""
            return f"approval {event.approval} {event.decision}{by}{note}", "yellow"
        case MessagesReceived():
            said = " ".join(message.text for message in event.messages if isinstance(message, User))
            return f"         told: {_clip(said, 200)}", "magenta"
        case _:
            return None


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))


@final
class Screen:
    """Prints a run as it goes. ``err`` takes the calls, ``out`` the answer, so that a pipe gets the answer alone."""

    def __init__(self, out: Console, err: Console) -> None:
        self._out = out
        self._err = err
        self._midline = False
        self._streamed = ""

    def show(self, item: Event | TextDelta | ReasoningDelta | ToolUseDelta | StreamRestarted) -> None:
        """Print an event or a delta."""
        match item:
            case TextDelta():
                self._streamed += item.text
                self._write(item.text)
            case StreamRestarted():
                self._end_line()
                self.note(f"the answer starts anew: {item.reason}")
                self._streamed = ""
            case ReasoningDelta() | ToolUseDelta():
                pass
            case _:
                line = event_line(item)
                if line is not None:
                    self._end_line()
                    self._err.print(escape(line[0]), style=line[1], highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a remark beside the answer."""
        self._end_line()
        self._err.print(escape(printable(text)), style="dim", highlight=False, soft_wrap=True)

    def answer(self, text: str) -> None:
        """Print the answer, unless just this was streamed."""
        self._end_line()
        if self._streamed.strip() != text.strip():
            self._write(text)
            self._end_line()

    def _write(self, text: str) -> None:
        self._out.print(escape(printable(text)), end="", highlight=False, soft_wrap=True)
        self._out.file.flush()
        self._midline = not text.endswith("\n")

    def _end_line(self) -> None:
        if self._midline:
            self._out.print()
            self._out.file.flush()
            self._midline = False
