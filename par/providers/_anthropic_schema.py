"""JSON Schema as the API can hold a model to it: closed objects, no recursion, few constraints.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from collections.abc import Mapping

from par._json import Json, JsonObject, dump_json
from par.providers._reading import array, obj, string

__all__ = ["closed_schema"]

_KEPT = frozenset({
    "$ref", "additionalProperties", "const", "default", "description", "enum", "required", "title", "type",
})  # fmt: skip
_HOLDERS = frozenset({"$defs", "definitions", "properties"})
_CHOICES: Mapping[str, str] = {"allOf": "allOf", "anyOf": "anyOf", "oneOf": "anyOf"}
_FORMATS = frozenset({
    "date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid",
})  # fmt: skip


class _OpenError(Exception):
    """The schema cannot be held to."""


def closed_schema(schema: JsonObject) -> JsonObject | None:
    """Return what the API takes of a schema, ``None`` if it cannot take what matters.

    Constraints that it does not know are told to the model in the description of what they are about. A schema that
    needs no change comes back equal.
    """
    if _recursive(schema):
        return None
    try:
        return _closed(schema)
    except _OpenError:
        return None


def _closed(schema: JsonObject) -> JsonObject:
    result: JsonObject = {}
    told: list[str] = []
    for name, value in schema.items():
        if name in _HOLDERS:
            result[name] = {key: _closed_value(item) for key, item in obj(value).items()}
        elif name == "items":
            result[name] = _closed_value(value)
        elif name in _CHOICES:
            result[_CHOICES[name]] = [_closed_value(item) for item in array(value)]
        elif (
            name in _KEPT
            or (name == "format" and string(value) in _FORMATS)
            or (name == "minItems" and value in (0, 1))
        ):
            result[name] = value
        elif not name.startswith("$"):  # where the schema comes from says nothing to the model
            told.append(f"{name}: {dump_json(value) if isinstance(value, (dict, list)) else value}")
    if "properties" in result:
        result.setdefault("additionalProperties", False)
    is_object = result.get("type") == "object"
    if (is_object or "additionalProperties" in result) and result.get("additionalProperties") is not False:
        raise _OpenError  # an object of anything
    if told:
        before = result.get("description")
        result["description"] = (f"{before} " if before else "") + f"({', '.join(told)})"
    return result


def _closed_value(value: Json) -> Json:
    if value is True or value == {}:
        raise _OpenError  # anything at all
    return _closed(value) if isinstance(value, dict) else value


def _recursive(schema: JsonObject) -> bool:
    """Tell whether a definition contains itself."""
    uses: dict[str, set[str]] = {"#": _references(schema, into_definitions=False)}
    for holder in ("$defs", "definitions"):
        for name, definition in obj(schema.get(holder)).items():
            uses[f"#/{holder}/{name}"] = _references(definition)
    seen: set[str] = set()

    def loops(name: str, above: frozenset[str]) -> bool:
        if name in above:
            return True
        if name in seen:
            return False
        seen.add(name)
        return any(loops(other, above | {name}) for other in uses.get(name, ()))

    return any(loops(name, frozenset()) for name in uses)


def _references(value: Json, *, into_definitions: bool = True) -> set[str]:
    found: set[str] = set()
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "$ref" and isinstance(item, str):
                found.add(item)
            elif into_definitions or name not in ("$defs", "definitions"):
                found |= _references(item)
    elif isinstance(value, list):
        for item in value:
            found |= _references(item)
    return found
