"""The fields of a request to the responses API.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from par._json import Json, JsonObject
from par.testing._server.media import data_url, web_or_data_url, web_url
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

_NAME = text(pattern=r"[a-zA-Z0-9_-]{1,64}")
_CALL_ID = text(least=1, most=64)
_STATUS = nullable(choice("in_progress", "completed", "incomplete"))


def _id(prefix: str) -> Checker:
    def check(value: Json, place: Place) -> None:
        text(least=1, most=64)(value, place)
        if not text_of(value).startswith(f"{prefix}_"):
            raise Misshapen(place, "value", f"an ID that begins with '{prefix}'")

    return nullable(check)


_INPUT_TEXT = record({"type": anything, "text": text(), "prompt_cache_breakpoint": anything}, ["text"])
_INPUT_IMAGE = record({
    "type": anything,
    "image_url": nullable(web_or_data_url("image/")),
    "file_id": nullable(text(least=1)),
    "detail": choice("low", "high", "auto", "original"),
})
_INPUT_FILE = record({
    "type": anything,
    "file_data": data_url("application/", "text/"),
    "file_id": nullable(text(least=1)),
    "file_url": web_url,
    "filename": text(least=1),
    "detail": anything,
})
_INPUT_PARTS = {"input_text": _INPUT_TEXT, "input_image": _INPUT_IMAGE, "input_file": _INPUT_FILE}
_SAID_PARTS = {
    "output_text": record({"type": anything, "text": text(), "annotations": anything, "logprobs": anything}, ["text"]),
    "refusal": record({"type": anything, "refusal": text()}, ["refusal"]),
}


def _message(parts: dict[str, Checker]) -> Checker:
    return record(
        {
            "type": choice("message"),
            "id": _id("msg"),
            "role": anything,
            "content": either(text(), each(tagged(parts), least=1)),
            "status": _STATUS,
            "phase": anything,
        },
        ["role", "content"],
    )


_MESSAGE = tagged(
    {
        "user": _message(_INPUT_PARTS),
        "system": _message({"input_text": _INPUT_TEXT}),
        "developer": _message({"input_text": _INPUT_TEXT}),
        "assistant": _message(_SAID_PARTS),
    },
    by="role",
)
_ITEMS: dict[str, Checker] = {
    "message": _MESSAGE,
    "function_call": record(
        {
            "type": anything,
            "id": _id("fc"),
            "call_id": _CALL_ID,
            "name": _NAME,
            "arguments": text(),
            "status": _STATUS,
            "namespace": anything,
            "caller": anything,
        },
        ["call_id", "name", "arguments"],
    ),
    "function_call_output": record(
        {
            "type": anything,
            "id": nullable(text()),
            "call_id": _CALL_ID,
            "output": either(text(), each(tagged(_INPUT_PARTS), least=1)),
            "status": _STATUS,
        },
        ["call_id", "output"],
    ),
    "reasoning": record(
        {
            "type": anything,
            "id": _id("rs"),
            "summary": each(tagged({"summary_text": record({"type": anything, "text": text()}, ["text"])})),
            "content": nullable(each(anything)),
            "encrypted_content": nullable(text(least=1)),
            "status": _STATUS,
        },
        ["id", "summary"],
    ),
    "item_reference": record({"type": anything, "id": text(least=1)}, ["id"]),
}
_OF_THE_SERVER = (
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
)
_TOOL_FIELDS = record(
    {
        "type": anything,
        "name": _NAME,
        "description": nullable(text()),
        "parameters": nullable(mapping(anything)),
        "strict": nullable(flag),
        "defer_loading": anything,
    },
    ["name"],
)


def _tool(value: Json, place: Place) -> None:
    kind = object_of(value).get("type")
    if kind == "function":
        _TOOL_FIELDS(value, place)
    else:  # a tool of the server's own
        text(least=1)(kind, place.at("type"))


def _tool_choice(value: Json, place: Place) -> None:
    named = record({"type": anything, "name": _NAME}, ["name"])
    allowed = record(
        {"type": anything, "mode": choice("auto", "required"), "tools": each(mapping(anything), least=1)},
        ["mode", "tools"],
    )
    kinds = {"function": named, "custom": named, "allowed_tools": allowed}
    kind = text_of(object_of(value).get("type"))
    either(choice("none", "auto", "required"), kinds.get(kind, record({"type": text(least=1)}, ["type"])))(value, place)


_FORMAT = tagged({
    "text": record({"type": anything}),
    "json_object": record({"type": anything}),
    "json_schema": record(
        {
            "type": anything,
            "name": _NAME,
            "schema": mapping(anything),
            "description": text(),
            "strict": nullable(flag),
        },
        ["name", "schema"],
    ),
})
_INCLUDE = choice(
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
_REQUEST = record(
    {
        "model": text(least=1),
        "input": either(
            text(least=1),
            each(tagged({**_ITEMS, **dict.fromkeys(_OF_THE_SERVER, anything)}, missing="message"), least=1),
        ),
        "instructions": nullable(text()),
        "tools": each(_tool),
        "tool_choice": _tool_choice,
        "parallel_tool_calls": nullable(flag),
        "text": record({"format": _FORMAT, "verbosity": nullable(choice("low", "medium", "high"))}),
        "temperature": nullable(number(0, 2)),
        "top_p": nullable(number(0, 1)),
        "max_output_tokens": nullable(whole(16)),
        "max_tool_calls": nullable(whole(1)),
        "reasoning": nullable(
            record({
                "effort": nullable(choice("none", "minimal", "low", "medium", "high", "xhigh")),
                "summary": nullable(choice("auto", "concise", "detailed")),
                "generate_summary": nullable(choice("auto", "concise", "detailed")),
                "context": anything,
                "mode": anything,
            })
        ),
        "include": nullable(each(_INCLUDE)),
        "store": nullable(flag),
        "stream": nullable(flag),
        "stream_options": nullable(record({"include_obfuscation": flag})),
        "previous_response_id": nullable(text(least=1)),
        "conversation": nullable(anything),
        "metadata": nullable(mapping(text(most=512), most=16)),
        "truncation": nullable(choice("auto", "disabled")),
        "service_tier": nullable(choice("auto", "default", "flex", "scale", "priority")),
        "prompt_cache_key": text(),
        "prompt_cache_options": anything,
        "prompt_cache_retention": nullable(choice("in-memory", "in_memory", "24h")),
        "safety_identifier": text(),
        "user": text(),
        "background": nullable(flag),
        "background_options": anything,
        "context_management": anything,
        "moderation": anything,
        "prompt": anything,
        "top_logprobs": nullable(whole(0, 20)),
    },
    ["model", "input"],
)


def check_fields(body: JsonObject) -> None:
    """Look at each field by itself.

    Raises:
        Misshapen: for the first that is wrong.
    """
    _REQUEST(body, Place())
