"""A streamed message of the Anthropic API, built event by event.

Source: https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from collections.abc import Sequence
from typing import final

from par._json import JsonObject, JsonSyntaxError, load_json
from par.calls import ModelReply
from par.deltas import Delta, ReasoningDelta, TextDelta, ToolUseDelta
from par.errors import StreamInterrupted
from par.providers._anthropic_blocks import PROVIDER
from par.providers._anthropic_reply import Source, build_reply
from par.providers._failures import failure_in_body
from par.providers._reading import array, obj, parse_body, string
from par.providers._sse import SseEvent

__all__ = ["MessageStream"]

_OF_THE_EVENT = frozenset({"type", "delta", "usage"})


@final
class _Block:
    """A block while it grows."""

    __slots__ = ("data", "input", "parts")

    def __init__(self, data: JsonObject) -> None:
        self.data = data
        self.input = ""
        self.parts: dict[str, list[str]] = {}

    def add(self, field: str, text: str) -> None:
        """Let one of its texts grow."""
        self.parts.setdefault(field, []).append(text)

    def finish(self) -> None:
        """Join what has come."""
        for field, parts in self.parts.items():
            text = "".join(parts)
            if field != "input":
                self.data[field] = string(self.data.get(field)) + text
            elif self.data.get("type") == "tool_use":
                self.input = text
            elif text:
                self.data["input"] = _input(text)


@final
class MessageStream:
    """Builds one reply from the events of a stream, which ends with ``message_stop`` and not before."""

    __slots__ = ("_at", "_blocks", "_ended", "_message", "_others", "_source", "_usage")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._message: JsonObject = {}
        self._usage: JsonObject = {}
        self._blocks: list[_Block] = []
        self._at: dict[int, _Block] = {}
        self._others: list[JsonObject] = []
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether ``message_stop`` has come."""
        return self._ended

    def feed(self, event: SseEvent, /) -> Sequence[Delta]:
        """Take one event; those of kinds that are not known become details of the reply.

        Raises:
            ModelError: if it is an error event, or no JSON.
        """
        data = parse_body(event.data, PROVIDER)
        kind = string(data.get("type")) or event.type
        match kind:
            case "content_block_delta":
                return self._delta(_number(data), obj(data.get("delta")))
            case "content_block_start":
                return self._start(_number(data), dict(obj(data.get("content_block"))))
            case "message_start":
                self._message = dict(obj(data.get("message")))
                self._usage = dict(obj(self._message.get("usage")))
                for block in array(self._message.get("content")):  # what continues a prefilled answer may be here
                    self._blocks.append(_Block(dict(obj(block))))
            case "message_delta":
                self._message.update({name: value for name, value in data.items() if name not in _OF_THE_EVENT})
                self._message.update(obj(data.get("delta")))
                # the numbers are of the whole message so far; those that are left out stay as they were
                self._usage.update({name: n for name, n in obj(data.get("usage")).items() if n is not None})
            case "message_stop":
                self._ended = True
            case "error":
                raise failure_in_body(PROVIDER, data.get("error"), request_id=self._request_id(data))
            case "ping" | "content_block_stop":
                pass
            case _:
                self._others.append(data)
        return ()

    def finish(self) -> Sequence[Delta]:
        """Take the end of the stream.

        Raises:
            StreamInterrupted: if ``message_stop`` has not come.
        """
        if not self._ended:
            raise StreamInterrupted("message_stop was not sent", provider=PROVIDER, request_id=self._source.request_id)
        for block in self._blocks:
            block.finish()
        return ()

    def reply(self) -> ModelReply:
        """Return the whole answer."""
        message: JsonObject = {**self._message, "usage": self._usage}
        if self._others:
            message["events"] = [*self._others]
        return build_reply(message, [(block.data, block.input) for block in self._blocks], self._source)

    def _start(self, number: int, data: JsonObject) -> Sequence[Delta]:
        if data.get("type") == "tool_use" and not string(data.get("id")):
            data["id"] = self._source.new_id()
        self._new(number, data)
        match data.get("type"):
            case "tool_use" if string(data.get("name")) != self._source.answer:
                return (ToolUseDelta(id=string(data.get("id")), name=string(data.get("name"))),)
            case "text" if data.get("text"):
                return (TextDelta(string(data.get("text"))),)
            case "thinking" if data.get("thinking"):
                return (ReasoningDelta(string(data.get("thinking"))),)
            case _:
                return ()

    def _new(self, number: int, data: JsonObject) -> _Block:
        # some servers give all blocks one number: the newest is the one that grows
        block = self._at[number] = _Block(data)
        self._blocks.append(block)
        return block

    def _delta(self, number: int, delta: JsonObject) -> Sequence[Delta]:
        block = self._at.get(number) or self._new(number, {})
        match delta.get("type"):
            case "text_delta":
                text = string(delta.get("text"))
                block.data.setdefault("type", "text")
                block.add("text", text)
                return (TextDelta(text),) if text else ()
            case "thinking_delta":
                text = string(delta.get("thinking"))
                block.data.setdefault("type", "thinking")
                block.add("thinking", text)
                return (ReasoningDelta(text),) if text else ()
            case "signature_delta":
                block.data.setdefault("type", "thinking")
                block.add("signature", string(delta.get("signature")))
            case "input_json_delta":
                return self._add_input(block, string(delta.get("partial_json")))
            case "citations_delta":
                block.data["citations"] = [*array(block.data.get("citations")), delta.get("citation")]
            case _:
                _add_unknown(block, delta)
        return ()

    def _add_input(self, block: _Block, text: str) -> Sequence[Delta]:
        block.add("input", text)
        if block.data.get("type") != "tool_use" or not text:
            return ()
        name = string(block.data.get("name"))
        if name == self._source.answer:
            return (TextDelta(text),)
        return (ToolUseDelta(id=string(block.data.get("id")), name=name, arguments=text),)

    def _request_id(self, data: JsonObject) -> str | None:
        return string(data.get("request_id")) or self._source.request_id


def _add_unknown(block: _Block, delta: JsonObject) -> None:
    """Take a delta of a kind that is newer than this file: its texts grow, whatever else it has is kept."""
    for name, value in delta.items():
        if name == "type":
            continue
        if isinstance(value, str):
            block.add(name, value)
        else:
            block.data[name] = value


def _input(text: str) -> JsonObject:
    try:
        value = load_json(text)
    except JsonSyntaxError:
        value = None
    # the API takes nothing but an object back
    return value if isinstance(value, dict) else {"malformed": text}


def _number(data: JsonObject) -> int:
    number = data.get("index")
    return number if isinstance(number, int) else 0
