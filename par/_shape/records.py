"""Shapes with named parts: attrs classes, dataclasses, typed dicts, and the parameters of a function."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast, final

import attrs

from par._json import Json, JsonObject
from par._shape.containers import from_text
from par._shape.shape import MAX_PROBLEMS, SchemaWriter, Shape, at, clip, inside, mismatch
from par._to_json import to_json

__all__ = ["Field", "Record"]

_REASON_CHARS = 240


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

    The fields are set once, by ``complete``: a class may contain itself. ``kind`` is the class that ``build`` makes;
    without one the parts themselves are the value. ``key`` is what tells the type from others of its name.
    """

    kinds = frozenset({"object"})

    def __init__(
        self,
        name: str,
        build: Callable[[dict[str, object]], object],
        kind: type | None,
        *,
        key: object = None,
    ) -> None:
        self.name = name
        self._key = self if key is None else key
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
        return writer.define(self._key, self.name, lambda: self._written(writer))

    def _written(self, writer: SchemaWriter) -> JsonObject:
        properties: JsonObject = {}
        for field in self._fields.values():
            schema = dict(field.shape.schema(writer))
            if field.description and "description" not in schema:
                schema["description"] = field.description
            if field.has_json_default:
                schema["default"] = to_json(field.default)
            properties[field.name] = schema
        return {
            "type": "object",
            "properties": properties,
            "required": list(self._required),
            "additionalProperties": False,
        }

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if not isinstance(value, dict):
            problems.append(mismatch(path, self.expected, value))
            return value
        before = len(problems)
        built: dict[str, object] = {}
        fields = self._fields
        for key, item in value.items():
            field = fields.get(key)
            if field is None:
                problems.append(self._unknown(key, path))
            else:
                built[field.alias or key] = field.shape.structure(item, inside(path, key), problems)
            if len(problems) >= MAX_PROBLEMS:
                return value
        missing = [name for name in self._required if name not in value]
        problems.extend(
            f"{inside(path, name)} is missing: send {fields[name].shape.expected}." for name in missing[:MAX_PROBLEMS]
        )
        return built if len(problems) > before else self._built(built, path, problems)

    def _built(self, parts: dict[str, object], path: str, problems: list[str]) -> object:
        try:
            return self._build(parts)
        except Exception as error:  # noqa: BLE001 # a validator of the class itself, which may raise anything
            problems.append(f"{at(path)}{_reason(error)}")
            return parts

    def _unknown(self, key: str, path: str) -> str:
        there_are = f"The fields are: {', '.join(self._fields)}." if self._fields else "There are no fields."
        return f"{at(path)}{clip(repr(key))} is not a field. {there_are}"

    def relax(self, value: Json, /) -> Json:
        value = from_text(value, dict)
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
        if not isinstance(value, Mapping):
            return False
        parts = cast("Mapping[object, object]", value)
        return all(name in parts for name in self._required) and all(
            isinstance(name, str) and name in self._fields and self._fields[name].shape.matches(part)
            for name, part in parts.items()
        )


def _reason(error: Exception) -> str:
    # the validators of attrs put their sentence first and facts behind it
    first: object = error.args[0] if error.args else ""
    text = first if isinstance(first, str) and first else f"{type(error).__name__}: {error}"
    return f"{clip(text, _REASON_CHARS).rstrip('.')}."
