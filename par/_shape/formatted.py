"""The shapes of values that JSON writes as text: dates, UUIDs, decimals, paths.

They are read more narrowly than their Python classes read text, so that each value has one spelling that a model can
learn. RFC 3339 is the measure for dates and times, but seconds and the offset may be left out: what has no offset
becomes a naive time. Leap seconds are refused, for Python has none.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from pathlib import Path, PurePath, PurePosixPath
from typing import final
from uuid import UUID

import attrs

from par._json import Json, JsonObject
from par._shape.shape import DECIMAL, SchemaWriter, mismatch

__all__ = ["FORMATS", "Formatted"]

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
_HEX = "[0-9a-fA-F]"
_DECIMAL = r"-?[0-9]+(\.[0-9]+)?"


@attrs.frozen(kw_only=True)
class _Format:
    expected: str
    parse: Callable[[str], object]
    pattern: re.Pattern[str]
    schema: JsonObject


def _datetime(text: str) -> datetime:
    return datetime.fromisoformat(text.upper())


def _time(text: str) -> time:
    return time.fromisoformat(text.upper())


def _format(
    expected: str, parse: Callable[[str], object], pattern: str, *, schema: Mapping[str, Json] | None = None
) -> _Format:
    whole: JsonObject = {"type": "string", **(schema or {})}
    return _Format(expected=expected, parse=parse, pattern=re.compile(pattern, re.DOTALL), schema=whole)


_PATH = r"[^\0]+"

FORMATS: Mapping[type, _Format] = {
    datetime: _format(
        "a date and time such as 2025-03-01T12:00:00Z",
        _datetime,
        f"{_DATE}[Tt ]{_TIME}",
        schema={"format": "date-time"},
    ),
    date: _format("a date such as 2025-03-01", date.fromisoformat, _DATE, schema={"format": "date"}),
    time: _format("a time such as 12:30:00", _time, _TIME, schema={"format": "time"}),
    UUID: _format(
        "a UUID such as 123e4567-e89b-12d3-a456-426614174000",
        UUID,
        f"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}",
        schema={"format": "uuid"},
    ),
    Decimal: _format(
        'a decimal number as text, such as "12.50"', Decimal, _DECIMAL, schema={"pattern": f"^{_DECIMAL}$"}
    ),
    Path: _format("a path", Path, _PATH, schema={"minLength": 1}),
    PurePath: _format("a path", PurePath, _PATH, schema={"minLength": 1}),
    PurePosixPath: _format("a path", PurePosixPath, _PATH, schema={"minLength": 1}),
}


@final
class Formatted:
    """A value that JSON writes as text in a given form."""

    def __init__(self, kind: type) -> None:
        self.kinds = frozenset({"string", DECIMAL} if kind is Decimal else {"string"})
        self._kind = kind
        self._format = FORMATS[kind]
        self.expected = self._format.expected

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        return dict(self._format.schema)

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if isinstance(value, str) and self._format.pattern.fullmatch(value):
            try:
                return self._format.parse(value)
            except ValueError:  # the 31st of February
                pass
        problems.append(mismatch(path, self.expected, value))
        return value

    def relax(self, value: Json, /) -> Json:
        if self._kind is Decimal and isinstance(value, (int, float)) and not isinstance(value, bool):
            return format(Decimal(repr(value)), "f") if isinstance(value, float) and isfinite(value) else str(value)
        if self._kind is UUID and isinstance(value, str) and not self._format.pattern.fullmatch(value):
            try:
                return str(UUID(value))  # braces, no hyphens
            except ValueError:
                return value
        return value

    def matches(self, value: object, /) -> bool:
        return isinstance(value, self._kind)
