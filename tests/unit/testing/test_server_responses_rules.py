"""What the server refuses of the responses API, and what it takes."""

import copy
import re

import pytest
from unit.testing.requests_changed import drop, put, refusal

from par.testing._server.issued import Issued
from par.testing._server.responses_reply import RESPONSES

TOOL = {
    "type": "function",
    "name": "weather",
    "description": "d",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
GOOD = {
    "model": "m",
    "instructions": "Be brief.",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "seal"},
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "weather", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "b", "output": "rain"},
        {"type": "function_call_output", "call_id": "a", "output": "sun"},
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "function", "name": "weather"},
    "store": False,
    "include": ["reasoning.encrypted_content"],
}


def known():
    issued = Issued()
    issued.items["rs_1"] = {"id": "rs_1", "encrypted_content": "seal"}
    issued.leader["fc_1"] = "rs_1"
    issued.answers.add("resp_1")
    issued.open_calls["resp_1"] = frozenset({"a"})
    return issued


def went_on(*items):
    def change(body):
        body.update(previous_response_id="resp_1", store=True, input=list(items))

    return change


OUTPUT = {"type": "function_call_output", "call_id": "a", "output": "sun"}
WRONG = {
    "an unknown field": (put(1, "messages"), "Unknown parameter: 'messages'"),
    "a field of the other API": (put(5, "max_tokens"), "Unknown parameter: 'max_tokens'"),
    "an unknown field of an item": (put(1, "input", 3, "x"), "Unknown parameter: 'input[3].x'"),
    "no input": (put([], "input"), "input"),
    "an item that is none": (put("tool", "input", 3, "type"), "input[3].type"),
    "a role that is none": (put("tool", "input", 0, "role"), "input[0].role"),
    "a part of the other API": (put("text", "input", 0, "content", 0, "type"), "input[0].content[0].type"),
    "a picture as an object": (put({"url": "https://x"}, "input", 0, "content", 1, "image_url"), "image_url"),
    "a picture that is no address": (put("cat.png", "input", 0, "content", 1, "image_url"), "http"),
    "an output without its call": (put("c", "input", 4, "call_id"), "No tool call found for function call output"),
    "a call without its output": (drop("input", 5), "No tool output found for function call a"),
    "two calls of one id": (put("a", "input", 3, "call_id"), "Duplicate function call with call_id a"),
    "two outputs of one call": (put("a", "input", 4, "call_id"), "Duplicate output"),
    "an id of the wrong kind": (put("call_1", "input", 2, "id"), "an ID that begins with 'fc'"),
    "an id of a call that is too long": (put("x" * 65, "input", 3, "call_id"), "at most 64"),
    "two items of one id": (
        lambda body: (
            body["input"].insert(1, {"role": "assistant", "type": "message", "id": "msg_1", "content": "x"})
            or body["input"].insert(1, {"role": "assistant", "type": "message", "id": "msg_1", "content": "x"})
        ),
        "Duplicate item found with id msg_1",
    ),
    "altered reasoning": (put("laes", "input", 1, "encrypted_content"), "could not be verified"),
    "reasoning of others": (put("rs_2", "input", 1, "id"), "could not be verified"),
    "reasoning that was not stored": (drop("input", 1, "encrypted_content"), "Items are not persisted"),
    "reasoning that nobody has given out": (
        put({"type": "reasoning", "id": "rs_9", "summary": []}, "input", 1),
        "Item with id 'rs_9' not found.",
    ),
    "options of a stream without one": (put({"include_obfuscation": False}, "stream_options"), "'stream' is enabled"),
    "a call without its reasoning": (drop("input", 1), "without its required 'reasoning' item: 'rs_1'"),
    "reasoning that nothing follows": (
        lambda body: body["input"].append({**body["input"].pop(1)}) or drop("input", 1, "id")(body),
        "without its required following item",
    ),
    "reasoning before words without an id": (
        lambda body: body["input"].insert(2, {"role": "assistant", "content": "Well."}),
        "without its required following item",
    ),
    "a choice without tools": (
        lambda body: body.update(tools=[], tool_choice="required"),
        "need 'tools'",
    ),
    "a choice of an unknown tool": (put("time", "tool_choice", "name"), "not found in 'tools'"),
    "a tool in the other API's form": (put([{"type": "function", "function": TOOL}], "tools"), "tools[0]"),
    "two tools of one name": (put([TOOL, TOOL], "tools"), "not unique"),
    "parameters of a list": (put({"type": "array"}, "tools", 0, "parameters"), "JSON Schema"),
    "a strict tool that is not strict": (put(True, "tools", 0, "strict"), "additionalProperties"),
    "a strict output that is open": (
        put({"format": {"type": "json_schema", "name": "r", "strict": True, "schema": {"type": "object"}}}, "text"),
        "response_format 'r'",
    ),
    "something to include that is none": (put(["everything"], "include"), "include[0]"),
    "a limit that is too small": (put(5, "max_output_tokens"), "max_output_tokens"),
    "an unknown answer to go on from": (
        lambda body: body.update(previous_response_id="resp_9"),
        "Previous response with id 'resp_9' not found",
    ),
    "going on without the outputs": (went_on({"role": "user", "content": "x"}), "No tool output found"),
}


@pytest.mark.parametrize(("change", "match"), WRONG.values(), ids=WRONG)
def test_what_the_responses_api_refuses_is_refused(change, match):
    body = copy.deepcopy(GOOD)
    change(body)

    message = refusal(RESPONSES, body, {}, known())

    assert message is not None
    assert re.search(re.escape(match), message), message


RIGHT = {
    "as it is": lambda body: None,
    "a prompt": lambda body: body.update(input="hi"),
    "going on": went_on(OUTPUT),
    "an answer as text": lambda body: body["input"].append({"role": "assistant", "content": "Well."}),
    "a search of the server": lambda body: body["input"].insert(
        1, {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}}
    ),
    "a tool of the server": lambda body: body["tools"].append({"type": "web_search"}),
    "reasoning that was stored": lambda body: body.update(store=True) or drop("input", 1, "encrypted_content")(body),
}


@pytest.mark.parametrize("change", RIGHT.values(), ids=RIGHT)
def test_what_the_responses_api_takes_is_taken(change):
    body = copy.deepcopy(GOOD)
    change(body)

    assert refusal(RESPONSES, body, {}, known()) is None
