"""A model that plays a script: each reply is written down beforehand."""

from collections.abc import Sequence
from typing import TypeAlias, final

import anyio.lowlevel
import attrs

from par._json import Json, JsonObject, dump_json
from par.calls import ModelCall, ModelReply
from par.deltas import TextDelta, ToolUseDelta
from par.errors import ParError
from par.events import FinishReason
from par.messages import Assistant, AssistantBlock, Text, ToolUse
from par.usage import Usage

__all__ = [
    "Call",
    "Fail",
    "Line",
    "Say",
    "ScriptExhausted",
    "ScriptedModel",
    "call",
    "call_malformed",
    "fail",
    "line_reply",
    "say",
]


class ScriptExhausted(ParError):
    """The run asks for more replies than the script has."""

    def __init__(self, lines: int) -> None:
        self.lines = lines
        super().__init__(f"the script has {lines} replies, and the run asks for another")


@attrs.frozen
class Say:
    """A line of the script: text."""

    text: str
    finish: FinishReason = "stop"
    usage: Usage = attrs.field(factory=Usage)
    pieces: tuple[str, ...] | None = None


@attrs.frozen
class Call:
    """A line of the script: one tool use."""

    tool: str
    arguments: JsonObject
    malformed: str | None = None


@attrs.frozen
class Fail:
    """A line of the script: the model call raises."""

    error: Exception


Line: TypeAlias = Say | Call | Fail | ModelReply | Sequence[Say | Call]


def say(
    text: str, *, finish: FinishReason = "stop", usage: Usage | None = None, pieces: Sequence[str] | None = None
) -> Say:
    """Let the model answer with ``text``; ``pieces`` are the deltas that it streams, word by word by default.

    Raises:
        ValueError: if ``pieces`` do not join to ``text``.
    """
    if pieces is not None and "".join(pieces) != text:
        raise ValueError("pieces must join to the text")
    return Say(text, finish, usage or Usage(), None if pieces is None else tuple(pieces))


def call(tool: str, /, **arguments: Json) -> Call:
    """Let the model ask for a tool."""
    return Call(tool, dict(arguments))


def call_malformed(tool: str, text: str, /) -> Call:
    """Let the model ask for a tool with arguments that are no JSON object."""
    return Call(tool, {}, text)


def fail(error: Exception) -> Fail:
    """Let the model call raise ``error``."""
    return Fail(error)


@final
class ScriptedModel:
    """Plays its script from the start in every run, so one instance serves many runs, also at once.

    A run that resumes a turn goes on with the line after those that were answered before.

    A line is ``say(...)``, ``call(...)``, ``fail(error)``, a ``ModelReply``, or a list of them for one reply with
    several parts. ``calls`` keeps what the model was asked, over all runs, in order.
    """

    name = "scripted"

    def __init__(self, script: Sequence[Line]) -> None:
        self._script = tuple(script)
        self._places: dict[str, int] = {}
        self.calls: list[ModelCall] = []

    async def __call__(self, call: ModelCall, /) -> ModelReply:
        """Return the run's next reply.

        Raises:
            ScriptExhausted: after the last line.
        """
        await anyio.lowlevel.checkpoint()
        self.calls.append(call)
        place = self._places.get(call.ctx.run_id)
        if place is None:
            place = self._place_after(call.ctx.step - 1)
        if place >= len(self._script):
            raise ScriptExhausted(len(self._script))
        self._places[call.ctx.run_id] = place + 1
        line = self._script[place]
        if isinstance(line, Fail):
            raise line.error
        if isinstance(line, ModelReply):
            reply = line
            pieces = None
        else:
            parts = [line] if isinstance(line, (Say, Call)) else list(line)
            reply = line_reply(parts, place)
            pieces = [part.pieces for part in parts if isinstance(part, Say)]
        if call.stream:
            await _stream(call, reply, pieces)
        return reply

    def _place_after(self, answered: int) -> int:
        """Return where a run goes on whose turn has had so many model calls answered, by processes before this one."""
        left = answered
        for place, line in enumerate(self._script):
            if left <= 0:
                return place
            left -= not isinstance(line, Fail)
        return len(self._script)

    def said(self, run_id: str) -> int:
        """Return how many replies a run has had."""
        return self._places.get(run_id, 0)


def line_reply(parts: Sequence[Say | Call], place: int) -> ModelReply:
    """Return the reply that has these parts; the ids of its tool uses are made of ``place``."""
    blocks: list[AssistantBlock] = []
    usage = Usage(requests=1)
    finish: FinishReason = "stop"
    for index, part in enumerate(parts):
        if isinstance(part, Say):
            blocks.append(Text(part.text))
            usage = usage + part.usage
            finish = part.finish if finish == "stop" else finish
        else:
            blocks.append(ToolUse(f"call_{place}_{index}", part.tool, part.arguments, part.malformed))
            finish = "tool_uses"
    return ModelReply(message=Assistant(tuple(blocks)), finish=finish, usage=usage, model=ScriptedModel.name)


async def _stream(call: ModelCall, reply: ModelReply, pieces: list[tuple[str, ...] | None] | None) -> None:
    texts = iter(pieces or [])
    for block in reply.message.content:
        if isinstance(block, Text):
            for piece in next(texts, None) or _words(block.text):
                await call.emit(TextDelta(piece))
        elif isinstance(block, ToolUse):
            await call.emit(ToolUseDelta(id=block.id, name=block.name))
            await call.emit(
                ToolUseDelta(id=block.id, name=block.name, arguments=block.malformed or dump_json(block.arguments))
            )


def _words(text: str) -> list[str]:
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:]
