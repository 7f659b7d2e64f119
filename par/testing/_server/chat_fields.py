"""The fields of a chat-completions request.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from par._json import JsonObject
from par.testing._server.media import web_or_data_url
from par.testing._server.refused import Place
from par.testing._server.shape import (
    anything,
    choice,
    each,
    either,
    flag,
    mapping,
    nullable,
    number,
    record,
    tagged,
    text,
    whole,
)

__all__ = ["check_fields"]

_NAME = text(pattern=r"[a-zA-Z0-9_-]{1,64}")
_TEXT_PART = record({"type": anything, "text": text(), "prompt_cache_breakpoint": anything}, ["text"])
_IMAGE_PART = record(
    {
        "type": anything,
        "image_url": record({"url": web_or_data_url("image/"), "detail": choice("auto", "low", "high")}, ["url"]),
    },
    ["image_url"],
)
_FILE_PART = record(
    {
        "type": anything,
        "file": record({
            "file_data": web_or_data_url("application/", "text/"),  # OpenAI wants the data, many gateways take either
            "file_id": text(least=1),
            "filename": text(least=1),
        }),
    },
    ["file"],
)
_AUDIO_PART = record(
    {"type": anything, "input_audio": record({"data": text(least=1), "format": choice("wav", "mp3")}, ["data"])},
    ["input_audio"],
)
_TEXT_PARTS = each(tagged({"text": _TEXT_PART}), least=1)
_USER_PARTS = each(
    tagged({"text": _TEXT_PART, "image_url": _IMAGE_PART, "file": _FILE_PART, "input_audio": _AUDIO_PART}), least=1
)
_ASSISTANT_PARTS = each(
    tagged({
        "text": _TEXT_PART,
        "refusal": record({"type": anything, "refusal": text()}, ["refusal"]),
        "thinking": record({"type": anything, "thinking": anything, "closed": flag, "signature": anything}),
    }),
    least=1,
)
_CALL = record(
    {
        "id": text(least=1),
        "type": choice("function"),
        "function": record({"name": _NAME, "arguments": text()}, ["name", "arguments"]),
        "extra_content": anything,  # where Google's compatible endpoint keeps its signatures
    },
    ["id", "type", "function"],
)
_INSTRUCTIONS = record({"role": anything, "content": either(text(), _TEXT_PARTS), "name": text()}, ["role", "content"])
_MESSAGE = tagged(
    {
        "system": _INSTRUCTIONS,
        "developer": _INSTRUCTIONS,
        "user": record(
            {"role": anything, "content": either(text(least=1), _USER_PARTS), "name": text()}, ["role", "content"]
        ),
        "assistant": record(
            {
                "role": anything,
                "content": nullable(either(text(), _ASSISTANT_PARTS)),
                "name": text(),
                "refusal": nullable(text()),
                "tool_calls": each(_CALL, least=1),
                "audio": nullable(anything),
                "annotations": anything,
                # servers that think out loud and take it back
                "reasoning": nullable(text()),
                "reasoning_content": nullable(text()),
                "reasoning_details": anything,
            },
            ["role"],
        ),
        "tool": record(
            {"role": anything, "content": either(text(), _TEXT_PARTS), "tool_call_id": text(least=1)},
            ["role", "content", "tool_call_id"],
        ),
    },
    by="role",
)
_FUNCTION = record(
    {"name": _NAME, "description": text(), "parameters": mapping(anything), "strict": nullable(flag)}, ["name"]
)
_TOOL = tagged({
    "function": record({"type": anything, "function": _FUNCTION}, ["function"]),
    "custom": record({"type": anything, "custom": anything}, ["custom"]),
})
_NAMED = record({"type": anything, "function": record({"name": _NAME}, ["name"])}, ["function"])
_TOOL_CHOICE = either(
    choice("none", "auto", "required"),
    tagged({
        "function": _NAMED,
        "allowed_tools": record(
            {
                "type": anything,
                "allowed_tools": record(
                    {"mode": choice("auto", "required"), "tools": each(tagged({"function": _NAMED}), least=1)},
                    ["mode", "tools"],
                ),
            },
            ["allowed_tools"],
        ),
    }),
)
_FORMAT = tagged({
    "text": record({"type": anything}),
    "json_object": record({"type": anything}),
    "json_schema": record(
        {
            "type": anything,
            "json_schema": record(
                {"name": _NAME, "schema": mapping(anything), "description": text(), "strict": nullable(flag)}, ["name"]
            ),
        },
        ["json_schema"],
    ),
})
_REQUEST = record(
    {
        "model": text(least=1),
        "messages": each(_MESSAGE, least=1),
        "tools": each(_TOOL, least=1, most=128),
        "tool_choice": _TOOL_CHOICE,
        "parallel_tool_calls": flag,
        "response_format": _FORMAT,
        "temperature": nullable(number(0, 2)),
        "top_p": nullable(number(0, 1)),
        "max_tokens": nullable(whole(1)),
        "max_completion_tokens": nullable(whole(1)),
        "stop": nullable(either(text(least=1), each(text(least=1), least=1, most=4))),
        "seed": nullable(whole()),
        "n": nullable(whole(1, 1)),
        "frequency_penalty": nullable(number(-2, 2)),
        "presence_penalty": nullable(number(-2, 2)),
        "logit_bias": nullable(mapping(number(-100, 100))),
        "logprobs": nullable(flag),
        "top_logprobs": nullable(whole(0, 20)),
        "reasoning_effort": nullable(choice("none", "minimal", "low", "medium", "high", "xhigh")),
        "verbosity": nullable(choice("low", "medium", "high")),
        "stream": nullable(flag),
        "stream_options": nullable(record({"include_usage": flag, "include_obfuscation": flag})),
        "metadata": nullable(mapping(text(most=512), most=16)),
        "store": nullable(flag),
        "user": text(),
        "safety_identifier": text(),
        "service_tier": nullable(choice("auto", "default", "flex", "scale", "priority")),
        "prompt_cache_key": text(),
        "prompt_cache_options": anything,
        "prompt_cache_retention": nullable(choice("in-memory", "in_memory", "24h")),
        "modalities": anything,
        "moderation": anything,
        "audio": anything,
        "prediction": anything,
        "web_search_options": anything,
    },
    ["model", "messages"],
)


def check_fields(body: JsonObject) -> None:
    """Look at each field by itself.

    Raises:
        Misshapen: for the first that is wrong.
    """
    _REQUEST(body, Place())
