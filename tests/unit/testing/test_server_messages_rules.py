"""What the server refuses of Anthropic's messages, and what it takes."""

import copy
import re

import pytest
from unit.testing.requests_changed import drop, put, refusal

from par.testing._server.issued import Issued
from par.testing._server.messages_reply import MESSAGES

VERSION = {"anthropic-version": "2023-06-01"}
TOOL = {"name": "weather", "description": "d", "input_schema": {"type": "object", "properties": {}}}
GOOD = {
    "model": "m",
    "max_tokens": 2048,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "tool_use", "id": "a", "name": "weather", "input": {}},
                {"type": "tool_use", "id": "b", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "b", "content": "rain"},
                {"type": "tool_result", "tool_use_id": "a", "content": "", "is_error": True},
                {"type": "text", "text": "And?"},
            ],
        },
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
}
DOCUMENT = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}}


def known():
    issued = Issued()
    issued.thoughts.add(("hm", "sig"))
    issued.redacted.add("sealed")
    return issued


def thinking(**more):
    def change(body):
        body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        body.update(more)

    return change


def breakpoints(body):
    for block in [*body["messages"][2]["content"], *body["messages"][0]["content"]]:
        block["cache_control"] = {"type": "ephemeral"}


def without_tools(**more):
    def change(body):
        del body["tools"], body["tool_choice"]
        body.update(more)

    return change


WRONG = {
    "an unknown field": (put(1, "seed"), "seed: Extra inputs are not permitted"),
    "an unknown field of a block": (put(1, "messages", 0, "content", 0, "x"), "x: Extra inputs"),
    "no limit": (drop("max_tokens"), "max_tokens: Field required"),
    "a limit of nothing": (put(0, "max_tokens"), "max_tokens: Input should be"),
    "instructions among the messages": (
        lambda body: body["messages"].insert(0, {"role": "system", "content": "x"}),
        'Unexpected role "system"',
    ),
    "a role that is none": (put("tool", "messages", 0, "role"), "messages.0.role"),
    "no messages but instructions": (put([{"role": "system", "content": "x"}], "messages"), 'role "system"'),
    "no messages": (put([], "messages"), "messages"),
    "content without blocks": (put([], "messages", 0, "content"), "messages.0.content"),
    "an empty text": (put("", "messages", 0, "content", 0, "text"), "not empty"),
    "a blank text": (put(" \n", "messages", 0, "content", 0, "text"), "only white space"),
    "blank instructions": (put(" ", "system", 0, "text"), "only white space"),
    "a picture as a data URL": (
        put("data:image/png;base64,aGk=", "messages", 0, "content", 1, "source", "data"),
        "base64",
    ),
    "a picture that is a number": (put(5, "messages", 0, "content", 1, "source", "data"), "a string of base64"),
    "a picture of nothing": (put("", "messages", 0, "content", 1, "source", "data"), "that is not empty"),
    "a picture of another kind": (
        put("image/tiff", "messages", 0, "content", 1, "source", "media_type"),
        "media_type: Input should be one of",
    ),
    "a picture in OpenAI's form": (
        put({"type": "image_url", "image_url": {"url": "https://x"}}, "messages", 0, "content", 1),
        "messages.0.content.1.type",
    ),
    "a picture of the assistant": (
        lambda body: body["messages"][1]["content"].append(body["messages"][0]["content"][1]),
        "messages.1.content.3.type",
    ),
    "a document of another kind": (
        put({**DOCUMENT, "source": {**DOCUMENT["source"], "media_type": "text/csv"}}, "messages", 0, "content", 1),
        "media_type",
    ),
    "an id with a dot": (put("a.b", "messages", 1, "content", 1, "id"), "id: Input should be a string that matches"),
    "input that is text": (put("{}", "messages", 1, "content", 1, "input"), "an object, but got a string"),
    "a use without its result": (
        drop("messages", 2, "content", 0),
        "without `tool_result` blocks immediately after: b",
    ),
    "uses at the end": (drop("messages", 2), "without `tool_result` blocks immediately after: a, b"),
    "a result without its use": (
        put("c", "messages", 2, "content", 0, "tool_use_id"),
        "unexpected `tool_use_id` found in `tool_result` blocks: c",
    ),
    "two results of one use": (put("a", "messages", 2, "content", 0, "tool_use_id"), "a single result"),
    "two uses of one id": (put("a", "messages", 1, "content", 2, "id"), "ids must be unique"),
    "text before the results": (
        lambda body: body["messages"][2]["content"].insert(0, {"type": "text", "text": "x"}),
        "must come before all other content",
    ),
    "a result much later": (
        lambda body: body["messages"].insert(2, {"role": "user", "content": "wait"}),
        "must come before all other content",
    ),
    "an altered thought": (put("hmm", "messages", 1, "content", 0, "thinking"), "Invalid `signature`"),
    "an altered signature": (put("gis", "messages", 1, "content", 0, "signature"), "Invalid `signature`"),
    "a thought without a signature": (drop("messages", 1, "content", 0, "signature"), "signature: Field required"),
    "a sealed thought of others": (
        put({"type": "redacted_thinking", "data": "x"}, "messages", 1, "content", 0),
        "Invalid `data`",
    ),
    "a choice without tools": (
        without_tools(messages=[{"role": "user", "content": "x"}], tool_choice={"type": "any"}),
        "while providing tools",
    ),
    "uses without tools": (without_tools(), "must define tools"),
    "a choice of an unknown tool": (put({"type": "tool", "name": "time"}, "tool_choice"), "'time' not found"),
    "a choice as a word": (put("any", "tool_choice"), "tool_choice"),
    "two tools of one name": (put([TOOL, TOOL], "tools"), "must be unique"),
    "a schema that is no object": (put({"type": "array"}, "tools", 0, "input_schema"), "Input should be 'object'"),
    "a strict tool that is open": (put(True, "tools", 0, "strict"), "additionalProperties"),
    "an open output": (
        put({"format": {"type": "json_schema", "schema": {"type": "object"}}}, "output_config"),
        "output_config.format.schema",
    ),
    "a temperature out of range": (put(1.5, "temperature"), "temperature"),
    "five breakpoints": (breakpoints, "A maximum of 4 blocks with cache_control may be provided. Found 6"),
    "a budget above the limit": (thinking(max_tokens=1024), "greater than `thinking.budget_tokens`"),
    "a budget that is too small": (
        thinking(thinking={"type": "enabled", "budget_tokens": 100}),
        "thinking.budget_tokens",
    ),
    "thinking at a temperature": (thinking(temperature=0.5), "may only be set to 1"),
    "thinking and a forced tool": (thinking(tool_choice={"type": "any"}), "forces tool use"),
    "thinking that begins in the middle": (
        lambda body: (thinking()(body), body["messages"][1]["content"].pop(0)),
        "Expected `thinking`",
    ),
    "white space at the end of a prefill": (
        lambda body: body["messages"].append({"role": "assistant", "content": "Well "}),
        "trailing whitespace",
    ),
}


@pytest.mark.parametrize(("change", "match"), WRONG.values(), ids=WRONG)
def test_what_anthropic_refuses_is_refused(change, match):
    body = copy.deepcopy(GOOD)
    change(body)

    message = refusal(MESSAGES, body, VERSION, known())

    assert message is not None
    assert re.search(re.escape(match), message), message


def test_a_request_without_a_version_is_refused():
    assert refusal(MESSAGES, GOOD, {}, known()) == "anthropic-version: header is required"


RIGHT = {
    "as it is": lambda body: None,
    "thinking": thinking(),
    "one prompt as text": without_tools(messages=[{"role": "user", "content": "hi"}], system="Be brief."),
    "a sealed thought": put({"type": "redacted_thinking", "data": "sealed"}, "messages", 1, "content", 0),
    "no thoughts": drop("messages", 1, "content", 0),
    "a document": put(DOCUMENT, "messages", 0, "content", 1),
    "an assistant first": lambda body: body["messages"].pop(0),
    "a tool that a search has found": put(
        [{"type": "tool_reference", "tool_name": "x"}], "messages", 2, "content", 0, "content"
    ),
    "neighbours of one role": lambda body: body["messages"].append({"role": "user", "content": "quickly"}),
    "a search of the server": lambda body: body["messages"][1]["content"].insert(
        1, {"type": "web_search_tool_result", "tool_use_id": "srv", "content": []}
    ),
    "a tool of the server": lambda body: body["tools"].append({"type": "web_search_20250305", "name": "web_search"}),
    "a prefill": lambda body: body["messages"].append({"role": "assistant", "content": "Well"}),
}


@pytest.mark.parametrize("change", RIGHT.values(), ids=RIGHT)
def test_what_anthropic_takes_is_taken(change):
    body = copy.deepcopy(GOOD)
    change(body)

    assert refusal(MESSAGES, body, VERSION, known()) is None


def test_instructions_among_the_messages_are_for_those_who_ask_for_the_beta():
    body = copy.deepcopy(GOOD)
    body["messages"].insert(3, {"role": "system", "content": [{"type": "tool_addition", "tool": {}}]})

    assert refusal(MESSAGES, body, {**VERSION, "anthropic-beta": "mid-conversation"}, known()) is None
