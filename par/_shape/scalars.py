"""Shapes without parts: anything, null, text, booleans and numbers."""

import re
from math import isfinite
from typing import final

from par._json import Json, JsonObject, dump_json
from par._shape.shape import ALL_KINDS, SchemaWriter, mismatch

__all__ = ["Anything", "Boolean", "Integer", "Nothing", "Number", "String"]

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,40}\s*")
_DECIMAL = re.compile(r"\s*[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?\s*")
_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})


@final
class Anything:
    """Whatever JSON there is."""

    expected = "anything"
    kinds = ALL_KINDS

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        return {}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        del path, problems
        return value

    def relax(self, value: Json, /) -> Json:
        return value

    def matches(self, value: object, /) -> bool:
        del value
        return True


@final
class Nothing:
    """``null`` alone."""

    expected = "null"
    kinds = frozenset({"null"})

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        return {"type": "null"}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if value is not None:
            problems.append(mismatch(path, self.expected, value))
        return None  # null is the value here

    def relax(self, value: Json, /) -> Json:
        return None if value == "" or value == "null" else value  # noqa: PLR1714 # a set would need hashable JSON

    def matches(self, value: object, /) -> bool:
        return value is None


@final
class String:
    """Text, and nothing that could be made into text."""

    expected = "text"
    kinds = frozenset({"string"})

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        return {"type": "string"}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if not isinstance(value, str):
            problems.append(mismatch(path, self.expected, value, "Send a JSON string."))
        return value

    def relax(self, value: Json, /) -> Json:
        if isinstance(value, float) and not isfinite(value):
            return value
        return dump_json(value) if isinstance(value, (int, float)) else value

    def matches(self, value: object, /) -> bool:
        return isinstance(value, str)


@final
class Boolean:
    """``true`` or ``false``; ``"false"`` is neither."""

    expected = "true or false"
    kinds = frozenset({"boolean"})

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        return {"type": "boolean"}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if not isinstance(value, bool):
            hint = (
                "Send true or false without quotes."
                if isinstance(value, str) and value.lower() in _TRUE | _FALSE
                else ""
            )
            problems.append(mismatch(path, self.expected, value, hint))
        return value

    def relax(self, value: Json, /) -> Json:
        if isinstance(value, str):
            word = value.strip().lower()
            return True if word in _TRUE else False if word in _FALSE else value
        return value

    def matches(self, value: object, /) -> bool:
        return isinstance(value, bool)


@final
class Integer:
    """A whole number; ``3.9`` is refused, not cut, and ``true`` is no number.

    ``3.0`` is refused too, though JSON Schema takes it for an integer: a model that writes it is unsure of the type,
    and ``relax`` mends it.
    """

    expected = "a whole number"
    kinds = frozenset({"integer"})

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        return {"type": "integer"}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if type(value) is not int:
            hint = f"Send {value.strip()} without quotes." if isinstance(value, str) and _WHOLE.fullmatch(value) else ""
            problems.append(mismatch(path, self.expected, value, hint))
        return value

    def relax(self, value: Json, /) -> Json:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            return int(value)
        return value

    def matches(self, value: object, /) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)


@final
class Number:
    """Any number that a ``float`` can hold; whole ones become ``float``."""

    expected = "a number"
    kinds = frozenset({"number"})

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        return {"type": "number"}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            problems.append(mismatch(path, self.expected, value))
            return value
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if not isfinite(number):
            problems.append(mismatch(path, "a finite number", value))
        return number

    def relax(self, value: Json, /) -> Json:
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            number = float(value)
            return number if isfinite(number) else value
        return value

    def matches(self, value: object, /) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
