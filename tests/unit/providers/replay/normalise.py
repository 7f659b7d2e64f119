"""When two requests are the same: what may differ between ours and the recorded one, rule by rule.

A rule takes a body and returns one in which the difference is gone; each says why the difference has no meaning.
``differences`` applies the rules to both bodies and compares what is left, key by key. What no rule mentions must be
equal: the order of messages, parts, tools and calls, every text, every number, every id.

Each API has its own tuple of rules; those that are not of chat completions may stand in other modules.
"""

import json

_NOTHING = (None, "", [], {})


def differences(ours, recorded, rules):
    """Return where two bodies differ, one line each: the path, what we send, what was recorded."""
    for rule in rules:
        ours, recorded = rule(ours), rule(recorded)
    return list(_differ(ours, recorded, ""))


def _differ(ours, recorded, path):
    if isinstance(ours, dict) and isinstance(recorded, dict):
        for key in [*recorded, *(key for key in ours if key not in recorded)]:
            yield from _differ(ours.get(key, _Absent), recorded.get(key, _Absent), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(recorded, list) and len(ours) == len(recorded):
        for index, (one, other) in enumerate(zip(ours, recorded, strict=True)):
            yield from _differ(one, other, f"{path}[{index}]")
    elif ours != recorded or isinstance(ours, bool) != isinstance(recorded, bool):
        yield f"{path}: {_short(ours)} for {_short(recorded)}"


class _Absent:
    pass


def _short(value):
    return "nothing" if value is _Absent else repr(value)[:300]


def walked(value, change):
    """Return ``value`` with ``change`` made to each object in it, from the inside out."""
    if isinstance(value, dict):
        return change({key: walked(item, change) for key, item in value.items()})
    if isinstance(value, list):
        return [walked(item, change) for item in value]
    return value


# --- rules for every API --------------------------------------------------------------------------------------


def null_is_absent(body):
    """A key with ``null`` says what its absence says, outside schemas, where ``null`` may be a value."""
    schemas = ("parameters", "schema", "input_schema", "input")

    def change(value):
        if isinstance(value, dict):
            return {key: item if key in schemas else change(item) for key, item in value.items() if item is not None}
        return [change(item) for item in value] if isinstance(value, list) else value

    return change(body)


def not_streaming_is_the_default(body):
    """``"stream": false`` is what an absent ``stream`` means."""
    return {key: value for key, value in body.items() if not (key == "stream" and value is False)}


def arguments_are_json(body):
    """Arguments of a call are JSON written as text: the spaces and the order of keys in it mean nothing."""

    def change(value):
        text = value.get("arguments")
        if isinstance(text, str):
            try:
                return {**value, "arguments": json.loads(text) if text else {}}
            except ValueError:
                return value
        return value

    return walked(body, change)


# --- rules for chat completions -------------------------------------------------------------------------------


def one_answer_is_the_default(body):
    """``"n": 1`` is what an absent ``n`` means; par never asks for more."""
    return {key: value for key, value in body.items() if not (key == "n" and value == 1)}


def the_model_may_choose_by_default(body):
    """``"tool_choice": "auto"`` is what its absence means where there are tools."""
    return {key: value for key, value in body.items() if not (key == "tool_choice" and value == "auto")}


def any_tool_is_a_required_tool(body):
    """Mistral calls ``required`` ``any`` as well, and documents both."""
    return {**body, "tool_choice": "required"} if body.get("tool_choice") == "any" else body


def tools_and_calls_are_functions(body):
    """``"type": "function"`` may be left out of a tool, a call and a choice that have a ``function``."""
    return walked(body, lambda value: {"type": "function", **value} if "function" in value else value)


def not_strict_is_the_default(body):
    """``"strict": false`` of a function or a schema is what its absence means."""

    def change(value):
        if "name" in value and value.get("strict") is False:
            return {key: item for key, item in value.items() if key != "strict"}
        return value

    return walked(body, change)


def an_empty_description_is_none(body):
    """A function that is described with no word is one without a description."""

    def change(value):
        if "name" in value and value.get("description") == "":
            return {key: item for key, item in value.items() if key != "description"}
        return value

    return walked(body, change)


def text_is_one_part(body):
    """Content that is text is content of one part of type ``text``; an empty one of an assistant is none at all."""

    def change(message):
        content = message.get("content")
        if isinstance(content, str) and (content or message.get("role") != "assistant"):
            content = [{"type": "text", "text": content}]
        elif content in _NOTHING:
            return {key: value for key, value in message.items() if key != "content"}
        return {**message, "content": content}

    return {**body, "messages": [change(message) for message in body.get("messages", [])]}


CHAT = (
    null_is_absent,
    not_streaming_is_the_default,
    arguments_are_json,
    one_answer_is_the_default,
    the_model_may_choose_by_default,
    any_tool_is_a_required_tool,
    tools_and_calls_are_functions,
    not_strict_is_the_default,
    an_empty_description_is_none,
    text_is_one_part,
)
