"""Answers in the form of chat completions.

Source: https://platform.openai.com/docs/api-reference/chat/object
"""

from collections.abc import Iterator

from par._json import JsonObject, dump_json
from par.messages import Opaque, Reasoning, Text, ToolUse
from par.testing._server.chat_request import check_request
from par.testing._server.dialect import Dialect
from par.testing._server.issued import Issued
from par.testing._server.openai_words import failure_body, key_in, worded
from par.testing._server.refused import Refused
from par.testing._server.script import Playback
from par.testing._server.shape import object_of
from par.testing._server.sse import ServerEvent
from par.usage import Usage

__all__ = ["CHAT"]

_FINISH = {"stop": "stop", "length": "length", "content_filter": "content_filter", "tool_uses": "tool_calls"}


def _whole(played: Playback, body: JsonObject, issued: Issued) -> JsonObject:
    del issued
    message: JsonObject = {"role": "assistant", "content": None, "refusal": None}
    calls: list[JsonObject] = []
    for block in played.reply.message.content:
        match block:
            case Text() if played.refused:
                message["refusal"] = block.text
            case Text():
                message["content"] = str(message["content"] or "") + block.text
            case Reasoning():
                message["reasoning_content"] = str(message.get("reasoning_content", "")) + block.text
            case ToolUse():
                calls.append(_call(block))
            case Opaque():
                message.update(block.data)
    if calls:
        message["tool_calls"] = [*calls]
    return {
        **_frame(played, body, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(played), "logprobs": None}],
        "usage": _usage(played.reply.usage),
    }


def _events(played: Playback, body: JsonObject, issued: Issued) -> list[ServerEvent]:
    del issued
    frame = _frame(played, body, "chat.completion.chunk")
    with_usage = object_of(body.get("stream_options")).get("include_usage") is True
    events = [ServerEvent("", chunk) for chunk in _chunks(frame, played)]
    if with_usage:
        events.append(ServerEvent("", {**frame, "choices": [], "usage": _usage(played.reply.usage)}))
    return [*events, ServerEvent("", "[DONE]")]


def _chunks(frame: JsonObject, played: Playback) -> Iterator[JsonObject]:
    def chunk(delta: JsonObject, finish: str | None = None) -> JsonObject:
        return {**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    number = 0
    for block, pieces in zip(played.reply.message.content, played.pieces, strict=True):
        match block:
            case Text():
                field = "refusal" if played.refused else "content"
                yield from [chunk({field: piece}) for piece in pieces]
            case Reasoning():
                yield chunk({"reasoning_content": block.text})
            case ToolUse():
                opening: JsonObject = {"index": number, **_call(block)}
                opening["function"] = {"name": block.name, "arguments": ""}
                yield chunk({"tool_calls": [opening]})
                for piece in pieces:
                    yield chunk({"tool_calls": [{"index": number, "function": {"arguments": piece}}]})
                number += 1
            case Opaque():
                yield chunk(dict(block.data))
    yield chunk({}, _finish(played))


def _frame(played: Playback, body: JsonObject, kind: str) -> JsonObject:
    return {
        "id": f"chatcmpl-{played.number}",
        "object": kind,
        "created": 1_700_000_000 + played.number,
        "model": played.reply.model or body["model"],
        "system_fingerprint": None,
    }


def _finish(played: Playback) -> str:
    return "stop" if played.refused else _FINISH[played.reply.finish]


def _call(use: ToolUse) -> JsonObject:
    arguments = use.malformed if use.malformed is not None else dump_json(use.arguments)
    return {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": arguments}}


def _usage(usage: Usage) -> JsonObject:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _failure_event(refused: Refused, request_id: str) -> ServerEvent:
    return ServerEvent("", failure_body(refused, request_id))


CHAT = Dialect(
    name="chat",
    path="/chat/completions",
    id_header="x-request-id",
    key_of=key_in,
    check=check_request,
    worded=worded,
    whole=_whole,
    events=_events,
    failure=failure_body,
    failure_event=_failure_event,
)
