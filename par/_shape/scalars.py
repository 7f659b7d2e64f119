"""Shapes without parts: text, numbers, choices, dates."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from math import isfinite
from pathlib import Path, PurePath, PurePosixPath
from typing import final
from uuid import UUID

import attrs

from par._json import Json, JsonObject, dump_json
from par._shape.shape import SchemaWriter, mismatch

__all__ = ["FORMATS", "Anything", "Boolean", "Choice", "Formatted", "Integer", "Nothing", "Number", "String"]

_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})


@final
class Anything:
    """Whatever JSON there is."""

    expected = "anything"

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

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        return {"type": "string"}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if not isinstance(value, str):
            problems.append(mismatch(path, self.expected, value, "Send a JSON string."))
        return value

    def relax(self, value: Json, /) -> Json:
        if isinstance(value, (int, float)):
            return dump_json(value)
        return value

    def matches(self, value: object, /) -> bool:
        return isinstance(value, str)


@final
class Boolean:
    """``true`` or ``false``; ``"false"`` is neither."""

    expected = "true or false"

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        return {"type": "boolean"}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if not isinstance(value, bool):
            hint = "Send it without quotes." if isinstance(value, str) and value.lower() in _TRUE | _FALSE else ""
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
    """A whole number; ``3.9`` is refused, not cut, and ``true`` is no number."""

    expected = "a whole number"

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        return {"type": "integer"}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if type(value) is not int:
            hint = f"Send {value} without quotes." if isinstance(value, str) and value.lstrip("-").isdecimal() else ""
            problems.append(mismatch(path, self.expected, value, hint))
        return value

    def relax(self, value: Json, /) -> Json:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and value.strip().lstrip("-+").isdecimal() and len(value) < 40:
            return int(value)
        return value

    def matches(self, value: object, /) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)


@final
class Number:
    """Any finite number; whole ones become ``float``."""

    expected = "a number"

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
        if isinstance(value, str):
            try:
                number = float(value)
            except ValueError:
                return value
            return number if isfinite(number) else value
        return value

    def matches(self, value: object, /) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool)


@final
class Choice:
    """One of a few given values: a ``Literal`` or an ``Enum``."""

    def __init__(self, members: Mapping[str, tuple[Json, object]]) -> None:
        # keyed by the JSON text, because 1, 1.0 and True are one dictionary key
        self._members = dict(members)
        self.expected = "one of " + ", ".join(self._members)

    @classmethod
    def of_literal(cls, values: tuple[str | int | bool | None, ...]) -> "Choice":
        """Read the values of a ``Literal``."""
        return cls({dump_json(value): (value, value) for value in values})

    @classmethod
    def of_enum(cls, kind: type[Enum]) -> "Choice":
        """Read an enum by the values of its members."""
        members: dict[str, tuple[Json, object]] = {}
        for member in kind:
            value: object = member.value
            if not isinstance(value, (str, int)):
                raise TypeError(f"the enum {kind.__name__} has a value that is neither text nor a whole number")
            members[dump_json(value)] = (value, member)
        return cls(members)

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        values = [value for value, _ in self._members.values()]
        return {"const": values[0]} if len(values) == 1 else {"enum": values}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        member = None if isinstance(value, (list, dict, float)) else self._members.get(dump_json(value))
        if member is None:
            problems.append(mismatch(path, self.expected, value))
            return value
        return member[1]

    def relax(self, value: Json, /) -> Json:
        if isinstance(value, str):
            wanted = value.strip().casefold()
            for candidate, _ in self._members.values():
                if isinstance(candidate, str) and candidate.casefold() == wanted:
                    return candidate
        return value

    def matches(self, value: object, /) -> bool:
        return any(
            value is member or (type(value) is type(member) and value == member) for _, member in self._members.values()
        )


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError
    return Path(text)


def _pure_posix(text: str) -> PurePosixPath:
    if not text or "\0" in text:
        raise ValueError
    return PurePosixPath(text)


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError
    return number


@attrs.frozen(kw_only=True)
class _Format:
    expected: str
    parse: Callable[[str], object]
    name: str | None = None


FORMATS: Mapping[type, _Format] = {
    datetime: _Format(
        expected="a date and time such as 2025-03-01T12:00:00Z", parse=datetime.fromisoformat, name="date-time"
    ),
    date: _Format(expected="a date such as 2025-03-01", parse=date.fromisoformat, name="date"),
    time: _Format(expected="a time such as 12:30:00", parse=time.fromisoformat, name="time"),
    UUID: _Format(expected="a UUID", parse=UUID, name="uuid"),
    Decimal: _Format(expected='a decimal number as text, such as "12.50"', parse=_decimal),
    Path: _Format(expected="a path", parse=_path),
    PurePath: _Format(expected="a path", parse=_path),
    PurePosixPath: _Format(expected="a path", parse=_pure_posix),
}


@final
class Formatted:
    """A value that JSON writes as text: dates, UUIDs, decimals, paths."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._format = FORMATS[kind]
        self.expected = self._format.expected

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        name = self._format.name
        return {"type": "string"} if name is None else {"type": "string", "format": name}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if isinstance(value, str):
            try:
                return self._format.parse(value)
            except (ValueError, InvalidOperation):
                pass
        problems.append(mismatch(path, self.expected, value))
        return value

    def relax(self, value: Json, /) -> Json:
        if self._kind is Decimal and isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)
        return value

    def matches(self, value: object, /) -> bool:
        return isinstance(value, self._kind)
