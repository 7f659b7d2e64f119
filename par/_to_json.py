"""Turn what tools return into JSON: the plain values, attrs classes, dataclasses, enums, dates."""

import base64
import dataclasses
from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from typing import cast
from uuid import UUID

import attrs

from par._json import Json

__all__ = ["to_json"]


_MOST_BITS = 14_000
"""Whole numbers of more bits are refused: the interpreter does not write more than 4300 digits."""


def to_json(value: object) -> Json:
    """Return the JSON form of ``value``; bytes become base64, sets become sorted lists.

    Text that no encoding can write (half a surrogate pair, as in file names that are no UTF-8) gets question marks
    in those places.

    Raises:
        TypeError: for what has no JSON form; the message names the type.
    """
    try:
        return _plain(value)
    except RecursionError:
        raise TypeError(f"this {type(value).__name__} has no JSON form: it contains itself or nests too deep") from None


def _plain(value: object) -> Json:
    if value is None or isinstance(value, bool):
        return value
    if type(value) is str and value.isascii():  # most of what tools return
        return value
    if isinstance(value, Enum):  # before str and int, which an enum may also be
        return _plain(cast("object", value.value))
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, int):
        if value.bit_length() > _MOST_BITS:
            raise TypeError("a whole number of thousands of digits has no JSON form")
        return int(value)
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, Mapping):
        return _object(cast("Mapping[object, object]", value))
    if isinstance(value, (list, tuple, deque)):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in cast("AbstractSet[object]", value)), key=repr)
    return _structured(value)


def _encodable(text: str) -> str:
    if text.isascii():
        return str(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return str(text)


def _object(value: Mapping[object, object]) -> Json:
    plain = {_key(key): _plain(item) for key, item in value.items()}
    if len(plain) != len(value):
        raise TypeError("two keys of a dict are the same as text, and a JSON object has each key once")
    return plain


def _finite(value: float) -> Json:
    if not isfinite(value):
        raise TypeError(f"{value} has no JSON form")
    return float(value)


def _key(key: object) -> str:
    plain = _plain(key)
    if isinstance(plain, str):
        return plain
    if isinstance(plain, (int, float)) and not isinstance(plain, bool):
        return str(plain)
    raise TypeError(f"a JSON object cannot have a key of type {type(key).__name__}")


def _structured(value: object) -> Json:
    kind = type(value)
    if attrs.has(kind):
        return {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(kind)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError(f"{value} has no JSON form")
        return str(value)
    if isinstance(value, (UUID, PurePath)):
        return _encodable(str(value))
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(
        f"{type(value).__name__} has no JSON form: return text, numbers, lists, dicts, attrs classes or dataclasses"
    )
