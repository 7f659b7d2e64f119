"""The fields of a command in words, taken from its JSON Schema."""

from typing import cast

import attrs

from par._json import Json, JsonObject, dump_json

__all__ = ["Field", "example_of", "fields_of"]


@attrs.frozen(kw_only=True)
class Field:
    """A field of a command, as people read it."""

    name: str
    what: str
    """What it may hold, and its default where there is one."""
    required: bool
    doc: str


def fields_of(schema: JsonObject) -> tuple[Field, ...]:
    """Return the fields that a command has, without its tag, in the order of the class."""
    required = _texts(schema["required"])
    properties = cast("dict[str, JsonObject]", schema["properties"])  # a schema per field
    return tuple(
        Field(name=name, what=_what(field), required=name in required, doc=str(field["description"]))
        for name, field in properties.items()
        if name != "op"
    )


def example_of(schema: JsonObject) -> Json:
    """Return the example that a schema gives."""
    return cast("list[Json]", schema["examples"])[0]  # there is one for each command


def _texts(value: Json) -> list[str]:
    return cast("list[str]", value)  # names of fields, words of an enumeration


def _what(field: JsonObject) -> str:
    default = f" (default {dump_json(field['default'])})" if "default" in field else ""
    return f"{_kind(field)}{default}"


def _kind(field: JsonObject) -> str:
    if "enum" in field:
        return " or ".join(_texts(field["enum"]))
    if field["type"] == "integer":
        return f"number from {field['minimum']} to {field['maximum']}"
    if field["type"] == "array":
        return f"list of {field['minItems']} to {field['maxItems']} {_item(cast('JsonObject', field['items']))}"
    if field["type"] == "string":
        return f"text of up to {field['maxLength']} characters"
    if field["type"] == "boolean":
        return "true or false"
    inner = field.get("properties")
    return f"object with {', '.join(cast('JsonObject', inner))}" if inner else "object"


def _item(items: JsonObject) -> str:
    return "commands" if items["type"] == "object" else "texts"
