"""What a field of a command may hold: the check of the value, and its JSON Schema.

A kind never converts: a value either is exactly of its type or is a problem.
"""

from collections.abc import Callable, Iterator
from typing import Protocol, cast

import attrs

from par._json import Json, JsonObject
from par.tools.bash._commands.refusals import Problem, describe

__all__ = ["KIND", "Check", "Choice", "Flag", "Kind", "Many", "One", "Whole", "json_value", "kind_of"]

KIND = "par.bash.kind"
_MAX_ITEMS = 256

Check = Callable[[str, str], Problem | None]


class Kind(Protocol):
    """What one field may hold."""

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        ...

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        ...

    def at(self) -> dict[str, object]:
        """Return attrs metadata that carries the kind."""
        ...


def kind_of(attribute: "attrs.Attribute[object]") -> Kind:
    """Return the kind that the field was declared with."""
    return cast("Kind", attribute.metadata[KIND])  # every field of every command has one; a test looks


def _wrong(field: str, wanted: str, value: object, hint: str = "") -> Problem:
    return Problem(
        code="wrong_type", field=field, problem=f"{field} must be {wanted}, got {describe(value)}.", remedy=hint
    )


@attrs.frozen
class _Documented:
    doc: str

    def at(self) -> dict[str, object]:
        """Return attrs metadata that carries the kind."""
        return {KIND: self}


@attrs.frozen
class Flag(_Documented):
    """``true`` or ``false``."""

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        return {"type": "boolean", "description": self.doc}

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        if type(value) is bool:
            return None
        return _wrong(field, "true or false", value, "Send it without quotes." if isinstance(value, str) else "")


@attrs.frozen
class Whole(_Documented):
    """A whole number within bounds."""

    low: int
    high: int

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high, "description": self.doc}

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        if type(value) is int and self.low <= value <= self.high:
            return None
        hint = ""
        if isinstance(value, str) and len(value) < 20 and value.isascii() and value.isdigit():
            hint = f"Send {value} without quotes."
        return _wrong(field, f"a whole number between {self.low} and {self.high}", value, hint)


@attrs.frozen
class Choice(_Documented):
    """One of some words."""

    options: tuple[str, ...]

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        return {"type": "string", "enum": [*self.options], "description": self.doc}

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        if type(value) is str and value in self.options:
            return None
        return _wrong(field, f"one of {', '.join(self.options)}", value)


@attrs.frozen
class One(_Documented):
    """A text that passes a check."""

    what: str
    check: Check
    longest: int
    is_path: bool = False
    shortest: int = 1

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        return {
            "type": "string",
            "minLength": self.shortest,
            "maxLength": self.longest,
            "description": self.doc,
        }

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        if type(value) is not str:  # a subclass could answer differently at the second look
            return _wrong(field, self.what, value)
        if len(value) > self.longest:
            return Problem(
                code="too_long",
                field=field,
                problem=f"{field} has {len(value)} characters; at most {self.longest} are allowed.",
            )
        return self.check(field, value)


@attrs.frozen
class Many(_Documented):
    """A list of texts that pass a check; at least one unless it says otherwise."""

    item: One
    most: int = _MAX_ITEMS
    least: int = 1

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        item: JsonObject = {"type": "string", "minLength": 1, "maxLength": self.item.longest}
        return {"type": "array", "items": item, "minItems": self.least, "maxItems": self.most, "description": self.doc}

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        if type(value) is not list and type(value) is not tuple:
            hint = "Put it in a list: [...]." if isinstance(value, str) else ""
            return _wrong(field, f"a list of texts, each {self.item.what}", value, hint)
        items = cast("list[object]", value)  # checked above; the items are checked below
        if not self.least <= len(items) <= self.most:
            return Problem(
                code="wrong_size",
                field=field,
                problem=f"{field} has {len(items)} entries; {self.least} to {self.most} are allowed.",
            )
        for number, item in enumerate(items):
            found = self.item.problem(f"{field}[{number}]", item)
            if found is not None:
                return found
        return None


class _HasJson(Protocol):
    def to_json(self) -> JsonObject: ...


def json_value(value: object) -> Json:
    """Return the JSON form of a command or of a field's value: its tag, and fields that differ from their defaults."""
    if isinstance(value, tuple):
        return [json_value(item) for item in cast("tuple[object, ...]", value)]
    if hasattr(value, "to_json"):
        return cast("_HasJson", value).to_json()
    kind = type(value)
    if attrs.has(kind):
        op: object = getattr(kind, "op", None)
        shown: JsonObject = {"op": op} if isinstance(op, str) else {}
        return {**shown, **{name: json_value(held) for name, held in _given(cast("attrs.AttrsInstance", value))}}
    return cast("Json", value)  # what kinds let through is text, whole numbers, booleans and None


def _given(value: attrs.AttrsInstance) -> Iterator[tuple[str, object]]:
    for field in attrs.fields(type(value)):
        held: object = getattr(value, field.name)
        default: object = field.default
        if hasattr(default, "factory"):
            default = type(held)()
        if held != default:
            yield field.name, held
