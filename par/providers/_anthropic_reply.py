"""A whole message of the Anthropic API, read into par's values; the parts that streams share are here too."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from par._json import Json, JsonObject, dump_json
from par.calls import ModelReply
from par.errors import UnreadableReply
from par.events import FinishReason
from par.messages import Assistant, AssistantBlock, Opaque, Reasoning, Text, ToolUse
from par.providers._anthropic_blocks import PROVIDER
from par.providers._failures import failure_in_body
from par.providers._reading import NewId, as_tool_use, count, new_tool_use_id, obj, string
from par.usage import Usage

__all__ = ["Source", "build_reply", "read_message"]

_FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "paused",
    "compaction": "paused",
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
_HELD = frozenset({"content", "model", "role", "type"})
"""What the reply holds elsewhere, or what is the same in every message."""


@attrs.frozen(kw_only=True)
class Source:
    """What the headers of an answer say, and the name of the tool, if any, that takes the final answer."""

    request_id: str | None = None
    headers: dict[str, str] = attrs.Factory(dict[str, str])
    new_id: NewId = new_tool_use_id
    answer: str | None = None


def read_message(body: JsonObject, source: Source) -> ModelReply:
    """Read a whole message.

    Raises:
        ModelError: the one that fits, if the body says that the call failed.
        UnreadableReply: if there is no content in it.
    """
    if body.get("error"):
        raise failure_in_body(PROVIDER, body["error"], request_id=string(body.get("request_id")) or source.request_id)
    content = body.get("content")
    if not isinstance(content, list):
        raise UnreadableReply("there is no content", provider=PROVIDER, request_id=source.request_id)
    return build_reply(body, [(obj(block), "") for block in content], source)


def build_reply(message: JsonObject, blocks: Iterable[tuple[JsonObject, str]], source: Source) -> ModelReply:
    """Put a reply together; each block comes with its streamed input as text, empty where it has none."""
    content = list(_content(blocks, source))
    container = message.get("container")
    if container:
        # the next request needs it, and has nothing but the history
        content.append(Opaque(PROVIDER, {"container": container}))
    has_uses = any(isinstance(block, ToolUse) for block in content)
    finish = _FINISH.get(string(message.get("stop_reason")), "stop")
    if has_uses and finish in ("stop", "paused"):
        finish = "tool_uses"
    elif finish == "tool_uses" and not has_uses:
        finish = "stop"
    return ModelReply(
        message=Assistant(tuple(content)),
        finish=finish,
        usage=_usage(obj(message.get("usage"))),
        model=string(message.get("model")),
        request_id=source.request_id,
        headers=source.headers,
        details={name: value for name, value in message.items() if value is not None and name not in _HELD},
    )


def _content(blocks: Iterable[tuple[JsonObject, str]], source: Source) -> Iterator[AssistantBlock]:
    ids: set[str] = set()
    for block, streamed in blocks:
        kind = string(block.get("type"))
        known = _MODELLED.get(kind)
        if known is None:
            if block:
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
                id_ = source.new_id()
            ids.add(id_)
            use = _tool_use(id_, block, streamed)
            if use.name == source.answer:
                yield Text(use.malformed if use.malformed is not None else dump_json(use.arguments))
                continue
            yield use
        extras: JsonObject = {
            name: value for name, value in block.items() if name not in known and value not in (None, [], {})
        }
        if extras:
            yield Opaque(PROVIDER, {"fields": extras, "of": kind})


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
