"""What the server refuses of chat completions, and what it takes."""

import copy
import re

import pytest
from unit.testing.requests_changed import drop, put, refusal

from par.testing._server.chat_reply import CHAT

FUNCTION = {
    "name": "weather",
    "description": "d",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
GOOD = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
                {"id": "b", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "b", "content": "rain"},
        {"role": "tool", "tool_call_id": "a", "content": ""},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "parallel_tool_calls": False,
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0.5,
    "stop": ["x"],
}


def without_tools(**more):
    def change(body):
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
        body["messages"] = body["messages"][:2]
        body.update(more)

    return change


WRONG = {
    "an unknown field": (put(1, "tool_chioce"), "Unknown parameter: 'tool_chioce'"),
    "an unknown field of a message": (put(1, "messages", 0, "x"), "Unknown parameter: 'messages[0].x'"),
    "no model": (drop("model"), "Missing required parameter: 'model'"),
    "no messages": (put([], "messages"), "messages"),
    "a role that is none": (put("robot", "messages", 0, "role"), r"messages\[0\].role"),
    "content of the wrong type": (put(7, "messages", 0, "content"), "Invalid type for 'messages"),
    "no content": (drop("messages", 1, "content"), "Missing required parameter"),
    "content without parts": (put([], "messages", 1, "content"), r"messages\[1\].content"),
    "empty content": (put("", "messages", 1, "content"), r"messages\[1\].content"),
    "an assistant who says nothing": (drop("messages", 2, "tool_calls"), "expected a string, got null"),
    "an empty list of calls": (put([], "messages", 2, "tool_calls"), "tool_calls"),
    "a picture without its form": (put("x", "messages", 1, "content", 1, "image_url"), "an object, but got a string"),
    "a picture that is no picture": (
        put("data:text/html;base64,aGk=", "messages", 1, "content", 1, "image_url", "url"),
        "a data URL of image/",
    ),
    "a picture that is no base64": (
        put("data:image/png;base64,?", "messages", 1, "content", 1, "image_url", "url"),
        "base64",
    ),
    "a picture that is not in base64": (
        put("data:image/png,abc", "messages", 1, "content", 1, "image_url", "url"),
        "with its media type, in base64",
    ),
    "a picture in an assistant": (
        put([{"type": "image_url", "image_url": {"url": "https://x"}}], "messages", 2, "content"),
        "one of",
    ),
    "a result without its call": (put("c", "messages", 3, "tool_call_id"), "'c' is not awaited"),
    "a call without its result": (drop("messages", 4), "did not have response messages: a"),
    "two results of one call": (put("b", "messages", 4, "tool_call_id"), "'b' is not awaited"),
    "a result after somebody spoke": (
        lambda body: body["messages"].insert(4, {"role": "user", "content": "hi"}),
        "did not have response messages",
    ),
    "two calls of one id": (put("a", "messages", 2, "tool_calls", 1, "id"), "Duplicate value for 'tool_call_id'"),
    "a call without an id": (drop("messages", 2, "tool_calls", 0, "id"), "Missing required parameter"),
    "arguments as an object": (put({}, "messages", 2, "tool_calls", 0, "function", "arguments"), "a string"),
    "arguments that are no JSON": (
        put('{"x', "messages", 2, "tool_calls", 0, "function", "arguments"),
        "expected a JSON object",
    ),
    "a name that is none": (put("a b", "messages", 2, "tool_calls", 0, "function", "name"), "pattern"),
    "a choice without tools": (without_tools(tool_choice="required"), "only allowed when 'tools'"),
    "parallel calls without tools": (without_tools(parallel_tool_calls=True), "only allowed when 'tools'"),
    "a list of no tools": (put([], "tools"), "tools"),
    "a choice of an unknown tool": (put("time", "tool_choice", "function", "name"), "not found in 'tools'"),
    "two tools of one name": (lambda body: body["tools"].append(body["tools"][0]), "not unique"),
    "parameters of a list": (put({"type": "array"}, "tools", 0, "function", "parameters"), 'type: "object"'),
    "a strict tool that is not strict": (put(True, "tools", 0, "function", "strict"), "'additionalProperties'"),
    "options of a stream without one": (drop("stream"), "only allowed when 'stream' is enabled"),
    "a temperature out of range": (put(3, "temperature"), "Invalid value for 'temperature'"),
    "a temperature that is text": (put("1", "temperature"), "Invalid type for 'temperature'"),
    "a limit of nothing": (put(0, "max_tokens"), "max_tokens"),
    "two limits": (lambda body: body.update(max_tokens=1, max_completion_tokens=1), "at the same time"),
    "five stops": (put(list("abcde"), "stop"), "stop"),
    "a strict output with an optional field": (
        put(
            {
                "type": "json_schema",
                "json_schema": {
                    "name": "r",
                    "strict": True,
                    "schema": {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
                },
            },
            "response_format",
        ),
        "Missing 'a'",
    ),
}


@pytest.mark.parametrize(("change", "match"), WRONG.values(), ids=WRONG)
def test_what_openai_refuses_is_refused(change, match):
    body = copy.deepcopy(GOOD)
    change(body)

    message = refusal(CHAT, body)

    assert message is not None
    assert re.search(match, message) or match in message, message


RIGHT = {
    "as it is": lambda body: None,
    "a sentence": put([{"role": "user", "content": "hi"}], "messages"),
    "a developer": put("developer", "messages", 0, "role"),
    "thoughts that come back": put("hm", "messages", 2, "reasoning_content"),
    "a file": put(
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
        "messages",
        1,
        "content",
        1,
    ),
    "some of the tools": put(
        {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "weather"}}]},
        },
        "tool_choice",
    ),
    "a tool that is not offered any more": put("time", "messages", 2, "tool_calls", 0, "function", "name"),
}


@pytest.mark.parametrize("change", RIGHT.values(), ids=RIGHT)
def test_what_openai_takes_is_taken(change):
    body = copy.deepcopy(GOOD)
    change(body)

    assert refusal(CHAT, body) is None
