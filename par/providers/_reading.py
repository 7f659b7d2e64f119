"""Reading what a provider sent: JSON that must not crash us, whatever is in it."""

import json
from collections.abc import Callable
from math import isfinite

from par._ids import new_ulid
from par._json import Json, JsonObject, JsonSyntaxError, deeper_than, load_json
from par.errors import UnreadableReply
from par.messages import ToolUse
from par.providers._keys import without_keys

__all__ = ["NewId", "array", "as_tool_use", "count", "new_tool_use_id", "obj", "parse_body", "string"]

NewId = Callable[[], str]


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):  # 1e999 is correct JSON, and infinity could not be stored
        raise ValueError(f"the number {digits[:80]} is too large")
    return number


# unlike par._json it lets duplicate keys pass: this is the outside of a reply, read once per token
_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)

_MAX_DEPTH = 100  # par.codec writes 128 levels, and wraps some around this


def _load(text: str) -> Json:
    value: Json
    if text.startswith("{"):
        # nothing before the object, and mostly nothing after it: without looking for white space on both sides
        value, end = _DECODER.raw_decode(text)
        if end == len(text):
            return value
    value = _DECODER.decode(text)
    return value


def parse_body(raw: bytes, provider: str) -> JsonObject:
    """Read a body, or the data of one event.

    Raises:
        UnreadableReply: if it is not a JSON object in UTF-8.
    """
    try:
        text = raw.decode()
        value = _load(text)
    except (ValueError, RecursionError) as error:
        start = _start(raw.decode("utf-8", "replace"))
        raise UnreadableReply(f"not JSON ({error}): {start!r}", provider=provider) from error
    if not isinstance(value, dict):
        raise UnreadableReply(f"not a JSON object: {_start(text)!r}", provider=provider)
    if text.count("{") + text.count("[") > _MAX_DEPTH and deeper_than(value, _MAX_DEPTH):
        raise UnreadableReply(f"nests deeper than {_MAX_DEPTH} levels", provider=provider)
    if "\\ud" in text or "\\uD" in text:
        # half a surrogate pair is no text: it could not be stored, printed or sent back
        return obj(_without_lone_surrogates(value))
    return value


def _start(text: str) -> str:
    # a key that is cut does not look like one any more, so it goes before the rest is cut
    return without_keys(text[:2000])[:200]


def _without_lone_surrogates(value: Json) -> Json:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {str(_without_lone_surrogates(key)): _without_lone_surrogates(item) for key, item in value.items()}
    return value


def obj(value: Json) -> JsonObject:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def array(value: Json) -> list[Json]:
    """Return the value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def string(value: Json) -> str:
    """Return the value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def count(value: Json) -> int:
    """Return the value if it is a whole number of at least 0, else 0."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, float):
        return int(value) if value.is_integer() and value > 0 else 0
    return value if isinstance(value, int) and value > 0 else 0


def new_tool_use_id() -> str:
    """Return an id for a tool use that the provider left without one."""
    return f"call_{new_ulid()}"


def as_tool_use(id_: str, name: str, arguments: str) -> ToolUse:
    """Make a tool use of arguments as text; text that is no JSON object is kept as ``malformed``.

    No text at all counts as no arguments: several providers send it so.
    """
    if not arguments.strip():
        return ToolUse(id_, name)
    try:
        value = load_json(arguments)
    except JsonSyntaxError:
        return ToolUse(id_, name, malformed=arguments)
    if not isinstance(value, dict):
        return ToolUse(id_, name, malformed=arguments)
    return ToolUse(id_, name, obj(_without_lone_surrogates(value)) if "\\u" in arguments else value)
