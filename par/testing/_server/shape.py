"""Tables that say what a request may hold: a checker for each field, and nothing that is not in the table."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from par._json import Json, JsonObject
from par.testing._server.refused import Misshapen, Place

__all__ = [
    "Checker",
    "anything",
    "choice",
    "each",
    "either",
    "flag",
    "items_of",
    "mapping",
    "nullable",
    "number",
    "object_of",
    "record",
    "tagged",
    "text",
    "text_of",
    "whole",
]

Checker: TypeAlias = Callable[[Json, Place], None]


def object_of(value: Json) -> JsonObject:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items_of(value: Json) -> list[Json]:
    """Return the value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def text_of(value: Json) -> str:
    """Return the value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def anything(value: Json, place: Place) -> None:
    """Take whatever is there."""
    del value, place


def text(*, least: int = 0, most: int | None = None, pattern: str | None = None) -> Checker:
    """Take a string of so many characters that matches as a whole."""
    wanted = re.compile(pattern) if pattern is not None else None

    def check(value: Json, place: Place) -> None:
        if not isinstance(value, str):
            raise Misshapen(place, "type", f"a string, but got {_kind(value)}")
        if len(value) < least:
            raise Misshapen(place, "value", f"a string with at least {least} characters, but got {len(value)}")
        if most is not None and len(value) > most:
            raise Misshapen(place, "value", f"a string with at most {most} characters, but got {len(value)}")
        if wanted is not None and wanted.fullmatch(value) is None:
            raise Misshapen(place, "value", f"a string that matches the pattern {wanted.pattern}")

    return check


def number(low: float | None = None, high: float | None = None) -> Checker:
    """Take a number in a range, its ends included."""

    def check(value: Json, place: Place) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Misshapen(place, "type", f"a number, but got {_kind(value)}")
        if (low is not None and value < low) or (high is not None and value > high):
            raise Misshapen(place, "value", f"a number from {low} to {high}, but got {value}")

    return check


def whole(low: int | None = None, high: int | None = None) -> Checker:
    """Take a whole number in a range, its ends included."""
    in_range = number(low, high)

    def check(value: Json, place: Place) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Misshapen(place, "type", f"an integer, but got {_kind(value)}")
        in_range(value, place)

    return check


def flag(value: Json, place: Place) -> None:
    """Take true or false."""
    if not isinstance(value, bool):
        raise Misshapen(place, "type", f"a boolean, but got {_kind(value)}")


def choice(*values: str | None) -> Checker:
    """Take one of these strings."""

    def check(value: Json, place: Place) -> None:
        if value not in values:
            raise Misshapen(place, "value", f"one of {', '.join(map(repr, values))}, but got {value!r}")

    return check


def nullable(inner: Checker) -> Checker:
    """Take null, or what the other takes."""

    def check(value: Json, place: Place) -> None:
        if value is not None:
            inner(value, place)

    return check


def each(inner: Checker, *, least: int = 0, most: int | None = None) -> Checker:
    """Take an array of so many items, each of which the other takes."""

    def check(value: Json, place: Place) -> None:
        if not isinstance(value, list):
            raise Misshapen(place, "type", f"an array, but got {_kind(value)}")
        if len(value) < least or (most is not None and len(value) > most):
            raise Misshapen(place, "value", f"an array of {least} to {most or 'any'} items, but got {len(value)}")
        for index, item in enumerate(value):
            inner(item, place.at(index))

    return check


def record(fields: Mapping[str, Checker], required: Collection[str] = ()) -> Checker:
    """Take an object that has these fields and no others."""

    def check(value: Json, place: Place) -> None:
        if not isinstance(value, dict):
            raise Misshapen(place, "type", f"an object, but got {_kind(value)}")
        for name in required:
            if name not in value:
                raise Misshapen(place.at(name), "missing", "")
        for name, item in value.items():
            if name not in fields:
                raise Misshapen(place.at(name), "unknown", "")
            fields[name](item, place.at(name))

    return check


def mapping(inner: Checker, *, most: int | None = None) -> Checker:
    """Take an object with any keys."""

    def check(value: Json, place: Place) -> None:
        if not isinstance(value, dict):
            raise Misshapen(place, "type", f"an object, but got {_kind(value)}")
        if most is not None and len(value) > most:
            raise Misshapen(place, "value", f"an object with at most {most} keys, but got {len(value)}")
        for name, item in value.items():
            inner(item, place.at(name))

    return check


def tagged(kinds: Mapping[str, Checker], by: str = "type", missing: str | None = None) -> Checker:
    """Take an object whose field ``by`` says which checker it must pass; ``missing`` stands for an absent one."""

    def check(value: Json, place: Place) -> None:
        if not isinstance(value, dict):
            raise Misshapen(place, "type", f"an object, but got {_kind(value)}")
        if by not in value and missing is None:
            raise Misshapen(place.at(by), "missing", "")
        kind = value.get(by, missing)
        if not isinstance(kind, str) or kind not in kinds:
            raise Misshapen(place.at(by), "value", f"one of {', '.join(map(repr, kinds))}, but got {kind!r}")
        kinds[kind](value, place)

    return check


def either(plain: Checker, listed: Checker) -> Checker:
    """Take a string that the first takes, or what the second takes."""

    def check(value: Json, place: Place) -> None:
        (plain if isinstance(value, str) else listed)(value, place)

    return check


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict():
            return "an object"
