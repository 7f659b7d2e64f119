"""Shapes with named parts: attrs classes, dataclasses, typed dicts, and the parameters of a function."""

from collections.abc import Callable, Sequence
from typing import final

import attrs

from par._json import Json, JsonObject, JsonSyntaxError, load_json
from par._shape.shape import MAX_PROBLEMS, SchemaWriter, Shape, clip, mismatch
from par._to_json import to_json

__all__ = ["Field", "Record"]


@attrs.frozen(kw_only=True)
class Field:
    """One named part. ``alias`` is the parameter's name where it differs from the JSON key."""

    name: str
    shape: Shape
    required: bool
    default: object = None
    has_json_default: bool = False
    description: str | None = None
    alias: str | None = None


@final
class Record:
    """An object with exactly these keys. Unknown keys are refused, optional ones may be left out.

    The fields are set once, by ``complete``: a class may contain itself.
    """

    def __init__(self, name: str, build: Callable[[dict[str, object]], object], kind: type | None) -> None:
        self.name = name
        self.expected = f"an object {name}" if name else "an object"
        self._build = build
        self._kind = kind
        self._fields: dict[str, Field] = {}
        self._required: tuple[str, ...] = ()

    def complete(self, fields: Sequence[Field]) -> None:
        """Set the fields."""
        self._fields = {field.name: field for field in fields}
        self._required = tuple(field.name for field in fields if field.required)

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        if self.name in writer.open:
            writer.used.add(self.name)
            return {"$ref": f"#/$defs/{self.name}"}
        writer.open.append(self.name)
        properties: JsonObject = {}
        for field in self._fields.values():
            schema = dict(field.shape.schema(writer))
            if field.description and "description" not in schema:
                schema["description"] = field.description
            if field.has_json_default:
                schema["default"] = to_json(field.default)
            properties[field.name] = schema
        writer.open.pop()
        whole: JsonObject = {
            "type": "object",
            "properties": properties,
            "required": list(self._required),
            "additionalProperties": False,
        }
        if self.name in writer.used:
            writer.definitions[self.name] = whole
            return {"$ref": f"#/$defs/{self.name}"}
        return whole

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if not isinstance(value, dict):
            problems.append(mismatch(path or "arguments", self.expected, value))
            return value
        before = len(problems)
        built: dict[str, object] = {}
        fields = self._fields
        for key, item in value.items():
            field = fields.get(key)
            if field is None:
                problems.append(self._unknown(key, path))
            else:
                built[field.alias or key] = field.shape.structure(item, f"{path}.{key}" if path else key, problems)
            if len(problems) >= MAX_PROBLEMS:
                return value
        for name in self._required:
            if name not in value:
                where = f"{path}.{name}" if path else name
                problems.append(f"{where} is missing: send {fields[name].shape.expected}.")
        return built if len(problems) > before else self._built(built, path, problems)

    def _built(self, parts: dict[str, object], path: str, problems: list[str]) -> object:
        try:
            return self._build(parts)
        except (ValueError, TypeError) as error:  # a validator of the class itself
            problems.append(f"{path or 'arguments'}: {clip(str(error))}")
            return parts

    def _unknown(self, key: str, path: str) -> str:
        there_are = f"The fields are: {', '.join(self._fields)}." if self._fields else "There are no fields."
        return f"{path + ': ' if path else ''}{clip(repr(key))} is not a field. {there_are}"

    def relax(self, value: Json, /) -> Json:
        if isinstance(value, str):
            try:
                inner = load_json(value)
            except JsonSyntaxError:
                return value
            value = inner if isinstance(inner, dict) else value
        if not isinstance(value, dict):
            return value
        relaxed: JsonObject = {}
        for key, item in value.items():
            field = self._fields.get(key)
            if field is None:
                relaxed[key] = item
            elif item is None and not field.required and not field.shape.matches(None):
                continue  # null for "leave it out" is the commonest slip
            else:
                relaxed[key] = field.shape.relax(item)
        return relaxed

    def matches(self, value: object, /) -> bool:
        if self._kind is not None:
            return isinstance(value, self._kind)
        if not isinstance(value, dict):
            return False
        problems: list[str] = []
        try:
            self.structure(to_json(value), "", problems)  # pyright: ignore[reportUnknownArgumentType] # any dict
        except TypeError:
            return False
        return not problems
