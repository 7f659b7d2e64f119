"""A streamed message of the Anthropic API, built event by event.

Source: https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from collections.abc import Sequence
from typing import final

from par._json import Json, JsonObject, JsonSyntaxError, load_json
from par.calls import ModelReply
from par.deltas import Delta, ReasoningDelta, TextDelta, ToolUseDelta
from par.errors import StreamInterrupted
from par.providers._anthropic_reply import Source, build_reply
from par.providers._anthropic_request import PROVIDER
from par.providers._failures import failure_in_body
from par.providers._reading import array, obj, parse_body, string
from par.providers._sse import SseEvent

__all__ = ["MessageStream"]


@final
class MessageStream:
    """Builds one reply from the events of a stream, which ends with ``message_stop`` and not before."""

    __slots__ = ("_blocks", "_ended", "_inputs", "_message", "_parts", "_source", "_usage")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._message: JsonObject = {}
        self._usage: JsonObject = {}
        self._blocks: dict[int, JsonObject] = {}
        self._parts: dict[tuple[int, str], list[str]] = {}
        self._inputs: dict[int, str] = {}
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether ``message_stop`` has come."""
        return self._ended

    def feed(self, event: SseEvent, /) -> Sequence[Delta]:
        """Take one event; kinds that are not known say nothing about the answer.

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
            case "message_delta":
                self._message.update(obj(data.get("delta")))
                # the numbers are of the whole message so far; those that are left out stay as they were
                self._usage.update({name: n for name, n in obj(data.get("usage")).items() if n is not None})
            case "message_stop":
                self._ended = True
            case "error":
                raise failure_in_body(PROVIDER, data.get("error"), request_id=self._request_id(data))
            case _:
                pass
        return ()

    def finish(self) -> Sequence[Delta]:
        """Take the end of the stream.

        Raises:
            StreamInterrupted: if ``message_stop`` has not come.
        """
        if not self._ended:
            raise StreamInterrupted("message_stop was not sent", provider=PROVIDER, request_id=self._source.request_id)
        for (number, field), parts in self._parts.items():
            text = "".join(parts)
            block = self._blocks[number]
            if field == "input":
                self._finish_input(number, block, text)
            else:
                block[field] = string(block.get(field)) + text
        return ()

    def reply(self) -> ModelReply:
        """Return the whole answer."""
        numbers = sorted(self._blocks)
        blocks = [self._blocks[number] for number in numbers]
        inputs = {place: self._inputs.get(number, "") for place, number in enumerate(numbers)}
        return build_reply({**self._message, "usage": self._usage}, blocks, inputs, self._source)

    def _start(self, number: int, block: JsonObject) -> Sequence[Delta]:
        if block.get("type") == "tool_use" and not string(block.get("id")):
            block["id"] = self._source.new_id()
        self._blocks[number] = block
        match block.get("type"):
            case "tool_use":
                return (ToolUseDelta(id=string(block.get("id")), name=string(block.get("name"))),)
            case "text" if block.get("text"):
                return (TextDelta(string(block.get("text"))),)
            case "thinking" if block.get("thinking"):
                return (ReasoningDelta(string(block.get("thinking"))),)
            case _:
                return ()

    def _delta(self, number: int, delta: JsonObject) -> Sequence[Delta]:
        block = self._blocks.setdefault(number, {})
        match delta.get("type"):
            case "text_delta":
                return self._add_text(number, block, string(delta.get("text")))
            case "thinking_delta":
                return self._add_thinking(number, block, string(delta.get("thinking")))
            case "signature_delta":
                self._add(number, "signature", string(delta.get("signature")))
            case "input_json_delta":
                return self._add_input(number, block, string(delta.get("partial_json")))
            case "citations_delta":
                block["citations"] = [*array(block.get("citations")), delta.get("citation")]
            case _:
                # a kind that is newer than this file: its strings grow, whatever else it has is kept
                for name, value in delta.items():
                    if isinstance(value, str) and name != "type":
                        self._add(number, name, value)
                    elif name != "type":
                        block[name] = value
        return ()

    def _add_text(self, number: int, block: JsonObject, text: str) -> Sequence[Delta]:
        block.setdefault("type", "text")
        self._add(number, "text", text)
        return (TextDelta(text),) if text else ()

    def _add_thinking(self, number: int, block: JsonObject, text: str) -> Sequence[Delta]:
        block.setdefault("type", "thinking")
        self._add(number, "thinking", text)
        return (ReasoningDelta(text),) if text else ()

    def _add_input(self, number: int, block: JsonObject, text: str) -> Sequence[Delta]:
        self._add(number, "input", text)
        if block.get("type") != "tool_use" or not text:
            return ()
        return (ToolUseDelta(id=string(block.get("id")), name=string(block.get("name")), arguments=text),)

    def _add(self, number: int, field: str, text: str) -> None:
        self._parts.setdefault((number, field), []).append(text)

    def _finish_input(self, number: int, block: JsonObject, text: str) -> None:
        if block.get("type") == "tool_use":
            self._inputs[number] = text
            return
        if not text:
            return
        try:
            block["input"] = load_json(text)
        except JsonSyntaxError:
            block["input"] = text

    def _request_id(self, data: JsonObject) -> str | None:
        return string(data.get("request_id")) or self._source.request_id


def _number(data: JsonObject) -> int:
    number: Json = data.get("index")
    return number if isinstance(number, int) else 0
