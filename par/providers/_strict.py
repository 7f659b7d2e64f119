"""What OpenAI asks of the schemas that it holds a model to.

Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

import re

from par._json import Json
from par.providers._reading import array, obj

__all__ = ["fits_strict", "schema_name"]

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME = 64
_WORDS = frozenset({
    "$defs", "$id", "$ref", "$schema", "additionalProperties", "anyOf", "const", "definitions", "description", "enum",
    "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maximum", "minItems", "minimum",
    "multipleOf", "pattern", "properties", "required", "title", "type",
})  # fmt: skip
"""The words that a strict schema may have; one with another is refused."""
_FORMATS = frozenset({
    "date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid",
})  # fmt: skip


def schema_name(name: str) -> str:
    """Return a name that the API takes for a schema."""
    return _NOT_IN_A_NAME.sub("_", name)[:_MAX_NAME] or "output"


def fits_strict(schema: Json) -> bool:
    """Tell whether OpenAI takes the schema as strict, without a change.

    Every property is required and no others are allowed, at each level; there is no word that it does not know.
    """
    if not isinstance(schema, dict):
        return schema is not True
    if not _WORDS.issuperset(schema) or schema.get("format", "date") not in _FORMATS:
        return False
    properties = obj(schema.get("properties"))
    if (schema.get("type") == "object" or "properties" in schema) and (
        schema.get("additionalProperties") is not False
        or set(properties) != set(map(str, array(schema.get("required"))))
    ):
        return False
    parts = [*properties.values(), *obj(schema.get("$defs")).values(), *obj(schema.get("definitions")).values()]
    return all(fits_strict(part) for part in [*parts, *array(schema.get("anyOf")), schema.get("items")])
