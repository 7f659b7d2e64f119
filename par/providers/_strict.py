"""What OpenAI asks of the schemas that it holds a model to.

Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

import re

from par._json import Json
from par.providers._reading import obj

__all__ = ["fits_strict", "schema_name"]

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME = 64


def schema_name(name: str) -> str:
    """Return a name that the API takes for a schema."""
    return _NOT_IN_A_NAME.sub("_", name)[:_MAX_NAME] or "output"


def fits_strict(schema: Json) -> bool:
    """Tell whether OpenAI takes the schema as strict: every property required, no others allowed, at each level."""
    if isinstance(schema, list):
        return all(fits_strict(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        required = schema.get("required", [])
        if schema.get("additionalProperties") is not False or not isinstance(required, list):
            return False
        if set(obj(schema.get("properties"))) != {name for name in required if isinstance(name, str)}:
            return False
    return all(fits_strict(item) for item in schema.values())
