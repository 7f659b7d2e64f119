"""Reading what a provider sent: JSON that must not crash us, whatever is in it."""

import json
from collections.abc import Callable

from par._ids import new_ulid
from par._json import Json, JsonObject, JsonSyntaxError, load_json
from par.errors import UnreadableReply
from par.messages import ToolUse

__all__ = ["NewId", "array", "as_tool_use", "count", "new_tool_use_id", "obj", "parse_body", "string"]

NewId = Callable[[], str]


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not a JSON number")


# unlike par._json it lets duplicate keys pass: this is the outside of a reply, read once per token
_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def parse_body(raw: bytes, provider: str) -> JsonObject:
    """Read a body, or the data of one event.

    Raises:
        UnreadableReply: if it is not a JSON object in UTF-8.
    """
    try:
        text = raw.decode()
        value: Json = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        start = raw[:200].decode("utf-8", "replace")
        raise UnreadableReply(f"not JSON ({error}): {start!r}", provider=provider) from error
    if not isinstance(value, dict):
        raise UnreadableReply(f"not a JSON object: {text[:200]!r}", provider=provider)
    if "\\ud" in text or "\\uD" in text:
        # half a surrogate pair is no text: it could not be stored, printed or sent back
        return obj(_without_lone_surrogates(value))
    return value


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
