"""The fields of an Anthropic messages request.

Source: https://docs.anthropic.com/en/api/messages
"""

from par._json import Json, JsonObject
from par.testing._server.media import base64_data, web_url
from par.testing._server.refused import Misshapen, Place
from par.testing._server.shape import (
    Checker,
    anything,
    choice,
    each,
    either,
    flag,
    mapping,
    nullable,
    number,
    object_of,
    record,
    tagged,
    text,
    text_of,
    whole,
)

__all__ = ["check_fields"]

_CACHE = nullable(record({"type": choice("ephemeral"), "ttl": choice("5m", "1h")}, ["type"]))
_ID = text(pattern=r"[a-zA-Z0-9_-]+")
_NAME = text(pattern=r"[a-zA-Z0-9_-]{1,128}")


def _words(value: Json, place: Place) -> None:
    text()(value, place)
    if not text_of(value).strip():
        raise Misshapen(place, "value", "text that is not empty and not only white space")


_TEXT = record({"type": anything, "text": _words, "cache_control": _CACHE, "citations": anything}, ["text"])
_IMAGE = record(
    {
        "type": anything,
        "source": tagged({
            "base64": record(
                {
                    "type": anything,
                    "media_type": choice("image/jpeg", "image/png", "image/gif", "image/webp"),
                    "data": base64_data,
                },
                ["media_type", "data"],
            ),
            "url": record({"type": anything, "url": web_url}, ["url"]),
            "file": record({"type": anything, "file_id": text(least=1)}, ["file_id"]),
        }),
        "cache_control": _CACHE,
        "transformations": anything,
    },
    ["source"],
)
_DOCUMENT = record(
    {
        "type": anything,
        "source": tagged({
            "base64": record(
                {"type": anything, "media_type": choice("application/pdf"), "data": base64_data},
                ["media_type", "data"],
            ),
            "text": record(
                {"type": anything, "media_type": choice("text/plain"), "data": text(least=1)}, ["media_type", "data"]
            ),
            "url": record({"type": anything, "url": web_url}, ["url"]),
            "file": record({"type": anything, "file_id": text(least=1)}, ["file_id"]),
            "content": record({"type": anything, "content": anything}, ["content"]),
        }),
        "title": nullable(text(least=1, most=500)),
        "context": nullable(text(least=1)),
        "citations": nullable(record({"enabled": flag})),
        "cache_control": _CACHE,
    },
    ["source"],
)
_RESULT_PARTS = each(
    tagged({
        "text": _TEXT,
        "image": _IMAGE,
        "document": _DOCUMENT,
        "search_result": anything,
        "tool_reference": anything,
    })
)
_RESULT = record(
    {
        "type": anything,
        "tool_use_id": _ID,
        "content": either(text(), _RESULT_PARTS),
        "is_error": flag,
        "cache_control": _CACHE,
        "toolset_name": anything,
    },
    ["tool_use_id"],
)
_USE = record(
    {
        "type": anything,
        "id": _ID,
        "name": _NAME,
        "input": mapping(anything),
        "cache_control": _CACHE,
        "caller": anything,
        "toolset_name": anything,
    },
    ["id", "name", "input"],
)
_THINKING = record({"type": anything, "thinking": text(), "signature": text(least=1)}, ["thinking", "signature"])
_REDACTED = record({"type": anything, "data": text(least=1)}, ["data"])
_SERVER_USE = record(
    {"type": anything, "id": _ID, "name": _NAME, "input": anything, "cache_control": _CACHE, "caller": anything},
    ["id", "name", "input"],
)
_USER_BLOCKS: dict[str, Checker] = {
    "text": _TEXT,
    "image": _IMAGE,
    "document": _DOCUMENT,
    "tool_result": _RESULT,
    "search_result": anything,
    "container_upload": anything,
}
_ASSISTANT_BLOCKS: dict[str, Checker] = {
    "text": _TEXT,
    "tool_use": _USE,
    "thinking": _THINKING,
    "redacted_thinking": _REDACTED,
    "server_tool_use": _SERVER_USE,
    "mcp_tool_use": anything,
    "fallback": anything,
    "compaction": anything,
}
_SERVER_RESULT = "_tool_result"


def _blocks(kinds: dict[str, Checker]) -> Checker:
    known = tagged(kinds)

    def check(value: Json, place: Place) -> None:
        if text_of(object_of(value).get("type")).endswith(_SERVER_RESULT):
            record_of_result = object_of(value)
            _ID(record_of_result.get("tool_use_id"), place.at("tool_use_id"))
        else:
            known(value, place)

    return check


_MESSAGE = tagged(
    {
        "user": record(
            {"role": anything, "content": either(_words, each(_blocks(_USER_BLOCKS), least=1))}, ["role", "content"]
        ),
        "assistant": record(
            {"role": anything, "content": either(_words, each(_blocks(_ASSISTANT_BLOCKS), least=1))},
            ["role", "content"],
        ),
        # in betas it adds tools, and instructions that hold from there on
        "system": record({"role": anything, "content": either(_words, each(anything, least=1))}, ["role", "content"]),
    },
    by="role",
)
_SCHEMA = record(
    dict.fromkeys(
        ("type", "properties", "required", "additionalProperties", "$defs", "description", "title"), anything
    ),
    ["type"],
)
_OWN_TOOL = record(
    {
        "type": choice("custom", None),
        "name": _NAME,
        "description": text(),
        "input_schema": _SCHEMA,
        "cache_control": _CACHE,
        "strict": flag,
        "allowed_callers": anything,
        "defer_loading": flag,
        "eager_input_streaming": nullable(flag),
        "input_examples": anything,
    },
    ["name", "input_schema"],
)


def _tool(value: Json, place: Place) -> None:
    kind = object_of(value).get("type")
    if kind in (None, "custom"):
        _OWN_TOOL(value, place)
    else:  # a tool of the server's own, versioned by its type
        _NAME(object_of(value).get("name"), place.at("name"))


_PARALLEL = {"type": anything, "disable_parallel_tool_use": flag}
_REQUEST = record(
    {
        "model": text(least=1),
        "max_tokens": whole(1),
        "messages": each(_MESSAGE, least=1),
        "system": either(text(), each(tagged({"text": _TEXT}))),
        "tools": each(_tool),
        "tool_choice": tagged({
            "auto": record(_PARALLEL),
            "any": record(_PARALLEL),
            "tool": record({**_PARALLEL, "name": _NAME}, ["name"]),
            "none": record({"type": anything}),
        }),
        "stop_sequences": each(_words),
        "stream": flag,
        "temperature": number(0, 1),
        "top_p": number(0, 1),
        "top_k": whole(0),
        "thinking": tagged({
            "enabled": record({"type": anything, "budget_tokens": whole(1024), "display": anything}, ["budget_tokens"]),
            "adaptive": record({"type": anything, "display": anything}),
            "disabled": record({"type": anything}),
        }),
        "output_config": record({
            "effort": choice("low", "medium", "high", "xhigh", "max", None),
            "format": nullable(
                record({"type": choice("json_schema"), "schema": mapping(anything)}, ["type", "schema"])
            ),
            "task_budget": anything,
        }),
        "metadata": record({"user_id": nullable(text(most=512))}),
        "service_tier": choice("auto", "standard_only"),
        "cache_control": _CACHE,
        "container": anything,
        "context_management": anything,
        "mcp_servers": anything,
        "inference_geo": nullable(text()),
        "speed": anything,
        "diagnostics": anything,
    },
    ["model", "max_tokens", "messages"],
)


def check_fields(body: JsonObject) -> None:
    """Look at each field by itself.

    Raises:
        Misshapen: for the first that is wrong.
    """
    _REQUEST(body, Place())
