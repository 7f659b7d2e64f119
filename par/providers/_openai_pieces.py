"""A message of chat completions, or a delta of one, taken apart; and unknown fields that come in pieces, joined."""

from collections.abc import Iterable
from typing import Final

import attrs

from par._json import Json, JsonObject, dump_json
from par.providers._reading import array, obj, string

__all__ = ["CallParts", "Pieces", "call_parts", "joined", "split_delta"]

_KNOWN: Final = frozenset({"role", "content", "refusal", "tool_calls", "reasoning", "reasoning_content"})
_KNOWN_OF_A_CALL: Final = frozenset({"id", "type", "index", "function"})
_NOTHING: Final[tuple[Json, ...]] = (None, "", [], {})
_GROWS: Final = frozenset({"arguments", "content", "data", "input", "summary", "text", "thinking", "transcript"})
"""The fields, of objects that par does not know, whose text comes in pieces; others are repeated whole."""


@attrs.define
class Pieces:
    """What a message, or a delta of one, holds. ``extras`` is what par has no place for."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[Json] = attrs.Factory(list[Json])
    extras: JsonObject = attrs.Factory(dict[str, Json])


@attrs.frozen
class CallParts:
    """What a tool call, or a delta of one, holds. ``arguments`` is text, whatever it came as."""

    id: str
    name: str
    arguments: str
    extras: JsonObject


def split_delta(message: JsonObject) -> Pieces:
    """Take a message apart."""
    content = message.get("content")
    reasoning, twin = message.get("reasoning_content"), message.get("reasoning")
    pieces = Pieces(
        text=content if isinstance(content, str) else "",
        reasoning=string(reasoning) or string(twin),
        refusal=string(message.get("refusal")),
    )
    calls = message.get("tool_calls")
    if calls:
        pieces.calls = [call for call in array(calls) if isinstance(call, dict)]
    if isinstance(content, list):
        _split_parts(content, pieces)
    if len(message) > 1 or not isinstance(content, str):
        _keep_the_rest(message, pieces)
    return pieces


def _keep_the_rest(message: JsonObject, pieces: Pieces) -> None:
    for name, value in message.items():
        if value in _NOTHING:
            continue
        if name not in _KNOWN:
            if name == "function_call" and isinstance(value, dict) and not pieces.calls:
                pieces.calls = [{"function": value}]  # the form that calls had before there could be several
            else:
                pieces.extras[name] = value
        elif _is_left(name, value, pieces):
            pieces.extras[name] = value


def _is_left(name: str, value: Json, pieces: Pieces) -> bool:
    """Tell whether a known field holds something that was not read: in another form, or beside its twin."""
    if name in ("reasoning", "reasoning_content"):
        return value != pieces.reasoning
    if name == "content":
        return not isinstance(value, (str, list))
    if name == "tool_calls":
        return not isinstance(value, list) or len(pieces.calls) != len(value)
    return name == "refusal" and not isinstance(value, str)


def _split_parts(parts: Iterable[Json], pieces: Pieces) -> None:
    """Read content that is a list of parts, as Mistral writes it."""
    others: list[Json] = []
    for part in parts:
        fields = obj(part)
        if isinstance(part, str):
            pieces.text += part
        elif fields.get("type") == "text" and isinstance(fields.get("text"), str):
            pieces.text += string(fields["text"])
            if len(fields) > 2 and any(v not in _NOTHING for k, v in fields.items() if k not in ("type", "text")):
                others.append(part)  # citations, say, belong to the text that they come with
        elif fields.get("type") == "thinking":
            thinking = fields.get("thinking")
            pieces.reasoning += string(thinking) + "".join([string(obj(p).get("text")) for p in array(thinking)])
            if any(v not in _NOTHING for k, v in fields.items() if k not in ("type", "thinking", "closed")):
                others.append(part)
        else:
            others.append(part)
    if others:
        pieces.extras["content_parts"] = others


def call_parts(call: JsonObject) -> CallParts:
    """Take a tool call apart. A call of free text has its text for arguments, which are no JSON then."""
    function = obj(call.get("function"))
    name, arguments = string(function.get("name")), function.get("arguments")
    custom = call.get("custom")
    extras: JsonObject = {k: v for k, v in call.items() if k not in _KNOWN_OF_A_CALL and v is not None}
    if isinstance(custom, dict):
        name, arguments = string(custom.get("name")), custom.get("input")
    if call.get("type") not in (None, "", "function"):
        extras["type"] = call["type"]
    rest: JsonObject = {k: v for k, v in function.items() if k not in ("name", "arguments") and v is not None}
    if rest:
        extras["function"] = rest
    text = dump_json(arguments) if isinstance(arguments, (dict, list)) else string(arguments)
    return CallParts(string(call.get("id")), name, text, extras)


def joined(before: Json, more: Json, name: str = "") -> Json:
    """Put together an unknown field that comes in pieces; ``name`` is the field's."""
    if isinstance(before, list) and isinstance(more, list):
        return _joined_lists(before, more)
    if isinstance(before, dict) and isinstance(more, dict):
        result = dict(before)
        for key, value in more.items():
            result[key] = joined(result[key], value, key) if key in result else value
        return result
    if isinstance(before, str) and isinstance(more, str) and name in _GROWS:
        return before + more
    return before if more is None else more


def _joined_lists(before: list[Json], more: list[Json]) -> list[Json]:
    """Append, but join neighbours that are pieces of one item (OpenRouter's ``reasoning_details``)."""
    result = list(before)
    for item in more:
        last, new = obj(result[-1]) if result else {}, obj(item)
        same = last.get("index") == new.get("index") and last.get("type") == new.get("type")
        if "index" in new and "type" in new and same:
            result[-1] = joined(last, new)
        else:
            result.append(item)
    return result
