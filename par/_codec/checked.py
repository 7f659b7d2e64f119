"""Checks of the fields that cattrs would let through or convert: free JSON, numbers, times."""

from datetime import UTC, datetime
from math import isfinite
from typing import Final, cast

from par._json import Json, JsonObject

__all__ = ["MAX_DEPTH", "checked_json", "checked_object", "finite", "time_of", "time_text"]

MAX_DEPTH: Final = 128
"""Levels that free JSON may nest; more than ``par._json`` reads from a model, to leave room for wrapping."""


def checked_json(value: object, depth: int = MAX_DEPTH) -> Json:
    """Return a copy of ``value`` made of exact JSON types.

    Raises:
        TypeError: for what is not JSON, and for what nests too deep.
    """
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return cast("Json", value)  # the line above says so
    if kind is float:
        return finite(value)
    if depth == 0:
        raise TypeError(f"nests deeper than {MAX_DEPTH} levels")
    if kind is dict:
        return _checked_dict(cast("dict[object, object]", value), depth - 1)
    if kind is list:
        return [checked_json(item, depth - 1) for item in cast("list[object]", value)]
    if isinstance(value, str):  # an enum of strings, say: its text, without the class
        return str.__str__(value)
    if isinstance(value, int):
        return int.__index__(value)
    raise TypeError(f"{kind.__name__} is not JSON")


def _checked_dict(value: dict[object, object], depth: int) -> JsonObject:
    copy: JsonObject = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"a key is of type {type(key).__name__}, not text")
        copy[key] = checked_json(item, depth)
    return copy


def checked_object(value: object) -> JsonObject:
    """Return a checked copy of a JSON object.

    Raises:
        TypeError: for anything else.
    """
    if type(value) is not dict:
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return _checked_dict(cast("dict[object, object]", value), MAX_DEPTH)


def finite(value: object) -> int | float:
    """Return a number that JSON has. A whole number stays one, so that its text does not change.

    Raises:
        TypeError: for NaN, infinities, and what is no number.
    """
    kind = type(value)
    if kind is float:
        number = cast("float", value)  # the line above says so
        if isfinite(number):
            return number
        raise TypeError(f"{number} is not a JSON number")
    if isinstance(value, (int, float)) and kind is not bool:
        return finite(float(value)) if isinstance(value, float) else int.__index__(value)
    raise TypeError(f"expected a number, got {kind.__name__}")


def time_text(at: datetime) -> str:
    """Return ``2025-01-31T23:59:59.000000Z``, always 27 characters, so that text sorts as time does.

    Raises:
        TypeError: for a time without a zone.
    """
    if at.tzinfo is not UTC:
        if at.utcoffset() is None:
            raise TypeError("the time has no zone")
        at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds")[:26] + "Z"


def time_of(text: object) -> datetime:
    """Read what ``time_text`` writes, and nothing else.

    Raises:
        ValueError: for any other form.
        TypeError: for what is no text.
    """
    if type(text) is not str:
        raise TypeError(f"expected a time, got {type(text).__name__}")
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None and time_text(at) == text:
            return at.astimezone(UTC)
    except ValueError:
        pass
    raise ValueError(f"expected a UTC time such as 2025-01-31T23:59:59.000000Z, got {text[:40]!r}")
