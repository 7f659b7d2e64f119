"""The form in which a command stands in the audit: everything but long contents, which become a size and a hash."""

import hashlib
from typing import Final

from par._json import Json, JsonObject
from par.tools.bash._commands.table import Command, command_to_json

__all__ = ["recorded"]

_CONTENTS: Final = frozenset({"content", "patch", "text"})


def recorded(command: Command) -> JsonObject:
    """Return the JSON form of a command for the record."""
    return _shortened(command_to_json(command))


def _shortened(fields: JsonObject) -> JsonObject:
    return {name: _field(name, value) for name, value in fields.items()}


def _field(name: str, value: Json) -> Json:
    if isinstance(value, str) and name in _CONTENTS:
        data = value.encode("utf-8", "surrogatepass")
        return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if isinstance(value, list):
        return [_shortened(item) if isinstance(item, dict) else item for item in value]
    return value
