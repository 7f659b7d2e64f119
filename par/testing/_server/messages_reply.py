"""Answers in the form of the messages API.

Source: https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256

from par._json import Json, JsonObject
from par.messages import AssistantBlock, Opaque, Reasoning, Text, ToolUse
from par.testing._server.dialect import Dialect
from par.testing._server.issued import Issued
from par.testing._server.messages_request import check_request
from par.testing._server.messages_words import failure_body, failure_event, key_in, worded
from par.testing._server.script import Playback
from par.testing._server.shape import text_of
from par.testing._server.sse import ServerEvent
from par.usage import Usage

__all__ = ["MESSAGES"]

_STOP = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal", "tool_uses": "tool_use"}


def _whole(played: Playback, body: JsonObject, issued: Issued) -> JsonObject:
    return {
        **_frame(played, body),
        "content": [_block(block, issued) for block in played.reply.message.content],
        "stop_reason": _STOP[played.reply.finish],
        "usage": _usage(played.reply.usage),
    }


def _events(played: Playback, body: JsonObject, issued: Issued) -> list[ServerEvent]:
    usage = _usage(played.reply.usage)
    begin: JsonObject = {**_frame(played, body), "content": [], "usage": {**usage, "output_tokens": 1}}
    events: list[JsonObject] = [{"type": "message_start", "message": begin}, {"type": "ping"}]
    for index, (block, pieces) in enumerate(zip(played.reply.message.content, played.pieces, strict=True)):
        events.extend({**event, "index": index} for event in _block_events(block, pieces, issued))
    end: JsonObject = {"stop_reason": _STOP[played.reply.finish], "stop_sequence": None}
    events.extend((
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": usage["output_tokens"]}},
        {"type": "message_stop"},
    ))
    return [ServerEvent(text_of(event["type"]), event) for event in events]


def _block_events(block: AssistantBlock, pieces: Sequence[str], issued: Issued) -> Iterator[JsonObject]:
    written = _block(block, issued)
    opening = written
    deltas: list[JsonObject] = []
    if isinstance(block, Text):
        opening = {**written, "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    elif isinstance(block, Reasoning):
        opening = {**written, "thinking": "", "signature": ""}
        deltas = [
            {"type": "thinking_delta", "thinking": written["thinking"]},
            {"type": "signature_delta", "signature": written["signature"]},
        ]
    elif isinstance(block, ToolUse):
        opening = {**written, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)]
    yield {"type": "content_block_start", "content_block": opening}
    for delta in deltas:
        yield {"type": "content_block_delta", "delta": delta}
    yield {"type": "content_block_stop"}


def _block(block: AssistantBlock, issued: Issued) -> JsonObject:
    match block:
        case Text():
            return {"type": "text", "text": block.text, "citations": None}
        case Reasoning():
            signature = block.signature or sha256(block.text.encode()).hexdigest()
            issued.thoughts.add((block.text, signature))
            return {"type": "thinking", "thinking": block.text, "signature": signature}
        case ToolUse():
            arguments: Json = block.arguments if block.malformed is None else block.malformed
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": arguments}
        case Opaque():
            if block.data.get("type") == "redacted_thinking":
                issued.redacted.add(text_of(block.data.get("data")))
            return dict(block.data)


def _frame(played: Playback, body: JsonObject) -> JsonObject:
    return {
        "id": f"msg_{played.number}",
        "type": "message",
        "role": "assistant",
        "model": played.reply.model or body["model"],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(usage: Usage) -> JsonObject:
    written: JsonObject = {
        "input_tokens": usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return written


MESSAGES = Dialect(
    name="anthropic",
    path="/v1/messages",
    id_header="request-id",
    key_of=key_in,
    check=check_request,
    worded=worded,
    whole=_whole,
    events=_events,
    failure=failure_body,
    failure_event=failure_event,
)
