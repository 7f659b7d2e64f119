"""A whole message of the Anthropic API, read into par's values; the parts that streams share are here too."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from par._json import Json, JsonObject
from par.calls import ModelReply
from par.errors import UnreadableReply
from par.events import FinishReason
from par.messages import Assistant, AssistantBlock, Opaque, Reasoning, Text, ToolUse
from par.providers._anthropic_request import PROVIDER
from par.providers._failures import failure_in_body
from par.providers._reading import NewId, as_tool_use, count, new_tool_use_id, obj, string
from par.usage import Usage

__all__ = ["Source", "build_reply", "read_message"]

_FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "length",  # the turn is not over: the API wants to be asked to go on
    "tool_use": "tool_uses",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_MODELLED: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "tool_use": frozenset({"type", "id", "name", "input"}),
}


@attrs.frozen(kw_only=True)
class Source:
    """What the headers of an answer say."""

    request_id: str | None = None
    headers: dict[str, str] = attrs.Factory(dict[str, str])
    new_id: NewId = new_tool_use_id


def read_message(body: JsonObject, source: Source) -> ModelReply:
    """Read a whole message.

    Raises:
        ModelError: the one that fits, if the body says that the call failed.
        UnreadableReply: if there is no content in it.
    """
    if body.get("error"):
        raise failure_in_body(PROVIDER, body["error"], request_id=source.request_id)
    content = body.get("content")
    if not isinstance(content, list):
        raise UnreadableReply("there is no content", provider=PROVIDER, request_id=source.request_id)
    return build_reply(body, [obj(block) for block in content], {}, source)


def build_reply(
    message: JsonObject, blocks: Iterable[JsonObject], inputs: Mapping[int, str], source: Source
) -> ModelReply:
    """Put a reply together; ``inputs`` holds streamed inputs as text, by the number of their block."""
    content = tuple(_content(blocks, inputs, source.new_id))
    has_uses = any(isinstance(block, ToolUse) for block in content)
    finish = _FINISH.get(string(message.get("stop_reason")), "stop")
    if has_uses and finish == "stop":
        finish = "tool_uses"
    elif finish == "tool_uses" and not has_uses:
        finish = "stop"
    return ModelReply(
        message=Assistant(content),
        finish=finish,
        usage=_usage(obj(message.get("usage"))),
        model=string(message.get("model")),
        request_id=source.request_id,
        headers=source.headers,
    )


def _content(blocks: Iterable[JsonObject], inputs: Mapping[int, str], new_id: NewId) -> Iterator[AssistantBlock]:
    ids: set[str] = set()
    for number, block in enumerate(blocks):
        kind = string(block.get("type"))
        known = _MODELLED.get(kind)
        if known is None:
            yield Opaque(PROVIDER, block)
            continue
        if kind == "text":
            if not string(block.get("text")):
                continue
            yield Text(string(block.get("text")))
        elif kind == "thinking":
            yield Reasoning(string(block.get("thinking")), string(block.get("signature")) or None)
        else:
            id_ = string(block.get("id"))
            if not id_ or id_ in ids:
                id_ = new_id()
            ids.add(id_)
            yield _tool_use(id_, block, inputs.get(number, ""))
        extras: JsonObject = {
            name: value for name, value in block.items() if name not in known and value not in (None, [], {})
        }
        if extras:
            yield Opaque(PROVIDER, {"fields": extras})


def _tool_use(id_: str, block: JsonObject, streamed: str) -> ToolUse:
    name = string(block.get("name"))
    whole: Json = block.get("input")
    if streamed or not isinstance(whole, dict):
        return as_tool_use(id_, name, streamed or string(whole))
    return ToolUse(id_, name, whole)


def _usage(usage: JsonObject) -> Usage:
    read = count(usage.get("cache_read_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    return Usage(
        # the API counts what came from the cache or went into it beside the input, par counts it within
        input_tokens=count(usage.get("input_tokens")) + read + written,
        output_tokens=count(usage.get("output_tokens")),
        reasoning_tokens=count(obj(usage.get("output_tokens_details")).get("thinking_tokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        requests=1,
    )
